//! Journals that are damaged, or written for something that is another's by now.

use crate::{host, same, state, watch, watch_in};

#[test]
fn a_journal_cut_short_inside_a_character_is_replayed() {
    let host = host();
    let before = state(&host);
    assert_eq!(watch(&host, "pair", "kill after 2"), None);
    host.ok(
        r#"printf '{"intended":{"step":9,"undo":[{"unlink":{"path":"/\303' | tee -a run/journals/*.jsonl >/dev/null"#,
    );
    assert_eq!(host.ok("rrun gc"), "undone: rveth add left right@blue\n");
    same(&host, &before, "cut short");
}

#[test]
fn a_journal_that_cannot_be_read_is_left_alone_and_said() {
    let host = host();
    assert_eq!(watch(&host, "pair", "kill after 2"), None);
    let whole = state(&host);
    for (damage, why) in [
        (
            "s/\"version\":1/\"version\":2/",
            "it is of version 2, and this boxkit knows 1\nhint: a later boxkit wrote it: use that one",
        ),
        ("1s/^{/{{/", "its first line is not a header"),
    ] {
        host.ok(&format!(
            "cp run/journals/*.jsonl kept; sed -i '{damage}' run/journals/*.jsonl"
        ));
        let (code, out, said) = host.outcome("rrun gc");
        assert_eq!((code, out.as_str()), (1, ""), "{said}");
        assert!(
            said.starts_with("rrun: reading ") && said.ends_with(&format!(": {why}\n")),
            "{said}"
        );
        host.ok("mv kept run/journals/*.jsonl");
        same(&host, &whole, damage);
    }
    host.ok("rrun gc");
}

#[test]
fn a_namespace_made_anew_under_the_old_number_is_a_strangers() {
    let host = host();
    host.ok("ip netns add green");
    // `set` moves the link in its third step.
    for (verb, point, netns, again) in [
        (
            "pair away",
            "kill after 2",
            "green",
            "rveth add left@green right@blue",
        ),
        (
            "set",
            "kill after 3",
            "blue",
            "ip -n blue link add moved index $index mtu 9000 type veth peer name other",
        ),
    ] {
        assert_eq!(watch(&host, verb, point), None, "{verb}");
        let theirs = format!("ip -n {netns} -o link | sed 's/ state.*//'");
        // The number of one that ends is soon another's, unless somebody else is quicker.
        host.ok(&format!(
            "was=$(stat -L -c %i /run/netns/{netns}); index=$({theirs} | sed -n 's/: \\(left\\|moved\\)@.*//p')
             ip netns del {netns}
             for n in $(seq 40); do
                 ip netns add f$n; [ $(stat -L -c %i /run/netns/f$n) != $was ] || break; sleep 0.02
             done
             touch /run/netns/{netns}; mount --bind /run/netns/f$n /run/netns/{netns}
             for n in $(seq $n); do ip netns del f$n; done
             {again}"
        ));
        let before = host.ok(&theirs);
        assert!(
            before.contains("left@") || before.contains("moved@"),
            "{before}"
        );
        host.ok("rrun gc");
        assert_eq!(host.ok(&theirs), before, "{verb}");
    }
}

#[test]
fn of_another_boot_the_files_are_undone_and_nothing_else() {
    let host = host();
    let before = state(&host);
    assert_eq!(watch(&host, "pair", "kill after 2"), None);
    let made = state(&host);
    assert_ne!(made, before);
    host.ok(r#"sed -i 's/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' run/journals/*.jsonl"#);
    assert_eq!(host.ok("rrun gc"), "undone: rveth add left right@blue\n");
    let journals = |line: &&str| !line.starts_with("./run/journals/");
    let links: Vec<&str> = made.lines().filter(journals).collect();
    assert_eq!(state(&host).lines().collect::<Vec<_>>(), links);
    host.ok("ip link del left");
    same(&host, &before, "taken back");

    assert_eq!(watch(&host, "overlay", "kill after 2"), None);
    host.ok(r#"sed -i 's/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' run/journals/*.jsonl; rrun gc"#);
    same(&host, &before, "files");
}

#[test]
fn a_namespace_without_a_name_is_found() {
    let host = host();
    let before = state(&host);
    host.ok("touch odd; mkdir -p elsewhere");
    for (hold, within, links, release) in [
        ("unshare --net=odd true", "nsenter --net=odd", "nsenter --net=odd ip -br link", "umount odd"),
        (
            "unshare --net sh -c 'exec 7</proc/self/ns/net; exec nsenter --net=/run/netns/blue sleep 1000' >/dev/null 2>&1 & echo $! >pid
             until [ -e /proc/$!/fd/7 ] && grep -q sleep /proc/$!/comm; do sleep 0.01; done",
            "nsenter --net=/proc/$(cat pid)/fd/7",
            "nsenter --net=/proc/$(cat pid)/fd/7 ip -br link",
            "kill $(cat pid); rm pid",
        ),
        (
            "unshare --mount sh -c 'unshare --net=odd true; exec sleep 1000' >/dev/null 2>&1 & echo $! >pid
             until grep -q sleep /proc/$!/comm; do sleep 0.01; done",
            "nsenter --mount=/proc/$(cat pid)/ns/mnt nsenter --net=$PWD/odd nsenter --mount=/proc/$$/ns/mnt",
            "nsenter --mount=/proc/$(cat pid)/ns/mnt nsenter --net=$PWD/odd ip -br link",
            "kill $(cat pid); rm pid",
        ),
    ] {
        host.ok(hold);
        let count = || host.ok(&format!("{links} | wc -l"));
        assert_eq!(watch_in(&host, within, "pair", "kill after 2"), None, "{hold}");
        assert_eq!(count(), "2\n", "{hold}");
        assert_eq!(host.ok("rrun gc"), "undone: rveth add left right@blue\n");
        assert_eq!(count(), "1\n", "{hold}");
        host.ok(release);
    }
    host.ok("rm -r odd elsewhere");
    same(&host, &before, "released");
}
