//! Our nftables table of an instance: what is in it, as netlink messages and as text for nft(8).
//!
//! Everything that differs from bridge to bridge and from port to port is an element of a set or a map, so that
//! a packet's way through the rules is as long with one port as with ten thousand, and a change is one element.
//! A second table of the same name judges IPv6: the same doors, since a container draws itself an address that
//! no rule for IPv4 sees. It is made, changed and deleted in the same transactions.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use kit_net::nft::expr::{MetaKey, REG1, REG1_WORD1, REG1_WORD2, REG2, Rule};
use kit_net::nft::{Concat, Element, Family, InetHookNumber, Set, Table, Type, ifname};
use kit_net::{Batch, Nft};
use kit_plan::{Instance, NftFamily};

use crate::BridgeError;
use crate::rules::{self, Hooked};

/// Ports published on every address of the host: `proto . port : address . port`.
pub const PORTS: &str = "ports";
/// Ports published on one address of the host: `address . proto . port : address . port`.
pub const PORTS_ON: &str = "ports_on";
/// The bridges that this instance translates for.
pub const BRIDGES: &str = "bridges";
/// Each of them with itself: who talks to whom when br_netfilter brings bridged frames to the forward hook.
pub const OWN: &str = "own";

const SETS: [Set<'static>; 4] = [
    Set {
        name: PORTS,
        key: &[Type::InetProto, Type::InetService],
        data: &[Type::Ipv4Addr, Type::InetService],
    },
    Set {
        name: PORTS_ON,
        key: &[Type::Ipv4Addr, Type::InetProto, Type::InetService],
        data: &[Type::Ipv4Addr, Type::InetService],
    },
    BRIDGES_SET,
    OWN_SET,
];
const BRIDGES_SET: Set<'static> = Set {
    name: BRIDGES,
    key: &[Type::Ifname],
    data: &[],
};
const OWN_SET: Set<'static> = Set {
    name: OWN,
    key: &[Type::Ifname, Type::Ifname],
    data: &[],
};
const SETS_OVER_IPV6: [Set<'static>; 2] = [BRIDGES_SET, OWN_SET];

/// The table of an instance.
pub fn table(instance: &Instance) -> Table {
    Table::new(Family::Ip, instance.name())
}

/// Whether it is named as [`Instance::name`] names them.
pub fn is_an_instances(table: &Table) -> bool {
    let hex = |text: &str| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    table.family == Family::Ip
        && (table.name == "boxkit" || table.name.strip_prefix("boxkit-").is_some_and(hex))
}

/// A journal's word for the family of a table of ours.
pub(crate) fn family(table: &Table) -> NftFamily {
    if table.family == Family::Ip6 {
        NftFamily::Ip6
    } else {
        NftFamily::Ip
    }
}

/// One of the tables of an instance.
struct Part {
    table: Table,
    sets: &'static [Set<'static>],
    chains: Vec<Hooked>,
}

/// The table, and the one of IPv6 where the kernel has that.
fn parts(table: &Table) -> Vec<Part> {
    let mut parts = vec![Part {
        table: table.clone(),
        sets: &SETS,
        chains: chains(),
    }];
    if Path::new("/proc/sys/net/ipv6").exists() {
        parts.push(Part {
            table: Table::new(Family::Ip6, table.name.clone()),
            sets: &SETS_OVER_IPV6,
            chains: chains_over_ipv6(),
        });
    }
    parts
}

/// The tables of the instance whose first one is `table`.
pub(crate) fn all(table: &Table) -> Vec<Table> {
    parts(table).into_iter().map(|part| part.table).collect()
}

/// Those of them that the kernel has.
pub(crate) fn present(nft: &Nft, table: &Table) -> Result<Vec<Table>, BridgeError> {
    let there: BTreeSet<Table> = nft.tables()?.into_iter().map(|info| info.table).collect();
    let mut tables = all(table);
    tables.retain(|table| there.contains(table));
    Ok(tables)
}

