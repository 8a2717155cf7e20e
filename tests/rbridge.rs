//! The command `rbridge`, each test in a network namespace that dies with its thread, with roots of its own.
//! Asserted through ip(8) and nft(8); the paths of packets are in `network.rs`.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

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
        let sysctls = self.sh(
            "cd /proc/sys/net/ipv4; cat ip_forward; for f in conf/*/route_localnet; do echo $f; cat $f; done",
        );
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
        "unpublish 127.0.0.1:53/udp",
        "add br1 --addr 10.78.0.1/24",
        "nat br1 on",
        "publish 81:10.78.0.2:80",
        "nat br1 off",
        "nat br0 off",
        "nat br0 on",
        "detach v0",
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
        sysctls.starts_with("1\n") && sysctls.contains("conf/br0/route_localnet\n1\n"),
        "{sysctls}"
    );
    assert!(ours[14]["sysctls"].as_str().unwrap().starts_with("0\n"));
    assert!(!ours[14].to_string().contains("boxkit"), "{}", ours[14]);
}

#[test]
fn another_namespace_by_name() {
    let host = Host::new();
    let name = format!("rbt-{}", std::process::id());
    host.sh(&format!("ip netns add {name}"));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.ok(&format!("add br0 --addr 10.77.0.1/24 --netns {name}"));
        host.sh(&format!("ip -n {name} link add v0 type veth peer name v1; ip netns exec {name} sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'"));
        host.ok(&format!("attach br0@{name} v0"));
        host.ok(&format!("nat br0 on --netns {name}"));
        host.ok(&format!("publish 8080:10.77.0.2:80 --netns {name}"));
        let shown = host.ok(&format!("show br0 --netns {name} --jsonl"));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(
            (&shown["kind"], &shown["nat"], &shown["ports"][0]),
            (&"bridge".into(), &true.into(), &"v0".into())
        );
        assert_eq!(shown["published"][0], "8080:10.77.0.2:80/tcp");
        assert_eq!(host.sh("nft list ruleset"), "");
        assert_eq!(
            host.sh(&format!(
                "ip netns exec {name} cat /proc/sys/net/ipv4/ip_forward"
            )),
            "1\n"
        );
        // The script of another namespace works there too.
        host.sh(&host.ok(&format!("nat br0 off --netns {name} --dry-run")));
        assert_eq!(
            host.sh(&format!(
                "ip netns exec {name} cat /proc/sys/net/ipv4/ip_forward"
            )),
            "0\n"
        );
        host.ok(&format!("detach v0@{name}"));
        host.ok(&format!("del br0 --netns {name}"));
        host.sh("ip link add here type veth peer name there");
        host.ok("add br1");
        let (code, said) = host.fails(&format!("attach br1 v0@{name}"));
        assert_eq!(code, 1);
        assert!(said.starts_with(&format!(
            "rbridge: attaching link \"v0@{name}\" to bridge \"br1\": they are in different"
        )));
    }));
    host.sh(&format!("ip netns del {name}"));
    done.unwrap();
}

