//! The command `rbridge`, each test in a network namespace that dies with its thread, with roots of its own.
//! Asserted through ip(8) and nft(8); the paths of packets are in `network.rs`.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod bridge;
mod flows;
mod library;
mod names;
mod refusals;

use std::process::Output;

use kit_test::{Room, own_netns, replay};
use serde_json::Value;

/// A host of our own: what this thread starts is in it.
struct Host(Room);

impl Host {
    fn new() -> Self {
        own_netns();
        Self(Room::new())
    }

    fn command(&self, program: &str, args: &[&str]) -> Output {
        self.0.command(program).args(args).output().unwrap()
    }

    fn rbridge(&self, args: &str) -> Output {
        let words: Vec<&str> = args.split(' ').collect();
        self.command("rbridge", &words)
    }

    /// Its output, if it went well.
    fn ok(&self, args: &str) -> String {
        let out = self.rbridge(args);
        assert!(
            out.status.success(),
            "{args}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    /// Its exit code and what it said, if it did not.
    fn fails(&self, args: &str) -> (i32, String) {
        let out = self.rbridge(args);
        assert_eq!(out.stdout, b"", "{args}");
        (
            out.status.code().unwrap(),
            String::from_utf8(out.stderr).unwrap(),
        )
    }

    fn sh(&self, script: &str) -> String {
        self.0.ok(script)
    }

    fn json(&self, command: &str) -> Value {
        let text = self.sh(command);
        serde_json::from_str(if text.trim().is_empty() { "[]" } else { &text }).unwrap()
    }

    /// Links with their addresses, the ruleset, the sysctls that we touch; `replay` says what is left out.
    fn state(&self) -> Value {
        let mut links = self.json("ip -j -d addr show");
        replay::forget_links(&mut links, &[]);
        let mut rules = self.json("nft -j list ruleset");
        replay::forget_rules(&mut rules);
        let sysctls = self.sh("cd /proc/sys/net; cat ipv4/ip_forward; grep . \\
             ipv4/conf/*/route_localnet ipv4/conf/*/accept_redirects \\
             ipv6/conf/*/accept_ra ipv6/conf/*/accept_redirects ipv6/conf/*/disable_ipv6");
        serde_json::json!({ "links": links, "rules": rules, "sysctls": sysctls })
    }
}

#[test]
fn a_script_leaves_what_the_command_leaves() {
    let verbs = [
        "add br0 --addr 10.77.0.1/24 --addr fd77::1/64",
        "attach br0 v0",
        "nat br0 on",
        "nat br0 on",
        "publish 8080:10.77.0.2:80",
        "publish 127.0.0.1:53:10.77.0.2:53/udp",
        "set br0 --addr 10.79.0.1/24 --del-addr fd77::1/64",
        "unpublish 127.0.0.1:53/udp",
        "add br1 --addr 10.78.0.1/24",
        "nat br1 on",
        "publish 81:10.78.0.2:80",
        "nat br1 off",
        "nat br0 off",
        "nat br0 on",
        "detach v0",
        "set br1 --addr fd78::1/64 --addr fd79::1/64",
        "del br0",
    ];
    let host = Host::new();
    let states = |act: &dyn Fn(&str)| -> Vec<Value> {
        host.sh("ip link add v0 type veth peer name v1; ip link set v1 up");
        let after = |verb: &&str| {
            act(verb);
            host.state()
        };
        verbs.iter().map(after).collect()
    };
    let ours = states(&|verb| drop(host.ok(verb)));
    own_netns();
    let scripts = states(&|verb| {
        let before = host.state();
        let script = host.ok(&format!("{verb} --dry-run"));
        assert_eq!(
            host.state(),
            before,
            "a dry run of {verb} changed something"
        );
        drop(host.sh(&script));
    });
    for ((verb, ours), scripts) in verbs.iter().zip(&ours).zip(&scripts) {
        assert_eq!(ours, scripts, "after {verb}");
    }
    // And the comparison is not of nothing.
    assert!(ours[4].to_string().contains("10.77.0.2"), "{}", ours[4]);
    let sysctls = ours[2]["sysctls"].as_str().unwrap();
    assert!(
        sysctls.starts_with("1\n") && sysctls.contains("conf/br0/route_localnet:1\n"),
        "{sysctls}"
    );
    assert!(ours[16]["sysctls"].as_str().unwrap().starts_with("0\n"));
    assert!(!ours[16].to_string().contains("boxkit"), "{}", ours[16]);
}

#[test]
fn a_failed_nat_takes_everything_back() {
    let host = Host::new();
    host.ok("add br0 --addr 10.77.0.1/24");
    let before = host.state();
    // A table in the guard's place that our element does not fit into: the second step fails.
    host.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; nft add table ip boxkit-forward");
    let with_table = host.state();
    let (code, said) = host.fails("nat br0 on");
    assert_eq!(code, 1);
    assert!(
        said.starts_with("rbridge: adding an element to nft set \"ip boxkit-forward bridges\": "),
        "{said}"
    );
    assert_eq!(host.state(), with_table);
    host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward; nft delete table ip boxkit-forward");
    assert_eq!(host.state(), before);
}
