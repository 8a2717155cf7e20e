//! `del`, `list`, `set`, and what a dry run, a journal and `--explain` show.

use super::*;

#[test]
fn a_bridge_is_deleted_by_rbridge() {
    let room = Room::new();
    let said = room.fails(1, "ip link add br9 type bridge; rveth del br9");
    assert_eq!(
        said,
        "rveth: deleting link \"br9\": it is a bridge, neither a veth nor a macvlan\nhint: rbridge del br9\n"
    );
}

#[test]
fn deleting_is_exact_and_by_pipe() {
    let room = Room::new();
    assert_eq!(
        room.ok(&format!(
            "{PAIR} >/dev/null; rveth del left@blue; rveth list --all -q"
        )),
        ""
    );
    room.ok("rveth del --force nope nope@blue");
    // Both ends are in the list: the second went with the first.
    assert_eq!(room.ok("rveth add a b >/dev/null; rveth add c d@blue >/dev/null; rveth list -q | rveth del -; rveth list -aq"), "");
    assert_eq!(
        room.ok(&format!(
            "{PAIR} >/dev/null; rveth list -a --jsonl | rveth del -; rveth list -aq"
        )),
        ""
    );
    let stderr = room.fails(1, "rveth add a b >/dev/null; rveth del nope a nope2");
    assert_eq!(
        stderr,
        "rveth: deleting link \"nope\": no such link\nhint: rveth list shows those that are there\nrveth: deleting link \"nope2\": no such link\nhint: rveth list shows those that are there\n"
    );
    assert_eq!(room.left(), "", "it went on past the failure");
}

#[test]
fn peers_are_found_across_namespaces() {
    let room = Room::new();
    // Two pairs with the same indexes on both sides: only the namespace's number tells them apart.
    let script = "rveth add a b@blue >/dev/null; rveth add c@blue d@green >/dev/null; rveth add e f >/dev/null; rveth list -a --json";
    let listed: Value = serde_json::from_str(&room.ok(script)).unwrap();
    let peers: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            (
                link["name"].as_str().unwrap(),
                link["peer"].as_str().unwrap(),
            )
        })
        .collect();
    for (name, peer) in [
        ("a", "b@blue"),
        ("b@blue", "a"),
        ("c@blue", "d@green"),
        ("d@green", "c@blue"),
        ("e", "f"),
        ("f", "e"),
    ] {
        assert!(peers.contains(&(name, peer)), "{name} {peer}: {peers:?}");
    }
    assert_eq!(
        (&listed[0]["kind"], &listed[0]["schema"]),
        (&"link".into(), &1.into())
    );
    let bridged = room.ok("ip link add br9 type bridge; rveth add a b@blue >/dev/null; ip link set dev a master br9; rveth list --jsonl");
    assert_eq!(
        serde_json::from_str::<Value>(&bridged).unwrap()["bridge"],
        "br9"
    );
}

#[test]
fn set_changes_and_takes_back() {
    let room = Room::new();
    let script = "rveth add a b@blue >/dev/null; rveth set a --mtu 1300 --mac 02:00:00:00:09:05 --addr 10.9.1.1/24 --name c --netns green --up; ip -n green -j addr show c";
    let shown: Value = serde_json::from_str(&room.ok(script)).unwrap();
    assert_eq!(
        (
            &shown[0]["mtu"],
            &shown[0]["address"],
            &shown[0]["addr_info"][0]["local"]
        ),
        (
            &1300.into(),
            &"02:00:00:00:09:05".into(),
            &"10.9.1.1".into()
        )
    );
    assert!(
        shown[0]["flags"].as_array().unwrap().contains(&"UP".into()),
        "{shown}"
    );
    let gone = room.ok("rveth add a b@blue --addr 10.9.1.1/24 >/dev/null; rveth set a --del-addr 10.9.1.1/24 --down; ip -j addr show a");
    let shown: Value = serde_json::from_str(&gone).unwrap();
    assert!(
        shown[0]["addr_info"]
            .as_array()
            .unwrap()
            .iter()
            .all(|addr| addr["family"] != "inet"),
        "{gone}"
    );
    assert!(
        !shown[0]["flags"].as_array().unwrap().contains(&"UP".into()),
        "{gone}"
    );
    // The last step fails (an address twice): all before it is taken back, the move too.
    let failing = "rveth add a b@blue >/dev/null; rveth set a --netns green --name c --mtu 1300 --addr 10.9.1.1/24 --addr 10.9.1.1/24 2>said || cat said; \
                   ip -j addr show a; ip -n green -br link show c 2>&1 || :";
    let out = room.ok(failing);
    let mut lines = out.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("rveth: adding address \"10.9.1.1/24\" to link \"c\": "),
        "{out}"
    );
    let shown: Value =
        serde_json::from_str(lines.find(|line| line.starts_with('[')).unwrap()).unwrap();
    assert_eq!(
        (&shown[0]["ifname"], &shown[0]["mtu"]),
        (&"a".into(), &1500.into()),
        "{out}"
    );
    assert!(
        shown[0]["flags"].as_array().unwrap().contains(&"UP".into()),
        "{out}"
    );
    assert!(out.contains("Device \"c\" does not exist"), "{out}");
}

