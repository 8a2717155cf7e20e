//! Cables and plugs: what they carry, and what cannot be.

use super::*;

#[test]
fn a_cable_between_two_namespaces_carries_both_ways() {
    let room = Room::new();
    let ping = "ip netns exec blue ping -qc1 -W2 10.9.0.2 >/dev/null; ip netns exec green ping -qc1 -W2 10.9.0.1 >/dev/null";
    assert_eq!(
        room.ok(&format!("{PAIR}; {ping}; ip -o link | grep -c veth || :")),
        "left@blue\nright@green\n0\n"
    );
}

#[test]
fn one_end_here_with_a_default_route_there() {
    let room = Room::new();
    let add = "rveth add v0 eth0@blue --addr 10.9.0.1/24 --peer-addr 10.9.0.2/24 --peer-addr fd00:9::2/64 --peer-gw 10.9.0.1 \
               --mac 02:00:00:00:09:01 --peer-mac 02:00:00:00:09:02 --mtu 1400 >/dev/null";
    let out = room.ok(&format!("{add}; ip netns exec blue ping -qc1 -W2 10.9.0.1 >/dev/null; ip -j addr show v0; ip -n blue -j addr show eth0; ip -n blue -j route show default"));
    let parts: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (host, inside, route) = (&parts[0][0], &parts[1][0], &parts[2][0]);
    assert_eq!(
        (&host["address"], &inside["address"]),
        (&"02:00:00:00:09:01".into(), &"02:00:00:00:09:02".into())
    );
    assert_eq!((&host["mtu"], &inside["mtu"]), (&1400.into(), &1400.into()));
    for end in [host, inside] {
        assert!(
            end["flags"].as_array().unwrap().contains(&"UP".into()),
            "{end}"
        );
    }
    assert_eq!(
        (&host["group"], &inside["group"]),
        (&"default".into(), &"default".into()),
        "no mark stays"
    );
    let local: Vec<&Value> = inside["addr_info"]
        .as_array()
        .unwrap()
        .iter()
        .map(|addr| &addr["local"])
        .collect();
    assert!(
        local.contains(&&"10.9.0.2".into()) && local.contains(&&"fd00:9::2".into()),
        "{inside}"
    );
    assert_eq!(
        (&route["gateway"], &route["dev"]),
        (&"10.9.0.1".into(), &"eth0".into())
    );
}

#[test]
fn a_namespace_by_pid_and_by_path() {
    let room = Room::new();
    let away = format!("unshare --net sleep 60 & trap \"kill $!\" EXIT; {ASLEEP}");
    let script = "rveth add a@pid:$! b@/run/netns/green >/dev/null; \
                  nsenter -t $! --net ip -br link show a; ip -n green -br link show b; rveth list --netns green";
    let out = room.ok(&format!("{away}; {script}"));
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with("a@if")
            && lines[0].contains("UP")
            && lines[1].starts_with("b@if")
            && lines[1].contains("UP"),
        "{out}"
    );
    assert!(lines[3].starts_with("b@green  veth  a@pid:"), "{out}");
}

#[test]
fn a_macvlan_is_a_plug_of_its_own() {
    let room = Room::new();
    let lan =
        "ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up; ";
    let add = "rveth add eth0@blue --macvlan lan0 --addr 10.9.0.7/24; rveth add eth0@green --macvlan lan0 --mode bridge --addr 10.9.0.8/24";
    let out = room.ok(&format!("{lan} {add}; ip netns exec blue ping -qc1 -W2 10.9.0.8 >/dev/null; ip -n blue -d -j link show eth0; rveth list --netns green --jsonl"));
    let mut lines = out.lines().skip(2);
    let shown: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(shown[0]["linkinfo"]["info_data"]["mode"], "bridge");
    assert_eq!(shown[0]["group"], "default");
    let listed: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(
        (&listed["type"], &listed["peer"], &listed["name"]),
        (&"macvlan".into(), &"lan0".into(), &"eth0@green".into())
    );
}