/// Verb, exit code, what is said. BUSY is a port that this process, NAME with PID ME, listens on.
const BAD: &[(&str, i32, &str)] = &[
    (
        "add br-0123456789abc",
        1,
        "naming link \"br-0123456789abc\": an interface name has at most 15 characters\n",
    ),
    (
        "add br0",
        1,
        "making bridge \"br0\": that name is taken\nhint: choose another; ip -d link show br0 tells what has it\n",
    ),
    (
        "add br9 --addr 10.0.0.1",
        2,
        "invalid value '10.0.0.1' for '--addr <CIDR>': reading address \"10.0.0.1\": it has no prefix length, such as /24\nhint: see rbridge add --help\n",
    ),
    (
        "add br9 --addr 10.9.0.1/24 --addr 10.9.0.1/24",
        1,
        "adding address \"10.9.0.1/24\" to link \"br9\": ",
    ),
    (
        "del nope",
        1,
        "finding bridge \"nope\": no such bridge\nhint: rbridge list shows them; rbridge add nope makes it\n",
    ),
    (
        "del v0",
        1,
        "using bridge \"v0\": it is a veth, not a bridge\n",
    ),
    (
        "show lo",
        1,
        "using bridge \"lo\": it is a loopback, not a bridge\n",
    ),
    (
        "attach br0 nope",
        1,
        "finding link \"nope\": no such link\nhint: ip link shows those that are there\n",
    ),
    (
        "attach br0 lo",
        1,
        "attaching link \"lo\" to bridge \"br0\": the kernel takes no such link as a port\nhint: a port is an Ethernet device: a loopback is none\n",
    ),
    (
        "attach br0 plain",
        1,
        "attaching link \"plain\" to bridge \"br0\": it is a bridge itself\nhint: a cable joins two bridges: rveth add, then attach an end to each\n",
    ),
    (
        "detach v0",
        1,
        "detaching link \"v0\": it is on no bridge\nhint: rbridge list shows which link is on which\n",
    ),
    (
        "nat plain on",
        1,
        "translating for bridge \"plain\": it has no IPv4 address to be the gateway\n",
    ),
    (
        "nat plain off",
        1,
        "switching translation for bridge \"plain\" off: it is not on\nhint: rbridge list shows where it is\n",
    ),
    (
        "publish 8080:10.77.0.3:80",
        1,
        "publishing port \"8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish 127.0.0.1:8080:10.77.0.3:80",
        1,
        "publishing port \"127.0.0.1:8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish BUSY:10.77.0.3:80",
        1,
        "publishing port \"BUSY/tcp\": \"NAME\" (PID ME) has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish 81:10.88.0.3:80",
        1,
        "publishing port \"81:10.88.0.3:80/tcp\": no bridge with translation on has 10.88.0.3 in its network\nhint: rbridge nat BRIDGE on\n",
    ),
    (
        "publish 192.0.2.9:81:10.77.0.3:80",
        1,
        "publishing port \"192.0.2.9:81/tcp\": Cannot assign requested address\nhint: the address before the port must be one of this host's\n",
    ),
    (
        "publish [::1]:81:10.77.0.3:80",
        2,
        "reading port \"[::1]:81:10.77.0.3:80\": the kernel cannot translate IPv6",
    ),
    (
        "publish 81",
        2,
        "reading port \"81\": it is [IP:]PORT:ADDRESS:PORT[/udp]\n",
    ),
    (
        "unpublish 9090",
        1,
        "unpublishing port \"9090\": it is not published\nhint: rbridge list shows those that are\n",
    ),
    (
        "list --netns nowhere",
        1,
        "opening network namespace \"nowhere\": no such namespace\n",
    ),
];

#[test]
fn what_goes_wrong_is_said_in_one_line_and_leaves_nothing() {
    let host = Host::new();
    host.sh("ip link add v0 type veth peer name v1");
    host.ok("add plain");
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    host.ok("publish 8080:10.77.0.2:80");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().port();
    let me = std::process::id();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let before = host.state();
    let fill = |text: &str| {
        text.replace("BUSY", &busy.to_string())
            .replace("NAME", name.trim_end())
            .replace("ME", &me.to_string())
    };
    for (args, code, said) in BAD {
        let (args, code, said) = (&fill(args), *code, fill(said));
        let (got, text) = host.fails(args);
        assert_eq!(got, code, "{args}: {text}");
        assert!(
            text.starts_with(&format!("rbridge: {said}")),
            "{args}: {text}"
        );
        assert!(text.lines().count() <= 2, "{text}");
    }
    assert_eq!(host.state(), before);
    let journals = host.0.path("run/journals");
    assert_eq!(std::fs::read_dir(journals).map_or(0, Iterator::count), 0);
    host.ok("del nope --force");
    host.ok("unpublish 9090 --force");
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

#[test]
fn names_come_and_go_through_pipes() {
    let host = Host::new();
    let rbridge = "rbridge";
    assert_eq!(
        host.sh(&format!("printf 'b1\\nb2\\n' | {rbridge} add -")),
        "b1\nb2\n"
    );
    assert_eq!(host.ok("list -q"), "b1\nb2\n");
    assert_eq!(
        host.sh(&format!(
            "{rbridge} list --jsonl | {rbridge} del -; {rbridge} list -q; {rbridge} list --json"
        )),
        "[]\n"
    );
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    let ports = "printf '81:10.77.0.2:80\\n82:10.77.0.2:80\\n'";
    let both = "81:10.77.0.2:80/tcp\n82:10.77.0.2:80/tcp\n";
    assert_eq!(host.sh(&format!("{ports} | {rbridge} publish -")), both);
    host.sh(&format!(
        "{ports} | {rbridge} unpublish -; {rbridge} del br0"
    ));
    let out = host.command(
        "sh",
        &[
            "-c",
            &format!("echo '{{\"kind\":\"netns\",\"name\":\"x\"}}' | {rbridge} del -"),
        ],
    );
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(host.sh(&format!("{rbridge} del - </dev/null")), "");
}