#[test]
fn a_dry_run_changes_nothing_and_replayed_leaves_the_same() {
    let room = Room::new();
    let macs = ["02:00:00:00:09:01", "02:00:00:00:09:02"];
    let lan =
        "ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up;";
    for verb in [
        "rveth add a b".to_owned(),
        PAIR.to_owned(),
        "rveth add v0 eth0@blue --addr 10.9.0.1/24 --peer-addr 10.9.0.2/24 --peer-gw 10.9.0.1 --mtu 1400 --mac 02:00:00:00:09:01 --peer-mac 02:00:00:00:09:02".to_owned(),
        "rveth add eth0@blue v0 --addr fd00:9::2/64 --gw fd00:9::1".to_owned(),
        "rveth add a@/run/netns/blue b@green".to_owned(),
        format!("{lan} rveth add eth0@blue --macvlan lan0 --mode private --addr 10.9.0.7/24 --mac 02:00:00:00:09:02"),
        format!("{lan} rveth add m0 --macvlan lan0"),
        format!("{PAIR}; rveth del right@green"),
        format!("{PAIR}; rveth set left@blue --down --mtu 1300 --mac 02:00:00:00:09:01 --name cable --addr 10.9.2.1/24 --del-addr 10.9.0.1/24"),
        format!("{PAIR}; rveth set left@blue --netns green --up"),
    ] {
        let before = &verb[..verb.rfind("rveth ").unwrap()];
        let dry = dry_run(&verb);
        assert_eq!(room.state(before, &macs), room.state(&dry, &macs), "a dry-run changes nothing: {verb}");
        let ours = room.state(&verb, &macs);
        let replayed = room.state(&format!("{dry} >script; sh script"), &macs);
        assert_eq!(ours, replayed, "{verb}");
    }
}

#[test]
fn no_journal_stays() {
    let room = Room::new();
    room.ok(&format!(
        "{PAIR}; rveth add a lo@blue || :; rveth add a b@blue --peer-gw 10.8.0.1 || :"
    ));
    let journals = std::fs::read_dir(room.path("run/journals")).map_or(0, Iterator::count);
    assert_eq!(journals, 0);
}

#[test]
fn explain_shows_the_steps() {
    let room = Room::new();
    let out = room.sh("rveth add v0 eth0@blue --peer-addr 10.9.0.2/24 --explain=sh");
    let said = text(&out.stderr);
    // Without what each took.
    let said: Vec<&str> = said
        .lines()
        .map(|line| line.trim().split("    ").next().unwrap_or_default())
        .collect();
    let begin = said.iter().position(|line| *line == "the network").unwrap();
    assert_eq!(
        said[begin + 1..begin + 6],
        [
            "1  Lay a cable (veth): what goes in at v0 comes out at eth0@blue",
            "ip link add name v0 up type veth peer name eth0 netns blue",
            "2  Give eth0 its address, and raise it",
            "ip -n blue addr add 10.9.0.2/24 dev eth0",
            "ip -n blue link set dev eth0 up",
        ]
    );
}

#[test]
fn a_link_that_moves_and_comes_back_has_all_it_had() {
    let room = Room::new();
    // An IPv6 address and its route are whole once nobody else has been found to have it.
    let settled = "n=0; while ip -6 addr show dev a tentative | grep -q inet6; do [ $((n += 1)) -lt 200 ]; sleep 0.1; done; sleep 0.3";
    let made = "rveth add a b@blue --addr 10.9.1.1/24 --addr fd00:9::1/64 >&2; ip addr add 10.9.1.2/24 dev a; ip addr add 10.9.1.7/32 dev a label a:x valid_lft 600 preferred_lft 500
        ip route add 10.20.0.0/16 dev a metric 7; ip route add 10.21.0.0/16 via 10.20.0.1 onlink dev a; ip route add 10.22.0.0/16 via 10.9.1.9 table 77; ip -6 route add fd00:20::/64 dev a metric 9";
    let state = "{ ip -d addr show dev a; ip -d route show table all dev a; ip -d -6 route show table all dev a; } | grep -v -e 'link/' -e lft -e qlen | sed 's/ linkdown//' | sort";
    for failing in [
        "--netns green --name c --addr 10.9.3.1/24 --addr 10.9.3.1/24",
        "--down --addr 10.9.3.1/24 --addr 10.9.3.1/24",
    ] {
        let script = format!(
            "{made}; {settled}; {state} >before; rveth set a {failing} 2>said && exit 9; {settled}; {state} >after; diff before after; cat said; ip -n green -br link show type veth"
        );
        let said = room.ok(&script);
        assert!(
            said.starts_with("rveth: adding address \"10.9.3.1/24\" to link "),
            "{failing}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{failing}: {said}");
    }
}

