//! Many links at once, from a pipe.

use super::*;

/// A line for each veth and macvlan of the three namespaces, but for those that are called lan.
const LEFT: &str = "for n in '' '-n blue' '-n green'; do for type in veth macvlan; do ip $n -br link show type $type; done; done | grep -v '^lan' || :";

#[test]
fn what_is_made_goes_by_a_pipe_in_whichever_namespace() {
    let room = Room::new();
    let lan = "ip link add lan0 type veth peer name lan1";
    for add in [
        "rveth add a b",
        "rveth add a@blue b@green",
        "rveth add a b@/run/netns/blue",
        "rveth add m@blue --macvlan lan0",
        "seq 3 | sed 's/.*/v& eth&@blue/' | rveth add -",
    ] {
        let made = room.ok(&format!("{lan}; {add} >&2; {LEFT}"));
        assert_ne!(made, "", "{add}");
        assert_eq!(
            room.ok(&format!("{lan}; {add} | rveth del -; {LEFT}")),
            "",
            "{add}"
        );
    }
    let away = format!("unshare --net sleep 60 & trap \"kill $!\" EXIT; {ASLEEP}");
    let listed =
        format!("{away}; rveth add a@pid:$! b | tee named | rveth del -; cat named; {LEFT}");
    let named = room.ok(&listed);
    assert!(
        named.starts_with("a@pid:") && named.lines().count() == 2,
        "{named}"
    );
}

/// One process, one watch for signals, one journal, and sockets that do not grow in number with the links.
#[test]
fn a_pipe_of_many_links_is_one_verb() {
    let room = Room::new();
    let counted = |verb: &str| {
        let command = format!("rveth {verb} >&2");
        kit_test::counted(&command, &["signalfd4", "rename", "socket"])
    };
    let (add, del) = (counted("add - <pairs"), counted("del - <ends"));
    let count = "ip -br link show type veth | wc -l";
    let text = room.ok(&format!(
        "seq 30 | sed 's/.*/a& b&/' >pairs; seq 30 | sed 's/^/a/' >ends; {add}; {count}; {del}; {count}"
    ));
    let counts: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    let [add @ .., add_sockets, made] = &counts[..5] else {
        panic!("{counts:?}");
    };
    let [del @ .., del_sockets, left] = &counts[5..] else {
        panic!("{counts:?}");
    };
    // What only takes away has no journal.
    assert_eq!((add, del), (&[1, 1, 1][..], &[1, 1, 0][..]), "{counts:?}");
    assert_eq!((made, left), (&60, &0), "{counts:?}");
    assert!(*add_sockets <= 3 && *del_sockets <= 3, "{counts:?}");
}

/// Beside links that ip(8) made, which are anybody's.
#[test]
fn a_list_of_all_links_spares_those_of_containers() {
    let room = Room::new();
    let group = kit_plan::Roots::at("/r".into(), "/run/boxkit-test".into())
        .instance
        .link_group();
    let on = |bridge: &str| {
        format!(
            "ip link add {bridge} type bridge; ip link add v9 type veth peer name x9 netns blue; ip link set dev v9 master {bridge}"
        )
    };
    let drawn = |name: &str| format!("ip link add {name} type veth peer name x9 netns blue");
    for (theirs, name, reason) in [
        (
            format!("{}; ip link set dev v9 group {group}", drawn("v9")),
            "v9",
            "it is rrun's",
        ),
        (
            on("docker0"),
            "v9",
            "it is a port of \"docker0\", which is docker's",
        ),
        (
            on("br-0123456789ab"),
            "v9",
            "it is a port of \"br-0123456789ab\", which is docker's",
        ),
        (on("cni0"), "v9", "it is a port of \"cni0\", which is CNI's"),
        (
            on("virbr0"),
            "v9",
            "it is a port of \"virbr0\", which is libvirt's",
        ),
        (drawn("veth1a2b3c4d"), "veth1a2b3c4d", "it is CNI's"),
        (
            drawn("cali0123456789a"),
            "cali0123456789a",
            "it is Calico's",
        ),
    ] {
        let made = format!(
            "{theirs}; ip link add br0 type bridge; ip link add of-ip type veth peer name end; ip link set dev of-ip master br0; rveth add ours b@green >/dev/null"
        );
        let left = "ip -br link show type veth | sed 's/[@ ].*//' | sort | tr '\\n' ' '";
        let out = room.sh(&format!(
            "{made}; code=0; {left}; rveth list -q | rveth del - || code=$?; {left}; exit $code"
        ));
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert_eq!(out.status.code(), Some(2), "{theirs}: {stderr}");
        assert_eq!(
            stderr,
            format!(
                "rveth: deleting link \"{name}\" from a list: {reason}\n\
                 hint: leave it out of the list, or --all-owners deletes what others made too\n"
            )
        );
        let (before, after) = stdout.split_at(stdout.len() / 2);
        assert_eq!(before, after, "nothing is deleted: {theirs}");
        for (verb, stays) in [
            (
                format!("rveth list -q | grep -vx {name} | rveth del -"),
                format!("{name} "),
            ),
            (
                "rveth list --jsonl | rveth del --all-owners -".to_owned(),
                String::new(),
            ),
            // Whoever types a name means it.
            (format!("rveth del of-ip ours {name}"), String::new()),
        ] {
            assert_eq!(
                room.ok(&format!("{made}; {verb}; {left}")),
                stays,
                "{theirs}: {verb}"
            );
        }
    }
}

#[test]
fn what_is_in_the_namespace_of_a_container_engine_is_spared() {
    let room = Room::new();
    let netns = "cni-0b2ad1f0-1c2d-4e5f-8a9b-0123456789ab";
    let made =
        format!("ip netns add {netns}; ip link add v9 type veth peer name eth0 netns {netns}");
    let said = room.0.fails(
        2,
        &format!("{made}; rveth list --netns {netns} -q | rveth del -"),
    );
    assert!(
        said.starts_with(&format!(
            "rveth: deleting link \"eth0@{netns}\" from a list: it is CNI's\n"
        )),
        "{said}"
    );
    let all = "rveth list --netns $netns -q | rveth del --all-owners -; ip -br link show type veth";
    assert_eq!(room.ok(&format!("netns={netns}; {made}; {all}")), "");
}