#[test]
fn a_bad_name_has_its_true_cause() {
    let room = Room::new();
    for (name, why) in [
        (
            "a-16-characters-",
            "an interface name has at most 15 characters",
        ),
        ("a/b", "an interface name has no blank, slash or colon"),
        ("''", "it is empty"),
        (
            "eth%d",
            "a % in an interface name would be filled in by the kernel",
        ),
    ] {
        let shown = name.trim_matches('\'');
        for script in [
            format!("rveth add {name} b"),
            format!("rveth add a {name}"),
            format!("rveth add --dry-run {name}@blue b"),
        ] {
            let said = room.fails(2, &script);
            assert_eq!(
                said.lines().next().unwrap(),
                format!("rveth: naming link \"{shown}\": {why}")
            );
            if shown.len() > 15 {
                assert!(
                    said.ends_with("hint: \"a-16-characters\" would do\n"),
                    "{said}"
                );
            }
        }
    }
    assert_eq!(room.left(), "");
}

#[test]
fn what_cannot_be_is_said_and_undone() {
    let room = Room::new();
    for (script, said) in [
        (
            "rveth add a b@red",
            "opening network namespace \"red\": no such namespace\nhint: rnetns list shows them; rnetns add red makes it\n",
        ),
        (
            "rveth add a@pid:99999999 b",
            "opening network namespace \"pid:99999999\": no such process\n",
        ),
        (
            "rveth add a@/etc/passwd b",
            "opening network namespace \"/etc/passwd\": it is not one\nhint: a file left behind when its namespace was unmounted? rnetns del removes it\n",
        ),
        (
            "rveth add a lo@blue",
            "creating link \"lo@blue\": that name is taken there\nhint: choose another name, or rveth del lo@blue\n",
        ),
        (
            "rveth add lo b@blue",
            "creating link \"lo\": that name is taken there\nhint: choose another name, or rveth del lo\n",
        ),
        (
            "rveth add a b@blue --peer-addr 10.9.0.2/24 --peer-gw 10.8.0.1",
            "adding the default route through \"10.8.0.1\": no address of the link is in its network\nhint: give the link an address in the gateway's network\n",
        ),
        (
            "ip -n blue link add x0 type veth peer name x1; ip -n blue addr add 10.9.1.1/24 dev x0; ip -n blue link set x1 up; ip -n blue link set x0 up; ip -n blue route add default via 10.9.1.9; trap 'ip -n blue link del x0; left' EXIT; rveth add a b@blue --peer-addr 10.9.0.2/24 --peer-gw 10.9.0.1",
            "adding the default route through \"10.9.0.1\": there is one already, through \"10.9.1.9\"\nhint: leave the gateway out, or ip -n blue route del default removes that one first\n",
        ),
        (
            "rveth add a b --mtu 100 --addr fd00:9::1/64",
            "adding address \"fd00:9::1/64\" to link \"a\": the link's MTU is 100, and IPv6 needs 1280\nhint: rveth set a --mtu 1280\n",
        ),
        (
            "rveth add a --macvlan nope",
            "finding link \"nope\": no such link\nhint: ip link shows those that are there\n",
        ),
        (
            "rveth add a --macvlan lo",
            "creating link \"a\": \"lo\" cannot carry a macvlan: it is no Ethernet device\nhint: name an Ethernet device: a loopback is none\n",
        ),
        (
            "rveth del nope@blue",
            "deleting link \"nope@blue\": no such link\nhint: rveth list --netns blue shows those that are there\n",
        ),
        (
            "rveth del lo",
            "deleting link \"lo\": it is a loopback, neither a veth nor a macvlan\n",
        ),
        (
            "rveth set lo --mtu 1400",
            "changing link \"lo\": it is a loopback, neither a veth nor a macvlan\n",
        ),
    ] {
        // What no kernel could do is bad usage.
        let code = if said.contains("both ends have") {
            2
        } else {
            1
        };
        assert_eq!(
            room.fails(code, script),
            format!("rveth: {said}"),
            "{script}"
        );
        assert_eq!(room.left(), "", "{script}");
    }
}

