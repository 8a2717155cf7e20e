//! What one verb prints, the next one takes: here, and in another namespace.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::Host;

/// A host with a named namespace beside it, which goes at the end.
fn beside(act: impl FnOnce(&Host, &str)) {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let host = Host::new();
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("rbt-{}-{count}", std::process::id());
    host.sh(&format!("ip netns add {name}"));
    let done = catch_unwind(AssertUnwindSafe(|| act(&host, &name)));
    host.sh(&format!("ip netns del {name}"));
    done.unwrap();
}

#[test]
fn a_printed_name_carries_its_namespace() {
    beside(|host, there| {
        let own = "ip -br link show type bridge | cut -d' ' -f1";
        let away = format!("ip -n {there} -br link show type bridge | cut -d' ' -f1");
        host.ok("add b0 --addr 10.77.0.1/24");
        host.ok("nat b0 on");
        host.ok("publish 8080:10.77.0.2:80");
        let add = format!("rbridge add b0 b1 --addr 10.77.0.1/24 --netns {there}");
        let printed = format!("b0@{there}\nb1@{there}\n");
        for delete in [
            format!("{add} | tee said | rbridge del -; cat said"),
            format!(
                "{add} >said; rbridge list -q --netns {there} | tee listed | rbridge del -; cmp said listed; cat said"
            ),
            format!("{add} >said; rbridge list --jsonl --netns {there} | rbridge del -; cat said"),
        ] {
            assert_eq!(host.sh(&delete), printed, "{delete}");
            assert_eq!(host.sh(&away), "", "{delete}");
            assert_eq!(host.sh(own), "b0\n", "{delete}");
        }
        // Ports are names too.
        let ports = format!(
            "{add} >said; rbridge nat b0@{there} on; rbridge publish 8080:10.77.0.2:80 --netns {there} | tee said | rbridge unpublish -; cat said"
        );
        assert_eq!(host.sh(&ports), format!("8080:10.77.0.2:80/tcp@{there}\n"));
        let published = |shown: &str| {
            let shown: Value = serde_json::from_str(&host.ok(shown)).unwrap();
            shown["published"].as_array().unwrap().len()
        };
        assert_eq!(published(&format!("show b0@{there} --jsonl")), 0);
        assert_eq!(published("show b0 --jsonl"), 1, "the host's own stays");
    });
}

/// `rveth` prints them, and those that are in the bridge's namespace are plugged in and pulled out.
#[test]
fn a_printed_link_carries_its_namespace() {
    beside(|host, there| {
        let away = format!("ip -n {there} -br link show master b0 | cut -d@ -f1");
        let here = "ip -br link show master b0 | cut -d@ -f1";
        // The same bridge is here too. Links of the same names are not: Linux before 6.13 looks for the name of a new link in
        // the namespace of who asks.
        host.sh(&format!("rbridge add b0 b0@{there}; rveth add u0 u1"));
        let attach = format!("rbridge attach b0@{there} -");
        let both = format!("printf 'v0@{there} x0\\nw0@{there} x1\\n'");
        for add in [
            format!(
                "rveth add v0@{there} x0 | head -n 1 | {attach}; rveth add x1 w0@{there} | tail -n 1 | {attach}"
            ),
            format!("{both} | rveth add - | grep @ | {attach}"),
            format!("{both} | rveth add - >&2; rveth list -q --netns {there} | {attach}"),
            format!("{both} | rveth add - >&2; rveth list --jsonl --netns {there} | {attach}"),
        ] {
            host.sh(&add);
            assert_eq!(host.sh(&away), "v0\nw0\n", "{add}");
            host.sh(&format!("rveth list -q --netns {there} | rbridge detach -"));
            assert_eq!(host.sh(&away), "", "{add}");
            assert_eq!(host.sh(here), "", "{add}");
            host.sh(&format!("rveth list -q --netns {there} | rveth del -"));
        }
        // Without a namespace it is the one here, and what is here stays plugged in.
        host.sh("rveth add y0 y1 | head -n 1 | rbridge attach b0 -");
        assert_eq!(host.sh(here), "y0\n");
        assert_eq!(host.sh(&away), "");
    });
}

/// The namespace is in what is said, and in the commands that hints name.
#[test]
fn a_hint_names_the_namespace() {
    beside(|host, there| {
        let (_, said) = host.fails(&format!("show b0 --netns {there}"));
        let expected = format!(
            "rbridge: finding bridge \"b0@{there}\": no such bridge\nhint: rbridge list --netns {there} shows them; rbridge add b0@{there} makes it\n"
        );
        assert_eq!(said, expected);
        host.ok(&format!("add b0@{there}"));
        let (_, said) = host.fails(&format!("nat b0@{there} on"));
        let hint = said.lines().nth(1).unwrap().strip_prefix("hint: ").unwrap();
        assert_eq!(
            hint,
            format!("rbridge set b0@{there} --addr 10.99.0.1/24 gives it one")
        );
        host.sh(hint.strip_suffix(" gives it one").unwrap());
        host.ok(&format!("nat b0@{there} on"));
    });
}