/// The elements that a bridge with translation on is: table, set, key.
pub fn bridge_elements(table: &Table, bridge: &str) -> Vec<(Table, &'static str, Vec<u8>)> {
    let own = Concat::new().ifname(bridge).ifname(bridge).bytes();
    let of = |table: Table| {
        [
            (table.clone(), BRIDGES, ifname(bridge).to_vec()),
            (table, OWN, own.clone()),
        ]
    };
    all(table).into_iter().flat_map(of).collect()
}

/// To one of the host's own addresses, on a published port.
fn dnat() -> Vec<(&'static str, Rule)> {
    let on = Rule::new()
        .daddr_is_local()
        .load_daddr(REG1)
        .load_meta(MetaKey::L4Proto, REG1_WORD1);
    let any = Rule::new()
        .daddr_is_local()
        .load_meta(MetaKey::L4Proto, REG1);
    vec![
        (
            "fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @ports_on",
            on.load_dport(REG1_WORD2).map(PORTS_ON).dnat(),
        ),
        (
            "fib daddr type local dnat ip to meta l4proto . th dport map @ports",
            any.load_dport(REG1_WORD1).map(PORTS).dnat(),
        ),
    ]
}

fn chains() -> Vec<Hooked> {
    let rule = Rule::new;
    vec![
        // route_localnet on a bridge makes 127/8 an address like any other to it: nothing may come to it, or
        // pretend to come from it, but through lo (CVE-2020-8558). Before conntrack, at raw.
        Hooked {
            name: "raw",
            kind: "filter",
            hook: InetHookNumber::PreRouting,
            priority: -300,
            rules: vec![
                (
                    "iifname != \"lo\" ip daddr 127.0.0.0/8 drop",
                    rule().iifname_is_not("lo").daddr_is_loopback().drop(),
                ),
                (
                    "iifname != \"lo\" ip saddr 127.0.0.0/8 drop",
                    rule().iifname_is_not("lo").saddr_is_loopback().drop(),
                ),
            ],
        },
        Hooked {
            name: "prerouting",
            kind: "nat",
            hook: InetHookNumber::PreRouting,
            priority: -100,
            rules: dnat(),
        },
        Hooked {
            name: "output",
            kind: "nat",
            hook: InetHookNumber::LocalOut,
            priority: -100,
            rules: dnat(),
        },
        Hooked {
            name: "postrouting",
            kind: "nat",
            hook: InetHookNumber::PostRouting,
            priority: 100,
            rules: masquerades(),
        },
        forward(),
    ]
}

/// The same judgement over IPv6, where nothing is translated.
fn chains_over_ipv6() -> Vec<Hooked> {
    vec![forward()]
}

fn forward() -> Hooked {
    Hooked {
        name: "forward",
        kind: "filter",
        hook: InetHookNumber::Forward,
        priority: 0,
        rules: doors(),
    }
}

fn masquerades() -> Vec<(&'static str, Rule)> {
    let rule = Rule::new;
    vec![
        (
            "iifname @bridges oifname != @bridges masquerade",
            rule()
                .iifname_in(BRIDGES, true)
                .oifname_in(BRIDGES, false)
                .masquerade(),
        ),
        // From 127.0.0.1 through a published port: the container could not answer that address.
        (
            "ip saddr 127.0.0.0/8 oifname @bridges masquerade",
            rule()
                .saddr_is_loopback()
                .oifname_in(BRIDGES, true)
                .masquerade(),
        ),
        // A container through the host's port to itself or its neighbour, who would answer directly.
        (
            "iifname @bridges oifname @bridges ct status dnat masquerade",
            rule()
                .iifname_in(BRIDGES, true)
                .oifname_in(BRIDGES, true)
                .is_dnat()
                .masquerade(),
        ),
        // The same under br_netfilter, which calls this hook for bridged frames without a word on
        // where they came in; see `bridge::Hairpin` for the other half.
        (
            "iif 0 fib saddr type != local oifname @bridges ct status dnat masquerade",
            rule()
                .iif_is_unknown()
                .saddr_is_not_local()
                .oifname_in(BRIDGES, true)
                .is_dnat()
                .masquerade(),
        ),
    ]
}