#[test]
fn bad_usage_is_exit_2() {
    let room = Room::new();
    for (script, said) in [
        ("rveth add a", "missing"),
        ("rveth add a b --macvlan c", "cannot be used with"),
        ("rveth set a", "missing"),
        ("rveth set a --up --down", "cannot be used with"),
        (
            "rveth add a b --mac 01:00:00:00:00:01",
            "it is a group's: the first byte of a link's own must be even",
        ),
        ("rveth add a b --addr 10.0.0.1/33", "10.0.0.1/33"),
        (
            "rveth add a@blue a@blue",
            "both ends have the same name in the same namespace",
        ),
        (
            "rveth add a b --addr 0.0.0.0/0",
            "adding address \"0.0.0.0/0\": it stands for no host in particular",
        ),
        (
            "rveth add a b --addr 224.0.0.5/32",
            "adding address \"224.0.0.5/32\": it is a group's, which programs join, not a link's",
        ),
        ("rveth add all b", "holds for every link"),
        ("rveth add a b --mtu 1", "68..=65535"),
        ("rveth set a --mtu 1", "68..=65535"),
        (
            "echo a b c | rveth add -",
            "it is not the two ends of a cable",
        ),
        ("echo a b | rveth add - --addr 10.9.0.1/24", "is one link's"),
        ("rveth del NAME a", "is the head of a table, not a name"),
        (
            "rveth list | rveth add -",
            "is the head of a table, not a name",
        ),
        (
            "echo '{\"kind\":\"mount\",\"name\":\"x\"}' | rveth del -",
            "it is a mount, not a link",
        ),
    ] {
        let stderr = room.fails(2, script);
        assert!(
            stderr.starts_with("rveth: ") && stderr.contains(said),
            "{script}: {stderr}"
        );
    }
}

/// A gateway beside a /32, as clouds give them.
#[test]
fn a_host_alone_has_its_gateway_on_the_link() {
    let room = Room::new();
    let add =
        "rveth add v0 eth0@blue --addr 10.8.0.1/32 --peer-addr 10.9.0.2/32 --peer-gw 10.8.0.1 >&2";
    let shown: Value = serde_json::from_str(&room.ok(&format!(
        "{add}; ip route add 10.9.0.2 dev v0; ip netns exec blue ping -qc1 -W2 10.8.0.1 >&2; ip -n blue -j route show default"
    )))
    .unwrap();
    assert_eq!(
        (&shown[0]["gateway"], &shown[0]["flags"][0]),
        (&"10.8.0.1".into(), &"onlink".into())
    );
    let dry = "rveth add --dry-run v0 eth0@blue --peer-addr 10.9.0.2/32 --peer-gw 10.8.0.1";
    let script = room.ok(dry);
    assert!(
        script.contains("route add default via 10.8.0.1 dev eth0 onlink\n"),
        "{script}"
    );
}

#[test]
fn why_a_parent_takes_no_macvlan_is_said() {
    let room = Room::new();
    let lan = "ip link add lan0 type veth peer name lan1";
    for (script, said) in [
        (
            "rveth add m --macvlan lan0 --mtu 9000",
            "has an MTU of 1500, and a macvlan on it cannot have 9000\nhint: --mtu 1500, or ip link set dev lan0 mtu 9000\n",
        ),
        (
            "rveth add m0 --macvlan lan0 --mode passthru >&2; rveth add m --macvlan lan0",
            "has macvlan \"m0\", and one of mode passthru takes all of it\nhint: rveth del m0 first, or another mode for both\n",
        ),
        (
            "ip link add br9 type bridge; ip link set lan0 master br9; rveth add m --macvlan lan0",
            "is a port of bridge \"br9\"\nhint: rbridge detach lan0 takes it off\n",
        ),
    ] {
        let stderr = room.fails(1, &format!("{lan}; {script}"));
        assert!(
            stderr.ends_with(&format!("creating link \"m\": \"lan0\" {said}")),
            "{script}: {stderr}"
        );
    }
}
