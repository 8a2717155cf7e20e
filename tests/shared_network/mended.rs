//! What a shared network bears: other programs' flushes, killed scripts, other instances, gc at any moment.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use kit_net::Nft;
use kit_plan::{Context, Header, Journal, Mark, Roots, Silent};
use kit_test::{own_netns, sh};
use kit_undo::Kernel;
use rbridge::Place;
use rbridge::network::{Dir, ensure, preview, remove};

use crate::{container, roots, started, started_on};

const PORT: &str = "elements = { tcp . 8080 : 172.30.0.2 . 80 }";

/// A reload of firewalld flushes all rules.
#[test]
fn what_another_program_flushed_comes_back_from_the_records() {
    own_netns();
    let room = kit_test::Room::new();
    let roots = Roots::at(room.path("root"), room.path("run"));
    roots.prepare().unwrap();
    let (_journal, _cx) = started(&roots);
    let table = roots.instance.name();
    let whole = sh("nft -s list ruleset");
    assert!(whole.contains(PORT), "{whole}");
    assert_eq!(room.ok("rbridge list 2>&1 >/dev/null"), "");
    for harm in [
        "nft flush ruleset".to_owned(),
        format!("nft flush table ip {table}"),
        format!("nft delete table ip6 {table}"),
        format!("nft flush chain ip {table} prerouting"),
        format!("nft flush map ip {table} ports"),
        format!("nft flush set ip6 {table} own"),
        format!("nft 'add element ip {table} ports {{ tcp . 9999 : 172.30.0.77 . 80 }}'"),
    ] {
        sh(&harm);
        assert_ne!(sh("nft -s list ruleset"), whole, "{harm}");
        let told = room.ok("rbridge list 2>&1 >/dev/null");
        assert!(told.ends_with("hint: rbridge repair\n"), "{harm}: {told}");
        assert_ne!(room.ok("rbridge repair"), "", "{harm}");
        let sorted =
            |text: String| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
        assert_eq!(
            sorted(sh("nft -s list ruleset")),
            sorted(whole.clone()),
            "{harm}"
        );
        assert_eq!(
            room.ok("rbridge repair; rbridge list 2>&1 >/dev/null"),
            "",
            "{harm}"
        );
        // The script does it too.
        sh(&harm);
        sh(&room.ok("rbridge repair --dry-run"));
        assert_eq!(room.ok("rbridge list 2>&1 >/dev/null"), "", "{harm}");
    }
}

/// The kernel remembers for a client of UDP where its first packet went, with the rules or without.
#[test]
fn a_udp_client_that_sent_while_its_port_was_flushed_is_heard_once_it_is_repaired() {
    own_netns();
    let room = kit_test::Room::new();
    let roots = Roots::at(room.path("root"), room.path("run"));
    roots.prepare().unwrap();
    let (_journal, _cx) = started_on(&roots, "5353/udp");
    // Somebody else's rule keeps the kernel tracking.
    let flush = "nft flush ruleset; nft 'add table ip other
        add chain ip other out { type filter hook output priority 0; }
        add rule ip other out ct state new accept'";
    let stale = format!(
        "nft 'add element ip {} ports {{ udp . 9999 : 172.30.0.77 . 80 }}'",
        roots.instance.name()
    );
    // Without conntrack(8) a script leaves the flows until they time out.
    let has_conntrack = Command::new("conntrack").arg("--version").output().is_ok();
    for (harm, port, after) in [(flush, 5353_u16, "1\n"), (stale.as_str(), 9999, "0\n")] {
        for by_script in [false, true] {
            let when = format!("{harm}, by script: {by_script}");
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            let from = client.local_addr().unwrap().port();
            let asks = || client.send_to(b"ask", ("127.0.0.1", port)).unwrap();
            let flows = |more: &str| {
                let flow = format!("sport={from} dport={port} {more}");
                sh(&format!(
                    "grep -c '{flow}' /proc/thread-self/net/nf_conntrack || :"
                ))
            };
            sh(harm);
            asks();
            assert_eq!(flows(""), "1\n", "{when}");
            if by_script {
                let script = room.ok("rbridge repair --dry-run");
                let forgets = format!(" -D -p udp --orig-port-dst {port} ");
                assert_eq!(script.matches(&forgets).count(), 1, "{when}: {script}");
                sh(&script);
            } else {
                room.ok("rbridge repair");
            }
            if has_conntrack || !by_script {
                assert_eq!(flows(""), "0\n", "{when}");
                asks();
                assert_eq!(flows(".*src=172.30.0.2 "), after, "{when}");
            }
        }
    }
}

/// A script that was killed has no monitor to take its port back.
#[test]
fn a_port_that_leads_to_no_container_is_in_nobodys_way() {
    own_netns();
    let (_dir, roots) = roots();
    let nft = Nft::open().unwrap();
    let network = ensure(&roots, &nft).unwrap();
    std::fs::write(Dir::new(&roots, "bridge").member("other"), b"").unwrap();
    let left = format!(
        "nft 'add element ip {} ports {{ tcp . 8080 : 172.30.0.9 . 80 }}'",
        roots.instance.name()
    );
    sh(&left);
    let (journal, _cx) = started(&roots);
    assert!(sh("nft list ruleset").contains(PORT));
    drop(journal);
    // Nor does gc leave it, while other containers run.
    let (_dir, roots) = self::roots();
    ensure(&roots, &nft).unwrap();
    std::fs::write(Dir::new(&roots, "bridge").member("other"), b"").unwrap();
    let net = ensure(&roots, &nft).unwrap().gateway.to_string();
    assert_ne!(net, network.gateway.to_string());
    sh(&format!(
        "nft 'add element ip {} ports {{ tcp . 8081 : {} . 80 }}'",
        roots.instance.name(),
        net.replace(".0.1", ".0.9")
    ));
    assert!(!remove(&roots, &nft, "bridge").unwrap());
    assert!(!sh("nft list ruleset").contains("8081"));
}

