//! Against the running kernel, each test in a network namespace of its own that dies with its thread, and
//! asserted through ip(8) and nft(8).

#![allow(clippy::unwrap_used)] // a test may

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;

use kit_net::nft::expr::{MetaKey, REG1, REG1_WORD1, Rule};
use kit_net::nft::{Chain, Concat, Family, Set, Table, Type, Watch, ifname};
use kit_net::rtnetlink::{LinkBridge, LinkUnspec, LinkVeth};
use kit_net::{Batch, NetError, Netlink, Nft};
use netlink_packet_netfilter::nftables::InetHookNumber;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

/// Puts the calling thread, and what it starts, into a new namespace.
fn own_netns() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
}

fn json(command: &str) -> Value {
    let out = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(
        out.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn inode() -> String {
    std::fs::read_link("/proc/thread-self/ns/net")
        .unwrap()
        .display()
        .to_string()
}

#[test]
fn a_bridge_with_an_address_and_a_port() {
    own_netns();
    let nl = Netlink::open().unwrap();
    nl.add_link(LinkBridge::new("br0").link_group(0x626b).build())
        .unwrap();
    let bridge = nl.need_link("br0").unwrap();
    assert_eq!(
        (bridge.kind.as_deref(), bridge.group, bridge.up),
        (Some("bridge"), 0x626b, true)
    );
    nl.add_addr(bridge.index, "10.9.0.1/24".parse().unwrap())
        .unwrap();
    // One message: the pair, its host end up and on the bridge.
    let pair = LinkVeth::new("va", "vb")
        .up()
        .controller(bridge.index)
        .link_group(7)
        .build();
    nl.add_link(pair).unwrap();
    let (a, b) = (nl.need_link("va").unwrap(), nl.need_link("vb").unwrap());
    assert_eq!(
        (a.peer, a.master, a.group),
        (Some(b.index), Some(bridge.index), 7)
    );
    nl.set_up(b.index).unwrap();
    nl.set_alias(a.index, "web").unwrap();

    let shown = &json("ip -d -j addr show br0")[0];
    assert_eq!(shown["linkinfo"]["info_kind"], "bridge");
    assert_eq!(shown["addr_info"][0]["local"], "10.9.0.1");
    assert!(shown["addr_info"][0]["broadcast"].is_null(), "{shown}");
    let shown = &json("ip -d -j link show va")[0];
    assert_eq!(
        (&shown["master"], &shown["ifalias"]),
        (&Value::from("br0"), &Value::from("web"))
    );

    nl.set_master(a.index, 0).unwrap();
    assert!(json("ip -j link show va")[0]["master"].is_null());
    nl.add_default_route("10.9.0.254".parse().unwrap(), bridge.index, false)
        .unwrap();
    assert_eq!(json("ip -j route show default")[0]["gateway"], "10.9.0.254");
    let routes = nl.routes().unwrap();
    assert!(
        routes
            .iter()
            .any(|route| route.is_default() && route.out == Some(bridge.index))
    );
    assert!(
        routes
            .iter()
            .any(|route| route.to.to_string() == "10.9.0.0/24")
    );
    nl.del_addr(bridge.index, "10.9.0.1/24".parse().unwrap())
        .unwrap();
    assert!(
        nl.addrs(bridge.index)
            .unwrap()
            .iter()
            .all(|addr| addr.cidr.addr.is_ipv6())
    );
    nl.del_link(bridge.index).unwrap();
    assert_eq!(nl.link("br0").unwrap(), None);
    assert_eq!(
        nl.links().unwrap().len(),
        json("ip -j link").as_array().unwrap().len()
    );
}

#[test]
fn refusals_say_what_the_kernel_says() {
    own_netns();
    let nl = Netlink::open().unwrap();
    nl.add_link(LinkBridge::new("br0").build()).unwrap();
    let twice = nl.add_link(LinkBridge::new("br0").build()).unwrap_err();
    assert_eq!(twice.to_string(), "creating link \"br0\": File exists");
    let bridge = nl.need_link("br0").unwrap();
    let lo = nl.need_link("lo").unwrap();
    let refused = nl.set_master(lo.index, bridge.index).unwrap_err();
    assert!(refused.is(Errno::EINVAL), "{refused}");
    let small = nl
        .set_link(LinkUnspec::new_with_index(bridge.index).mtu(1).build())
        .unwrap_err();
    assert_eq!(
        small.to_string(),
        "changing link \"br0\": mtu less than device minimum (Invalid argument)"
    );
    let long = nl
        .add_link(LinkBridge::new("br-0123456789abc").build())
        .unwrap_err();
    assert!(matches!(long, NetError::BadName { .. }), "{long}");
    assert_eq!(
        nl.need_link("nope").unwrap_err().to_string(),
        "finding link \"nope\": no such link"
    );
}

#[test]
fn a_socket_of_another_namespace_and_the_way_back() {
    own_netns();
    let there = File::open("/proc/thread-self/ns/net").unwrap();
    Netlink::open()
        .unwrap()
        .add_link(LinkBridge::new("there").build())
        .unwrap();
    own_netns();
    let here = inode();
    let nl = Netlink::open_in(there.as_fd()).unwrap();
    assert!(nl.link("there").unwrap().is_some());
    assert_eq!(inode(), here);
    assert_eq!(Netlink::open().unwrap().link("there").unwrap(), None);
    // The way back is taken after a failure too.
    let null = File::open("/dev/null").unwrap();
    let error = Netlink::open_in(null.as_fd()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "entering another network namespace: Invalid argument"
    );
    assert_eq!(inode(), here);
}

fn table() -> Table {
    Table::new(Family::Ip, "kit-test")
}

fn whole(table: &Table) -> Batch {
    let mut batch = Batch::new();
    batch.create_table(table);
    let ports = [Type::InetProto, Type::InetService];
    let to = [Type::Ipv4Addr, Type::InetService];
    batch.add_set(
        table,
        &Set {
            name: "ports",
            key: &ports,
            data: &to,
        },
    );
    batch.add_set(
        table,
        &Set {
            name: "bridges",
            key: &[Type::Ifname],
            data: &[],
        },
    );
    for (name, kind, hook, priority) in [
        ("raw", "filter", InetHookNumber::PreRouting, -300),
        ("pre", "nat", InetHookNumber::PreRouting, -100),
        ("out", "nat", InetHookNumber::LocalOut, -100),
        ("post", "nat", InetHookNumber::PostRouting, 100),
        ("onward", "filter", InetHookNumber::Forward, 0),
    ] {
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
    let dnat = || {
        let key = Rule::new()
            .daddr_is_local()
            .load_meta(MetaKey::L4Proto, REG1)
            .load_dport(REG1_WORD1);
        key.map("ports").dnat().build()
    };
    batch.add_rule(
        table,
        "raw",
        Rule::new()
            .iifname_is_not("lo")
            .daddr_is_loopback()
            .drop()
            .build(),
    );
    batch.add_rule(table, "pre", dnat());
    batch.add_rule(table, "out", dnat());
    batch.add_rule(
        table,
        "post",
        Rule::new()
            .saddr_is_loopback()
            .oifname_in("bridges", true)
            .masquerade()
            .build(),
    );
    batch.add_rule(
        table,
        "onward",
        Rule::new()
            .oifname_in("bridges", true)
            .is_established()
            .accept()
            .build(),
    );
    batch.add_rule(
        table,
        "onward",
        Rule::new()
            .oifname_in("bridges", false)
            .is_dnat()
            .accept()
            .build(),
    );
    batch.create_element(table, "bridges", &ifname("br0"), None);
    batch
}

const SAME_BY_NFT: &str = r#"table ip kit-test {
	map ports {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 : 172.30.0.2 . 80 }
	}
	set bridges { type ifname; elements = { "br0" }; }
	chain raw { type filter hook prerouting priority raw; iifname != "lo" ip daddr 127.0.0.0/8 drop; }
	chain pre { type nat hook prerouting priority dstnat; fib daddr type local dnat ip to meta l4proto . th dport map @ports; }
	chain out { type nat hook output priority -100; fib daddr type local dnat ip to meta l4proto . th dport map @ports; }
	chain post { type nat hook postrouting priority srcnat; ip saddr 127.0.0.0/8 oifname @bridges masquerade; }
	chain onward { type filter hook forward priority filter; oifname @bridges ct state established,related accept; oifname != @bridges ct status dnat accept; }
}"#;

fn port(number: u16) -> Vec<u8> {
    Concat::new().proto(6).port(number).bytes()
}

/// The ruleset without handles, which count what was ever made.
fn ruleset() -> Value {
    let mut all = json("nft -j list ruleset");
    for object in all["nftables"].as_array_mut().unwrap() {
        for inner in object.as_object_mut().unwrap().values_mut() {
            inner.as_object_mut().unwrap().remove("handle");
        }
    }
    all
}

#[test]
fn a_batch_leaves_what_nft_leaves() {
    own_netns();
    let nft = Nft::open().unwrap();
    nft.commit(whole(&table())).unwrap();
    let to = Concat::new()
        .addr(Ipv4Addr::new(172, 30, 0, 2))
        .port(80)
        .bytes();
    let mut batch = Batch::new();
    batch.create_element(&table(), "ports", &port(8080), Some(&to));
    nft.commit(batch).unwrap();
    let ours = ruleset();

    let element = nft
        .element(&table(), "ports", &port(8080))
        .unwrap()
        .unwrap();
    assert_eq!(element.data.as_deref(), Some(&to[..]));
    assert_eq!(nft.element(&table(), "ports", &port(8081)).unwrap(), None);
    let chains = nft.chains().unwrap();
    assert_eq!(chains.len(), 5);
    assert!(
        chains
            .iter()
            .any(|chain| chain.name == "raw" && chain.priority == -300 && !chain.policy_drop)
    );
    assert_eq!(nft.rules(&table(), "onward").unwrap().len(), 2);
    assert_ne!(nft.table(&table()).unwrap().unwrap().handle, 0);

    own_netns();
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut nft.stdin.take().unwrap(), SAME_BY_NFT.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success());
    assert_eq!(ours, ruleset());
}

