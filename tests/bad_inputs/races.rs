//! The same verb typed by six at once: one of them does it, five are told, and none harms what the one made.

use kit_test::Host;

use crate::{LEFT, group, left, named, own_host};

/// The verb, what takes it back, what says that it is there, and what the losers are told.
const VERBS: [(&str, &str, &str, &[&str]); 7] = [
    (
        "rnetns add blue",
        "rnetns del blue",
        "ip -n blue link",
        &["creating network namespace \"blue\": that name is taken"],
    ),
    (
        "rveth add a b --addr 10.1.0.1/24",
        "rveth del a",
        "ip addr show a | grep 10.1.0.1/24",
        &["creating link \"a\": that name is taken there"],
    ),
    (
        "rbridge add br0 --addr 10.0.0.1/24",
        "rbridge del br0",
        "ip addr show br0 | grep 10.0.0.1/24",
        &["making bridge \"br0\": that name is taken"],
    ),
    (
        "rcgroup create $g -m 64m --pids-limit 5",
        "rcgroup del $g",
        "rcgroup exec $g -- true",
        &[
            "creating cgroup \"{g}\": it exists",
            "making cgroup \"/sys/fs/cgroup",
        ],
    ),
    (
        "rbridge publish 8080:10.9.0.2:80",
        "rbridge unpublish 8080",
        "nft list ruleset | grep 10.9.0.2",
        &["publishing port \"8080/tcp\": published port \"8080:10.9.0.2:80/tcp\" has it"],
    ),
    (
        "rnetns del there",
        "rnetns add there",
        "[ ! -e /run/netns/there ]",
        &["opening network namespace \"there\": no such namespace"],
    ),
    (
        "rveth del v0",
        "rveth add v0 v1",
        "! ip link show v0",
        &["deleting link \"v0\": no such link"],
    ),
];

fn six(host: &Host, verb: &str) -> (usize, String) {
    let script = named(host, &format!("{verb} >/dev/null"));
    let all: Vec<_> = (0..6)
        .map(|_| {
            let mut command = host.command(&script);
            command
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut said = String::new();
    let mut done = 0;
    for one in all {
        let out = one.wait_with_output().unwrap();
        done += usize::from(out.status.success());
        said += &String::from_utf8(out.stderr).unwrap();
    }
    (done, said)
}

#[test]
fn one_does_it_and_five_are_told() {
    let host = own_host();
    host.ok("rnetns add there; rveth add v0 v1; rbridge add br9 --addr 10.9.0.1/24; rbridge nat br9 on; rrun gc; mkdir -p run/journals");
    let before = host.ok(&named(&host, LEFT));
    for (verb, undo, there, told) in VERBS {
        let told: Vec<String> = told
            .iter()
            .map(|one| one.replace("{g}", &group(&host)))
            .collect();
        for round in 0..4 {
            let (done, said) = six(&host, verb);
            // The kernel may acknowledge the deletion of a link to two.
            let most = if verb == "rveth del v0" { 6 } else { 1 };
            assert!(
                (1..=most).contains(&done),
                "{verb}, round {round}: {done}: {said}"
            );
            let lines = said.lines().filter(|line| !line.starts_with("hint: "));
            for line in lines {
                assert!(told.iter().any(|one| line.contains(one)), "{verb}: {line}");
            }
            assert_eq!(
                host.code(&named(&host, &format!("{there} >/dev/null 2>&1"))),
                0,
                "{verb}: {said}"
            );
            host.ok(&named(&host, undo));
        }
        assert_eq!(left(&host, &before), "", "{verb}");
    }
}

/// Links of containers have the mark of their instance; who asks for such a name is refused, and takes none of them away.
#[test]
fn a_container_keeps_its_links() {
    let host = own_host();
    host.ok(&kit_test::pack());
    host.ok("rrun run -d --name web tools sleep 1000");
    let links = "ip -o link | sed 's/^[0-9]*: //; s/[@:].*//' | grep ^bk";
    let before = host.ok(links);
    for name in before.lines() {
        for verb in [
            "rveth add NAME x",
            "rveth add x NAME",
            "rbridge add NAME",
            "rveth add NAME --macvlan BRIDGE",
        ] {
            let bridge = before.lines().find(|one| one.starts_with("bk0")).unwrap();
            let typed = verb.replace("NAME", name).replace("BRIDGE", bridge);
            assert_eq!(host.code(&format!("{typed} 2>/dev/null")), 1, "{typed}");
            host.ok("rrun gc >/dev/null");
            assert_eq!(host.ok(links), before, "{typed}");
        }
    }
    host.ok("rrun rm -f web");
}