#[test]
fn a_container_does_not_take_a_port_that_another_instance_published() {
    own_netns();
    let room = kit_test::Room::new();
    room.ok("rbridge add br0 --addr 10.77.0.1/24; rbridge nat br0 on; rbridge publish 8080:10.77.0.2:80");
    let (_dir, roots) = roots();
    let mark = Mark::new(roots.instance.clone());
    let mut journal = Journal::in_memory(Header::new(&mark, "test").unwrap());
    let failed = container(&roots)
        .apply(
            &mut Context::new(mark),
            &mut journal,
            &Kernel::new(),
            &mut Silent,
        )
        .unwrap_err();
    let holder = room.ok("rbridge show br0 --json | grep -o 'boxkit-[0-9a-f]*'");
    assert_eq!(
        failed.to_string(),
        format!(
            "publishing port \"8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" of instance \"{}\" has it",
            holder.trim()
        )
    );
}

/// Whoever made the tables is not the only one in them.
#[test]
fn undoing_a_nat_leaves_what_others_put_in_since() {
    own_netns();
    let room = kit_test::Room::new();
    let roots = Roots::at(room.path("root"), room.path("run"));
    roots.prepare().unwrap();
    room.ok("rbridge add br0 --addr 10.77.0.1/24; rbridge add br1 --addr 10.78.0.1/24");
    let on = |bridge: &str| {
        let mark = Mark::new(roots.instance.clone());
        let mut journal = Journal::in_memory(Header::new(&mark, "test").unwrap());
        let plan = rbridge::nat::on_plan(&roots.instance, &Place::default(), bridge).unwrap();
        plan.apply(
            &mut Context::new(mark),
            &mut journal,
            &Kernel::new(),
            &mut Silent,
        )
        .unwrap();
        journal
    };
    let mut first = on("br0");
    room.ok("rbridge nat br1 on; rbridge publish 8080:10.78.0.2:80");
    first.rollback(&Kernel::new(), &mut Silent);
    let left = sh("nft list ruleset");
    for kept in ["8080", "\"br1\"", "table ip6", "oifname @bridges drop"] {
        assert!(left.contains(kept), "{kept}: {left}");
    }
    assert!(!left.contains("\"br0\""), "{left}");
    // Alone, it takes the tables along.
    room.ok("rbridge nat br1 off");
    on("br0").rollback(&Kernel::new(), &mut Silent);
    assert!(!sh("nft list tables").contains(&roots.instance.name()));
}

/// As docker's `--bip`.
#[test]
fn the_containers_network_can_be_chosen() {
    own_netns();
    let room = kit_test::Room::new();
    let roots = Roots::at(room.path("root"), room.path("run"));
    roots.prepare().unwrap();
    let nft = Nft::open().unwrap();
    let gateway = "rbridge default --json | grep -o '\"gateway\": .*'";
    assert_eq!(room.ok(gateway), "\"gateway\": \"172.30.0.1/16\",\n");
    room.ok("rbridge default --addr 10.9.0.1/20");
    assert_eq!(
        ensure(&roots, &nft).unwrap().gateway_cidr().to_string(),
        "10.9.0.1/20"
    );
    assert!(remove(&roots, &nft, "bridge").unwrap());
    assert_eq!(
        room.ok(gateway),
        "\"gateway\": \"10.9.0.1/20\",\n",
        "it stays chosen"
    );
    sh("ip route add 10.0.0.0/8 dev lo");
    assert_eq!(
        preview(&roots).unwrap_err().to_string(),
        "choosing 10.9.0.1/20 for the containers' network: it clashes with 10.0.0.0/8 of this host"
    );
    room.ok("rbridge default --auto");
    assert_eq!(
        preview(&roots).unwrap().subnet().to_string(),
        "172.30.0.0/16"
    );
    // An address of /0, which ip(8) takes, is no reason to have no network.
    sh("ip link add odd type bridge; ip addr add 10.200.0.1/0 dev odd");
    assert_eq!(
        preview(&roots).unwrap().subnet().to_string(),
        "172.30.0.0/16"
    );
}

/// Gc may remove the network at any moment of a start.
#[test]
fn joining_beside_removing_always_works() {
    own_netns();
    let (_dir, roots) = roots();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Threads are in the namespace of the one that starts them.
        let remover = scope.spawn(|| {
            let nft = Nft::open().unwrap();
            let mut removed = 0;
            while !done.load(Ordering::Relaxed) {
                removed += usize::from(remove(&roots, &nft, "bridge").unwrap());
            }
            removed
        });
        let stop = Stop(&done);
        for _ in 0..30 {
            let (mut journal, _cx) = started(&roots);
            assert!(journal.rollback(&Kernel::new(), &mut Silent).is_empty());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        drop(stop);
        assert!(remover.join().unwrap() > 5, "it was removed now and then");
    });
}

/// Ends the other thread when this one fails too.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
