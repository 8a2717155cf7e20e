//! Base chains with their rules, from one list: as netlink messages, as text for nft(8), and whether the kernel still
//! has all of them.

use std::fmt::Write;

use kit_net::nft::expr::Rule;
use kit_net::nft::{Chain, InetHookNumber, Table};
use kit_net::{Batch, Nft};

use crate::BridgeError;

/// A base chain, its rules each as nft(8) writes it, and built.
pub(crate) struct Hooked {
    pub name: &'static str,
    /// `filter` or `nat`.
    pub kind: &'static str,
    pub hook: InetHookNumber,
    pub priority: i32,
    pub rules: Vec<(&'static str, Rule)>,
}

fn hook_name(hook: InetHookNumber) -> &'static str {
    match hook {
        InetHookNumber::PreRouting => "prerouting",
        InetHookNumber::Forward => "forward",
        InetHookNumber::LocalOut => "output",
        InetHookNumber::PostRouting => "postrouting",
        _ => "input",
    }
}

/// All chains first, then the rules: a set is named by its number within the transaction until it is committed.
pub(crate) fn add(batch: &mut Batch, table: &Table, chains: Vec<Hooked>) {
    for chain in &chains {
        let Hooked {
            name,
            kind,
            hook,
            priority,
            ..
        } = *chain;
        batch.add_chain(
            table,
            &Chain {
                name,
                kind,
                hook,
                priority,
            },
        );
    }
    for chain in chains {
        for (_, rule) in chain.rules {
            batch.add_rule(table, chain.name, rule.build());
        }
    }
}

/// The same for `nft -f -`, each line with its end.
pub(crate) fn text(table: &Table, chains: &[Hooked]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for chain in chains {
        let (name, kind, priority) = (chain.name, chain.kind, chain.priority);
        let hook = hook_name(chain.hook);
        let _ = writeln!(
            text,
            "add chain {table} {name} {{ type {kind} hook {hook} priority {priority}; }}"
        );
    }
    for chain in chains {
        for (rule, _) in &chain.rules {
            let _ = writeln!(text, "add rule {table} {} {rule}", chain.name);
        }
    }
    text
}

/// Whether the kernel has each chain at its hook, with as many rules.
pub(crate) fn are_whole(nft: &Nft, table: &Table, chains: &[Hooked]) -> Result<bool, BridgeError> {
    let there = nft.chains()?;
    for chain in chains {
        let found = there.iter().any(|other| {
            other.table == *table && other.name == chain.name && other.hook == Some(chain.hook)
        });
        if !found || nft.rules(table, chain.name)?.len() != chain.rules.len() {
            return Ok(false);
        }
    }
    Ok(true)
}
