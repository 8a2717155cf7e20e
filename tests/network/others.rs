//! Who else is on the host: other bridges, IPv6, clients of UDP that came too early.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kit_net::Nft;
use kit_test::{own_netns, sh, skip};
use rbridge::network::{ensure, preview, remove};

use crate::{Machine, rbridge, roots};

/// With br_netfilter on, the guard of forwarding sees what other bridges pass on.
#[test]
fn other_bridges_pass_frames_as_before_and_route_none() {
    const CALL: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    own_netns();
    if !std::path::Path::new(CALL).exists() {
        skip(
            "other_bridges_pass_frames_as_before_and_route_none",
            "br_netfilter is not loaded",
        );
        return;
    }
    sh(&format!("echo 1 >{CALL}"));
    let (dir, _) = roots();
    let (one, two, three) = (Machine::new(), Machine::new(), Machine::new());
    rbridge(&dir, "add br8 --addr 10.8.0.1/24");
    rbridge(&dir, "add br9 --addr 10.9.0.1/24");
    one.cable("v1", "10.9.0.2/24", "10.9.0.1");
    two.cable("v2", "10.9.0.3/24", "10.9.0.1");
    three.cable("v3", "10.8.0.2/24", "10.8.0.1");
    rbridge(&dir, "attach br9 v1 v2");
    rbridge(&dir, "attach br8 v3");
    two.serves("0.0.0.0:90", "neighbour");
    three.serves("0.0.0.0:90", "stranger");
    let (neighbour, stranger) = ("10.9.0.3:90", "10.8.0.2:90");
    assert!(one.asks(neighbour).is_some());
    assert!(one.asks_in_vain(stranger), "nothing is routed yet");
    rbridge(&dir, "add br0 --addr 10.77.0.1/24");
    rbridge(&dir, "nat br0 on");
    assert_eq!(sh("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
    assert_eq!(one.asks(neighbour).as_deref(), Some("neighbour 10.9.0.2"));
    assert!(
        one.asks_in_vain(stranger),
        "what was not forwarded before is not now"
    );
    sh("nft delete table ip boxkit-forward");
    assert!(one.asks(stranger).is_some(), "the guard it was");
}

/// Over IPv6 the doors are as closed as over IPv4.
#[test]
fn over_ipv6_nobody_comes_in_by_the_back_door() {
    own_netns();
    let (dir, _) = roots();
    let (inside, neighbour, outside) = (Machine::new(), Machine::new(), Machine::new());
    rbridge(&dir, "add br0 --addr 10.77.0.1/24 --addr fd77::1/64");
    sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    for (machine, link, n) in [(&inside, "v0", 2), (&neighbour, "v1", 3)] {
        machine.cable(link, &format!("10.77.0.{n}/24"), "10.77.0.1");
        machine.sh(&format!(
            "ip addr add fd77::{n}/64 dev eth0 nodad; ip route add default via fd77::1"
        ));
        rbridge(&dir, &format!("attach br0 {link}"));
        machine.serves("[::]:80", "page");
    }
    outside.cable("o0", "10.88.0.2/24", "10.88.0.1");
    outside.sh("ip addr add fd88::2/64 dev eth0 nodad; ip route add default via fd88::1");
    sh(
        "ip addr add 10.88.0.1/24 dev o0; ip addr add fd88::1/64 dev o0 nodad; until ! ip -6 addr show dev br0 | grep -q tentative; do sleep 0.1; done",
    );
    outside.serves("[::]:90", "world");
    assert!(outside.asks("[fd77::2]:80").is_some(), "it is a router");
    rbridge(&dir, "nat br0 on");
    assert!(outside.asks_in_vain("[fd77::2]:80"));
    assert!(outside.asks_in_vain("10.77.0.2:80"));
    assert!(inside.asks("[fd88::2]:90").is_some(), "answers come in");
    assert!(
        inside.asks("[fd77::3]:80").is_some(),
        "its own network does"
    );
    rbridge(&dir, "nat br0 off");
    assert_eq!(sh("nft list tables"), "");
}

/// The kernel remembers for a client of UDP that nobody was there.
#[test]
fn a_udp_client_that_came_too_early_is_heard_once_the_port_is_published() {
    own_netns();
    let (dir, _) = roots();
    let (inside, outside) = (Machine::new(), Machine::new());
    rbridge(&dir, "add br0 --addr 10.77.0.1/24");
    inside.cable("v0", "10.77.0.2/24", "10.77.0.1");
    rbridge(&dir, "attach br0 v0");
    outside.cable("o0", "10.88.0.2/24", "10.88.0.1");
    sh("ip addr add 10.88.0.1/24 dev o0");
    rbridge(&dir, "nat br0 on");
    let server = inside.does(|| UdpSocket::bind("0.0.0.0:53").unwrap());
    let client = outside.does(|| UdpSocket::bind("0.0.0.0:4000").unwrap());
    for socket in [&server, &client] {
        let patience = Some(Duration::from_secs(2));
        socket.set_read_timeout(patience).unwrap();
    }
    // Its packets keep the memory alive.
    let asks = || drop(client.send_to(b"ask", "10.88.0.1:5353"));
    let mut buffer = [0; 16];
    let flow = "grep -c 'dport=5353' /proc/thread-self/net/nf_conntrack || :";
    for _ in 0..2 {
        asks();
        assert_eq!(sh(flow), "1\n", "the memory is there");
        rbridge(&dir, "publish 5353:10.77.0.2:53/udp");
        assert_eq!(sh(flow), "0\n");
        asks();
        let (_, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(from.to_string(), "10.88.0.2:4000");
        // And for one that goes on sending when the port is another's.
        rbridge(&dir, "unpublish 5353/udp");
        assert_eq!(sh(flow), "0\n");
    }
    // A flow that merely passes this host by has nothing to do with it.
    sh("echo 1 >/proc/sys/net/ipv4/ip_forward; nft delete table ip boxkit-forward");
    inside.does(|| {
        UdpSocket::bind("0.0.0.0:5354")
            .unwrap()
            .send_to(b"x", "10.88.0.2:5353")
            .unwrap()
    });
    rbridge(&dir, "publish 5353:10.77.0.2:53/udp");
    assert_eq!(sh(flow), "1\n");
}

/// The bridge of this network is no stranger, also when another process has just made it or is about to remove it.
#[test]
fn a_network_that_comes_and_goes_has_the_same_addresses() {
    own_netns();
    let (_dir, roots) = roots();
    let wanted = preview(&roots).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..60 {
                let nft = Nft::open().unwrap();
                ensure(&roots, &nft).unwrap();
                remove(&roots, &nft, "bridge").unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) {
            assert_eq!(preview(&roots).unwrap().gateway, wanted.gateway);
        }
    });
}
