//! rveth against the running kernel, each test in a network and mount namespace of its own, with a /run of its
//! own for named namespaces. What it did is read by ip(8) and tried with ping(8); a dry-run is replayed by sh.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod replay;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output};

use kit_plan::{Context, Header, Journal, Mark, Plan, Roots, Silent};
use rveth::{At, Cable, End, Raise};
use serde_json::Value;

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a script of sh where the namespaces blue and green are there, and nothing else is.
    fn sh(&self, script: &str) -> Output {
        let bin = Path::new(env!("CARGO_BIN_EXE_rveth")).parent().unwrap();
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        let script = format!(
            "mount -t tmpfs t /run; mkdir /run/netns; ip netns add blue; ip netns add green; ip link set lo up\n{script}"
        );
        Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-euc",
                &script,
            ])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("BOXKIT_ROOT", self.dir.path().join("root"))
            .env("BOXKIT_RUN", self.dir.path().join("run"))
            .output()
            .unwrap()
    }

    fn ok(&self, script: &str) -> String {
        let out = self.sh(script);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert!(out.status.success(), "{script}\n{stdout}\n{stderr}");
        stdout
    }

    /// The standard error of a command that must fail with `code`, having left no link behind.
    fn fails(&self, code: i32, script: &str) -> String {
        let left = "for n in '' '-n blue' '-n green'; do ip $n -o link show; done | grep -v ': lo:' >left || :";
        let out = self.sh(&format!("left() {{ {left}; }}; trap left EXIT; {script}"));
        let stderr = text(&out.stderr);
        assert_eq!(
            out.status.code(),
            Some(code),
            "{script}\n{}\n{stderr}",
            text(&out.stdout)
        );
        stderr
    }

    fn left(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("left")).unwrap()
    }

    /// What ip(8) shows after the script in our namespace, blue and green, less what chance decides; `known` are
    /// the hardware addresses that were asked for.
    fn state(&self, script: &str, known: &[&str]) -> Value {
        let all = self.ok(&format!(
            "{{ :; {script}\n}} >/dev/null; for n in '' '-n blue' '-n green'; do ip $n -d -j addr; echo; ip $n -j route; echo; done"
        ));
        let parts = all.lines().filter(|line| !line.trim().is_empty());
        let mut all: Vec<Value> = parts
            .map(|part| serde_json::from_str(part).unwrap())
            .collect();
        for part in &mut all {
            replay::forget_links(part, known);
        }
        Value::Array(all)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The last command of the line, with --dry-run.
fn dry_run(script: &str) -> String {
    let at = script.rfind("rveth ").unwrap() + "rveth ".len();
    let end = at + script[at..].find(' ').unwrap();
    format!("{} --dry-run{}", &script[..end], &script[end..])
}

const PAIR: &str = "rveth add left@blue right@green --addr 10.9.0.1/24 --peer-addr 10.9.0.2/24";

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
    let script = "unshare --net sleep 60 & sleep 0.2; trap \"kill $!\" EXIT; rveth add a@pid:$! b@/run/netns/green >/dev/null; \
                  nsenter -t $! --net ip -br link show a; ip -n green -br link show b; rveth list --netns green";
    let out = room.ok(script);
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
            assert_eq!(
                room.fails(1, &script),
                format!("rveth: naming link \"{shown}\": {why}\n")
            );
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
            "rveth add a@blue a@blue",
            "creating link \"a@blue\": both ends have the same name in the same namespace\n",
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
            "deleting link \"lo\": it is a physical link, neither a veth nor a macvlan\n",
        ),
        (
            "rveth set lo --mtu 1400",
            "changing link \"lo\": it is a physical link, neither a veth nor a macvlan\n",
        ),
    ] {
        assert_eq!(room.fails(1, script), format!("rveth: {said}"), "{script}");
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
    let journals =
        std::fs::read_dir(room.dir.path().join("run/journals")).map_or(0, Iterator::count);
    assert_eq!(journals, 0);
}

#[test]
fn explain_shows_the_steps() {
    let room = Room::new();
    let out = room.sh("rveth add v0 eth0@blue --peer-addr 10.9.0.2/24 --explain");
    let said = text(&out.stderr);
    assert!(said.starts_with("1/3 a cable: what goes in at v0 comes out at eth0@blue\n      ip link add name v0 up type veth peer name eth0 netns blue\n"), "{said}");
    assert!(said.contains("2/3 eth0 has its address, and is up\n      ip -n blue addr add 10.9.0.2/24 dev eth0\n      ip -n blue link set dev eth0 up\n"), "{said}");
}