/// To a container: answers, what is published, and its own network. Nothing else that is routed.
fn doors() -> Vec<(&'static str, Rule)> {
    let rule = Rule::new;
    vec![
        (
            "oifname @bridges ct state established,related accept",
            rule().oifname_in(BRIDGES, true).is_established().accept(),
        ),
        (
            "oifname @bridges ct status dnat accept",
            rule().oifname_in(BRIDGES, true).is_dnat().accept(),
        ),
        (
            "iifname . oifname @own accept",
            rule()
                .load_meta(MetaKey::Iifname, REG1)
                .load_meta(MetaKey::Oifname, REG2)
                .in_set(OWN, true)
                .accept(),
        ),
        (
            "oifname @bridges drop",
            rule().oifname_in(BRIDGES, true).drop(),
        ),
    ]
}

/// Makes the whole table, or fails with `EEXIST` if it is there.
pub fn create(batch: &mut Batch, table: &Table) {
    for part in parts(table) {
        batch.create_table(&part.table);
        for set in part.sets {
            batch.add_set(&part.table, set);
        }
        rules::add(batch, &part.table, part.chains);
    }
}

/// The same for `nft -f -`, each line with its end.
pub fn create_text(table: &Table) -> String {
    let mut text = String::new();
    for part in parts(table) {
        let table = &part.table;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "create table {table}");
        for set in part.sets {
            let _ = writeln!(text, "{}", set_text(table, set));
        }
        text += &rules::text(table, &part.chains);
    }
    text
}

fn set_text(table: &Table, set: &Set<'_>) -> String {
    let types = |types: &[Type]| {
        let names: Vec<&str> = types.iter().map(|it| it.name()).collect();
        names.join(" . ")
    };
    let (name, key) = (set.name, types(set.key));
    if set.data.is_empty() {
        return format!("add set {table} {name} {{ type {key}; }}");
    }
    format!(
        "add map {table} {name} {{ type {key} : {}; }}",
        types(set.data)
    )
}

/// Whether all of it is there: another program may have flushed a chain or deleted a table.
pub fn is_whole(nft: &Nft, table: &Table) -> Result<bool, BridgeError> {
    let there = present(nft, table)?;
    for part in parts(table) {
        if !there.contains(&part.table) {
            return Ok(false);
        }
        let sets = nft.sets(&part.table)?;
        let has_sets = part
            .sets
            .iter()
            .all(|set| sets.iter().any(|it| it == set.name));
        if !has_sets || !rules::are_whole(nft, &part.table, &part.chains)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes it anew with the elements that are left, in one transaction but for very many ports.
pub fn rebuild(nft: &Nft, table: &Table) -> Result<(), BridgeError> {
    // A message that the socket's buffer cannot hold is refused whole.
    const AT_ONCE: usize = 400;
    let mut left: Vec<(Table, &'static str, Element)> = Vec::new();
    for part in parts(table) {
        for set in part.sets {
            for element in nft.elements(&part.table, set.name)? {
                left.push((part.table.clone(), set.name, element));
            }
        }
    }
    let mut batch = Batch::new();
    for there in present(nft, table)? {
        batch.del_table(&there);
    }
    create(&mut batch, table);
    for (number, (table, set, element)) in left.iter().enumerate() {
        batch.add_element(table, set, &element.key, element.data.as_deref());
        if number % AT_ONCE == AT_ONCE - 1 {
            nft.commit(std::mem::take(&mut batch))?;
        }
    }
    Ok(nft.commit(batch)?)
}

/// The names of links that are elements of a set.
pub(crate) fn names(elements: &[Element]) -> Vec<String> {
    let name = |element: &Element| {
        let name = String::from_utf8_lossy(&element.key);
        name.trim_end_matches('\0').to_owned()
    };
    elements.iter().map(name).collect()
}

/// Puts a bridge in, or takes it out.
pub fn bridge_text(verb: &str, table: &Table, bridge: &str) -> String {
    let mut text = String::new();
    for table in all(table) {
        let _ = writeln!(text, "{verb} element {table} {BRIDGES} {{ \"{bridge}\" }}");
        let _ = writeln!(
            text,
            "{verb} element {table} {OWN} {{ \"{bridge}\" . \"{bridge}\" }}"
        );
    }
    text
}