#[test]
fn elements_go_and_a_refused_batch_changes_nothing() {
    own_netns();
    let nft = Nft::open().unwrap();
    let table = table();
    nft.commit(whole(&table)).unwrap();
    let to = Concat::new()
        .addr(Ipv4Addr::new(10, 0, 0, 2))
        .port(80)
        .bytes();
    let add = |number| {
        let mut batch = Batch::new();
        batch.create_element(&table, "ports", &port(number), Some(&to));
        batch
    };
    nft.commit(add(81)).unwrap();
    let taken = nft.commit(add(81)).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "adding an element to nft set \"ip kit-test ports\": File exists"
    );
    // The second message is wrong: the first must not have happened, and the error is about the second.
    let mut batch = add(82);
    batch.del_element(&table, "ports", &port(99));
    batch.create_element(&table, "ports", &port(83), Some(&to));
    let error = nft.commit(batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "removing an element from nft set \"ip kit-test ports\": No such file or directory"
    );
    assert_eq!(nft.elements(&table, "ports").unwrap().len(), 1);
    let mut batch = Batch::new();
    batch.del_element(&table, "ports", &port(81));
    nft.commit(batch).unwrap();
    let listed = json("nft -j list map ip kit-test ports");
    assert!(listed["nftables"][1]["map"]["elem"].is_null(), "{listed}");

    let mut batch = Batch::new();
    batch.create_table(&table);
    let twice = nft.commit(batch).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "creating nft table \"ip kit-test\": File exists"
    );
    let mut batch = Batch::new();
    batch.del_table(&table);
    nft.commit(batch).unwrap();
    assert_eq!(nft.tables().unwrap(), []);
    assert_eq!(nft.elements(&table, "ports").unwrap(), []);
}

#[test]
fn a_watch_hears_of_deletions_and_sleeps_through_elements() {
    own_netns();
    let nft = |script: &str| {
        let done = Command::new("nft").arg(script).status().unwrap();
        assert!(done.success(), "{script}");
    };
    nft("table ip t { set s { type ipv4_addr; }; chain c { counter; }; }; table ip other { }");
    let watch = Watch::open().unwrap();
    let is_woken = || {
        let mut fds = [PollFd::new(&watch, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    };
    // A container that starts, and one that ends.
    nft("add element ip t s { 10.0.0.1 }");
    nft("delete element ip t s { 10.0.0.1 }");
    assert!(!is_woken());
    nft("delete table ip other");
    assert!(is_woken() && !watch.has_lost("t") && !is_woken());
    for harm in ["flush chain ip t c", "add table ip new; flush ruleset"] {
        nft(harm);
        assert!(is_woken() && watch.has_lost("t"), "{harm}");
        assert!(!watch.has_lost("t"), "{harm}");
    }
}
