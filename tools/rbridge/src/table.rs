//! Our one nftables table of an instance: what is in it, as netlink messages and as text for nft(8).
//!
//! Everything that differs from bridge to bridge and from port to port is an element of a set or a map, so that
//! a packet's way through the rules is as long with one port as with ten thousand, and a change is one element.

use std::fmt::Write;

use kit_net::Batch;
use kit_net::nft::expr::{MetaKey, REG1, REG1_WORD1, REG1_WORD2, REG2, Rule};
use kit_net::nft::{Chain, Concat, Family, InetHookNumber, Set, Table, Type, ifname};
use kit_plan::Instance;

/// Ports published on every address of the host: `proto . port : address . port`.
pub const PORTS: &str = "ports";
/// Ports published on one address of the host: `address . proto . port : address . port`.
pub const PORTS_ON: &str = "ports_on";
/// The bridges that this instance translates for.
pub const BRIDGES: &str = "bridges";
/// Each of them with itself: who talks to whom when br_netfilter brings bridged frames to the forward hook.
pub const OWN: &str = "own";

pub fn table(instance: &Instance) -> Table {
    Table::new(Family::Ip, instance.name())
}

/// Whether it is named as [`Instance::name`] names them.
pub fn is_an_instances(table: &Table) -> bool {
    let hex = |text: &str| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    table.family == Family::Ip
        && (table.name == "boxkit" || table.name.strip_prefix("boxkit-").is_some_and(hex))
}

/// The key of a bridge in [`BRIDGES`] and in [`OWN`].
pub fn bridge_keys(bridge: &str) -> [(&'static str, Vec<u8>); 2] {
    [
        (BRIDGES, ifname(bridge).to_vec()),
        (OWN, Concat::new().ifname(bridge).ifname(bridge).bytes()),
    ]
}

/// The rules of one chain: each as nft(8) writes it, and built.
struct Hooked {
    name: &'static str,
    kind: &'static str,
    hook: InetHookNumber,
    hook_name: &'static str,
    priority: i32,
    rules: Vec<(&'static str, Rule)>,
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

fn chains() -> [Hooked; 5] {
    let rule = Rule::new;
    [
        // route_localnet on a bridge makes 127/8 an address like any other to it: nothing may come to it, or
        // pretend to come from it, but through lo (CVE-2020-8558). Before conntrack, at raw.
        Hooked {
            name: "raw",
            kind: "filter",
            hook: InetHookNumber::PreRouting,
            hook_name: "prerouting",
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
            hook_name: "prerouting",
            priority: -100,
            rules: dnat(),
        },
        Hooked {
            name: "output",
            kind: "nat",
            hook: InetHookNumber::LocalOut,
            hook_name: "output",
            priority: -100,
            rules: dnat(),
        },
        Hooked {
            name: "postrouting",
            kind: "nat",
            hook: InetHookNumber::PostRouting,
            hook_name: "postrouting",
            priority: 100,
            rules: masquerades(),
        },
        Hooked {
            name: "forward",
            kind: "filter",
            hook: InetHookNumber::Forward,
            hook_name: "forward",
            priority: 0,
            rules: doors(),
        },
    ]
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

const KEY: [Type; 2] = [Type::InetProto, Type::InetService];
const KEY_ON: [Type; 3] = [Type::Ipv4Addr, Type::InetProto, Type::InetService];
const TO: [Type; 2] = [Type::Ipv4Addr, Type::InetService];

/// Makes the whole table, or fails with `EEXIST` if it is there.
pub fn create(batch: &mut Batch, table: &Table) {
    batch.create_table(table);
    batch.add_set(
        table,
        &Set {
            name: PORTS,
            key: &KEY,
            data: &TO,
        },
    );
    batch.add_set(
        table,
        &Set {
            name: PORTS_ON,
            key: &KEY_ON,
            data: &TO,
        },
    );
    batch.add_set(
        table,
        &Set {
            name: BRIDGES,
            key: &[Type::Ifname],
            data: &[],
        },
    );
    batch.add_set(
        table,
        &Set {
            name: OWN,
            key: &[Type::Ifname, Type::Ifname],
            data: &[],
        },
    );
    let chains = chains();
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

/// The same for `nft -f -`.
pub fn create_text(table: &Table) -> String {
    let mut text = format!(
        "create table {table}
add map {table} {PORTS} {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map {table} {PORTS_ON} {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add set {table} {BRIDGES} {{ type ifname; }}
add set {table} {OWN} {{ type ifname . ifname; }}"
    );
    for chain in chains() {
        let Hooked {
            name,
            kind,
            hook_name,
            priority,
            ..
        } = chain;
        let _ = write!(
            text,
            "\nadd chain {table} {name} {{ type {kind} hook {hook_name} priority {priority}; }}"
        );
        for (rule, _) in chain.rules {
            let _ = write!(text, "\nadd rule {table} {name} {rule}");
        }
    }
    text
}

/// Puts a bridge in, or takes it out.
pub fn bridge_text(verb: &str, table: &Table, bridge: &str) -> String {
    format!(
        "{verb} element {table} {BRIDGES} {{ \"{bridge}\" }}\n{verb} element {table} {OWN} {{ \"{bridge}\" . \"{bridge}\" }}"
    )
}