#[test]
fn the_words_of_ip_brctl_and_docker_are_taken() {
    let host = Host::new();
    host.sh("ip link add v0 type veth peer name v1");
    for verb in [
        "add b0",
        "create b1",
        "addbr b2",
        "connect b0 v0",
        "disconnect v0",
        "addif b0 v1",
        "delif v1",
    ] {
        host.ok(verb);
    }
    let all = host.ok("list");
    assert_eq!(host.ok("ls"), all);
    assert_eq!(host.ok("show"), all);
    assert!(host.ok("show b1").contains("b1"));
    for verb in ["rm b0", "delete b1", "delbr b2"] {
        host.ok(verb);
    }
    assert_eq!(host.ok("list -q"), "");
}

#[test]
fn many_at_once_are_deleted_only_if_boxkit_made_them() {
    let host = Host::new();
    host.sh("ip link add theirs type bridge");
    host.ok("add ours");
    let (code, said) = {
        let out = host.command("sh", &["-c", "rbridge list -q | rbridge del -"]);
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        "rbridge: deleting bridge \"theirs\": it was not made by boxkit, and many names were given at once\n\
         hint: rbridge del theirs deletes this one; --all-owners deletes whatever is named\n"
    );
    assert_eq!(host.ok("list -q"), "theirs\n");
    host.sh("rbridge list -q | rbridge del --all-owners -");
    assert_eq!(host.ok("list -q"), "");
    // By its name it goes as it always did.
    host.sh("ip link add theirs type bridge");
    host.ok("del theirs");
}

#[test]
fn another_namespace_by_name() {
    let host = Host::new();
    let name = format!("rbt-{}", std::process::id());
    host.sh(&format!("ip netns add {name}"));
    let done = catch_unwind(AssertUnwindSafe(|| {
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
        assert!(
            said.ends_with(&format!(
                "hint: rveth set v0@{name} --netns pid:1 moves the link there\n"
            )),
            "{said}"
        );
    }));
    host.sh(&format!("ip netns del {name}"));
    done.unwrap();
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

/// A table's head is no name, and nothing is done to those beneath it.
#[test]
fn a_table_that_is_piped_into_a_verb_is_refused() {
    let host = Host::new();
    host.sh("rbridge add br0; rveth add v0 v1");
    for (verb, list) in [
        ("rbridge list | rbridge del -", "rbridge"),
        ("rbridge list | rbridge add -", "rbridge"),
        ("rveth list | rbridge attach br0 -", "rveth"),
        ("rveth list | rbridge detach -", "rveth"),
        ("rbridge list | rbridge publish -", "rbridge"),
        ("rbridge list | rbridge unpublish -", "rbridge"),
    ] {
        let out = host.command("sh", &["-c", verb]);
        assert_eq!(out.status.code(), Some(2), "{verb}");
        let said = String::from_utf8(out.stderr).unwrap();
        let hint = format!("not a name\nhint: {list} list -q prints the names alone\n");
        assert!(said.ends_with(&hint), "{verb}: {said}");
    }
    // One that is called so.
    assert_eq!(host.ok("add STATE"), "STATE\n");
    host.ok("del STATE");
    assert_eq!(host.ok("list -q"), "br0\n");
}

/// Two bridges have one network: a port is told at the one by which the host reaches it.
#[test]
fn a_published_port_is_listed_once() {
    let host = Host::new();
    for bridge in ["br0", "br1"] {
        host.ok(&format!("add {bridge} --addr 10.77.0.1/24"));
        host.ok(&format!("nat {bridge} on"));
    }
    host.ok("publish 81:10.77.0.2:80");
    let has = |bridge: &str| {
        let told = host.json(&format!("rbridge show {bridge} --json"));
        told[0]["published"].as_array().unwrap().len()
    };
    let way = host.json("ip -j route get 10.77.0.2");
    let (here, there) = match way[0]["dev"].as_str().unwrap() {
        "br0" => ("br0", "br1"),
        _ => ("br1", "br0"),
    };
    assert_eq!((has(here), has(there)), (1, 0));
}

/// Many links take one journal, and the list of all links is not read for each.
#[test]
fn a_pipe_of_many_links_is_one_verb() {
    let host = Host::new();
    host.sh("rbridge add br0 >&2; seq 20 | sed 's/.*/v& w&/' | rveth add - >&2");
    let calls = host.sh("seq 20 | sed 's/^/v/' >names
         strace -f -e trace=flock,recvfrom,recvmsg,signalfd4 -o calls rbridge attach br0 - <names
         grep -c signalfd4 calls; grep -c recv calls");
    let counts: Vec<usize> = calls.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(counts[0], 1, "one watch for signals");
    // A handful each: the bridge, the link, its peer, the change.
    assert!(counts[1] < 20 * 20, "{} receptions", counts[1]);
    let ports = host.json("ip -j link show master br0");
    assert_eq!(ports.as_array().unwrap().len(), 20);
}