/// Runs `test` on a thread in a network namespace of its own, which then ends, with a second one, opened.
fn between_two_namespaces(test: impl FnOnce(OwnedFd) + Send) {
    let netns = || {
        kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWNET).unwrap();
        OwnedFd::from(File::open("/proc/thread-self/ns/net").unwrap())
    };
    std::thread::scope(|scope| {
        let run = || {
            let inside = netns();
            drop(netns());
            test(inside);
        };
        scope.spawn(run).join().unwrap();
    });
}

/// ip(8) in the calling thread's namespace.
fn ip(args: &[&str]) -> Value {
    let out = Command::new("ip").arg("-j").args(args).output().unwrap();
    assert!(out.status.success(), "ip {args:?}: {}", text(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
}

/// What a runtime does for a container on a bridge, and then its rollback.
#[test]
fn the_steps_of_a_runtime_plug_a_container_into_a_bridge() {
    between_two_namespaces(|inside| {
        ip(&["link", "add", "name", "bk9", "up", "type", "bridge"]);
        let at = At::Opened {
            fd: "netns",
            path: "/run/netns/inside".into(),
        };
        let mark = Mark::new(Roots::at("/r".into(), "/run/boxkit-test".into()).instance);
        let group = mark.instance.link_group();
        let mut plan = Plan::new("run");
        plan.push(Cable {
            bridge: Some("bk9".to_owned()),
            mark: Some(rveth::Mark { group, kept: true }),
            ..Cable::new(
                End::new("bk123456789ab", At::Own),
                End::new("eth0", at.clone()),
            )
        });
        plan.push(rveth::Label {
            link: "bk123456789ab".to_owned(),
            alias: "web".to_owned(),
        });
        plan.push(Raise {
            at,
            name: "eth0".to_owned(),
            addrs: vec!["10.9.0.2/24".parse().unwrap()],
            gateways: vec!["10.9.0.1".parse().unwrap()],
        });
        let script = plan.script().unwrap();
        let create = format!(
            "ip link add name bk123456789ab up master bk9 group {group} type veth peer name eth0 netns /run/netns/inside\n"
        );
        assert!(script.contains(&create), "{script}");
        assert!(
            script.contains("ip link set dev bk123456789ab alias web\n"),
            "{script}"
        );
        assert!(
            script.contains("nsenter --net=/run/netns/inside ip addr add 10.9.0.2/24 dev eth0\n"),
            "{script}"
        );

        let mut journal = Journal::in_memory(Header::new(&mark, "run".to_owned()).unwrap());
        let mut cx = Context::new(mark);
        cx.put_fd("netns", inside.try_clone().unwrap());
        let kernel = kit_undo::Kernel::new();
        plan.apply(&mut cx, &mut journal, &kernel, &mut Silent)
            .unwrap();
        let host = ip(&["link", "show", "dev", "bk123456789ab"]);
        assert_eq!(
            (&host[0]["master"], &host[0]["ifalias"]),
            (&"bk9".into(), &"web".into())
        );
        assert_eq!(
            host[0]["group"],
            group.to_string(),
            "the mark stays: it is a container's"
        );
        assert!(
            host[0]["flags"].as_array().unwrap().contains(&"UP".into()),
            "{host}"
        );
        let seen = kit_net::Netlink::open_in(std::os::fd::AsFd::as_fd(&inside)).unwrap();
        assert!(seen.need_link("eth0").unwrap().up);
        assert!(
            seen.routes()
                .unwrap()
                .iter()
                .any(kit_net::Route::is_default)
        );

        assert!(journal.rollback(&kernel, &mut Silent).is_empty());
        assert_eq!(
            ip(&["link", "show", "type", "veth"]),
            Value::Array(Vec::new())
        );
        assert!(seen.link("eth0").unwrap().is_none());
        assert_eq!(
            ip(&["link", "show", "dev", "bk9"])[0]["ifname"],
            "bk9",
            "the bridge is somebody else's"
        );
    });
}