#[test]
fn a_name_that_is_free_only_there_is_no_obstacle() {
    let room = Room::new();
    let script = "rveth add eth0@blue x@blue >&2; rveth add eth0 y >&2; rveth set eth0 --netns blue --name eth1; ip -n blue -br link show eth1";
    assert!(room.ok(script).starts_with("eth1@"));
    // An MTU that the link cannot have is refused where it was.
    let script = "ip link add lan0 type veth peer name lan1; rveth add m --macvlan lan0 >&2; rveth set m --netns blue --mtu 9000 2>&1 || :; ip -br link show m";
    assert!(room.ok(script).contains("m@lan0"));
}

/// A move takes routes away: nothing that the kernel may refuse comes after it.
#[test]
fn what_may_be_refused_is_done_before_a_link_moves() {
    let room = Room::new();
    let script = room.ok(
        "rveth add a b >&2; rveth set --dry-run a --up --netns blue --name c --mtu 1300 --mac 02:00:00:00:09:05 --addr 10.9.1.1/24",
    );
    let lines: Vec<&str> = script.lines().filter(|it| it.starts_with("ip ")).collect();
    assert_eq!(
        lines,
        [
            "ip link set dev a address 02:00:00:00:09:05",
            "ip link set dev a mtu 1300",
            "ip link set dev a netns blue name c",
            "ip -n blue addr add 10.9.1.1/24 dev c",
            "ip -n blue link set dev c up",
        ]
    );
    // A link whose MTU is refused has never been away, as far as ip(8) has seen; one that moves has.
    let seen = room.ok(
        "seen() { n=0; until grep -q \" $1: \" seen; do [ $((n += 1)) -lt 99 ]; ip link add $1 type bridge; ip link del $1; sleep 0.1; done; }
         away() { grep -c 'Deleted .* m@' seen || :; }
         ip link add lan0 type veth peer name lan1; rveth add m --macvlan lan0 >&2
         ip monitor link >seen & trap \"kill $!\" EXIT; seen first
         rveth set m --netns blue --mtu 9000 2>/dev/null && exit 9
         seen second; away; rveth set m --netns blue; seen third; away",
    );
    assert_eq!(seen, "0\n1\n");
}

#[test]
fn an_address_is_gone_only_if_all_is_well() {
    let room = Room::new();
    let made = "rveth add a b --addr 10.9.1.1/24 --addr 10.9.1.2/24 >&2";
    let has = "ip -j -4 addr show a | jq -r '.[].addr_info[].local' | sort";
    for (change, code) in [
        ("--del-addr 10.9.1.1/24 --addr 0.0.0.0/0", 2),
        ("--del-addr 10.9.1.1/24 --del-addr 10.7.7.7/24", 1),
        ("--del-addr 10.9.1.1/24 --addr 10.9.1.2/24", 1),
    ] {
        let script = format!("{made}; code=0; rveth set a {change} || code=$?; {has}; echo $code");
        assert_eq!(
            room.ok(&script),
            format!("10.9.1.1\n10.9.1.2\n{code}\n"),
            "{change}"
        );
    }
    // With the first of a network the kernel would take the other.
    assert_eq!(
        room.ok(&format!(
            "{made}; rveth set a --del-addr 10.9.1.1/24; {has}"
        )),
        "10.9.1.2\n"
    );
}

#[test]
fn cables_are_made_of_a_list() {
    let room = Room::new();
    assert_eq!(
        room.ok("seq 3 | sed 's/.*/v& eth&@blue/' | rveth add - --mtu 1400 | sort; ip -n blue -br link show type veth | wc -l; rveth ls -q | rveth rm -; ip -br link show type veth"),
        "eth1@blue\neth2@blue\neth3@blue\nv1\nv2\nv3\n3\n"
    );
}
