//! What is said of docker's verbs and flags that are not there: each command of a hint is run.

use kit_test::Host;
use rrun::cli::{FLAGS_MISSING, OF_STOPPED, OF_VALUE, OURS, Ours, PLACES, VERBS_ELSEWHERE, Way};

/// Ways that need another machine or a registry: what stands for those is run.
const STAND_INS: [(&str, &str); 7] = [
    // What the image of the tests has.
    ("{IMAGE} true", "{IMAGE} id"),
    ("docker://{IMAGE}", "oci:lay:tools"),
    (
        "skopeo list-tags oci:lay:tools",
        "skopeo list-tags docker-archive:tools.tar",
    ),
    ("skopeo login {REGISTRY}", "skopeo login --help >help"),
    ("skopeo logout {REGISTRY}", "skopeo logout --help >help"),
    ("ssh {HOST} rrun", "rrun"),
    // It ends when the container does.
    ("rrun logs -f {C}", "rrun logs {C}"),
];

/// A host with all that a way speaks of: a running container `web` and a stopped one `old`.
fn host() -> Host {
    let host = Host::new();
    host.ok("runpack save -o tools.tar tools; skopeo copy -q docker-archive:tools.tar oci:lay:tools
        echo data >file; echo key=value >labels; mkdir dir;
        rrun run -d --name web --net none -m 256m -v vol:/data tools sh -c 'echo said; touch /new; exec sleep 1000'
        rrun run --name old --net none tools touch /new");
    host.until("rrun exec web ls /new");
    host
}

/// Of the machine's: cgroups and namespaces with a name are all tests'.
fn name(nth: usize) -> String {
    format!("new{}x{nth}", std::process::id())
}

/// Commands of a way, what it leaves open filled in.
fn filled(sh: &str, way: &Way, container: &str, nth: usize) -> String {
    let mut sh = sh.to_owned();
    for (from, to) in STAND_INS {
        sh = sh.replace(from, to);
    }
    if sh == "rnetns del {NETNS}" && way.word == "network rm" {
        sh = format!("rnetns add {{NETNS}} && {sh}");
    }
    let name = name(nth);
    let netns = format!("n{name}");
    let dir = format!("dir{nth}");
    let is_labels = way.word == "--label-file";
    for (place, value) in [
        (
            "docker-archive:image.tar:{IMAGE}",
            "docker-archive:image.tar:new",
        ),
        ("{VALUE}", way.example),
        ("{VERB}", "run"),
        ("{C}", container),
        ("{WORDS}", "tools"),
        ("{IMAGE}", "tools"),
        ("{NAME}", &name),
        ("{PROGRAM}", "id"),
        ("{COMMAND}", "id"),
        ("{NETNS}", &netns),
        ("{FILE}", if is_labels { "labels" } else { "file" }),
        ("{PATH}", "/new"),
        (
            "{DIR}",
            if way.word == "--volume-driver" {
                "dir"
            } else {
                &dir
            },
        ),
        ("{ID}", &name),
    ] {
        sh = sh.replace(place, value);
    }
    assert!(!PLACES.iter().any(|place| sh.contains(place)), "{sh}");
    // It ends with its container alone.
    sh.replace("while sleep 1; do", "for once in 1; do")
}

/// Does what a way says, and takes away what it made, as it says too.
fn done(host: &Host, way: &Way, container: &str, nth: usize) {
    let sh = filled(way.sh, way, container, nth);
    // Of `network connect` it is the way of `network disconnect`, which comes later.
    let undo = if way.word == "network connect" {
        ""
    } else {
        way.undo
    };
    let undo = if way.word == "umount" {
        "rm -r {DIR}"
    } else {
        undo
    };
    let undo = filled(undo, way, container, nth);
    let name = name(nth);
    // What is the machine's goes, whatever fails.
    let end = format!("rnetns del --force n{name}; rcgroup del --force {name}/{name} {name}");
    let left =
        format!("ls -d dir{nth} box-hosts box-resolv.conf /run/netns/n{name} 2>/dev/null || :");
    let (code, out, said) = host.outcome(&format!(
        "set -e; rm -f image.tar; trap '{end} >/dev/null 2>&1' EXIT; {sh}\n{undo}\n{{ {left}; }} >left"
    ));
    assert_eq!(code, 0, "{}: {sh}: {out}{said}", way.word);
    assert_eq!(host.ok("cat left"), "", "{}", way.word);
    // The kernel takes a namespace's links away by and by.
    host.until("! ip link show veth9 2>/dev/null");
}

#[test]
fn each_verb_elsewhere_is_done_as_its_hint_says() {
    let host = host();
    let ways = VERBS_ELSEWHERE.iter().map(|way| (way, "web"));
    let stopped = OF_STOPPED.iter().map(|way| (way, "old"));
    for (nth, (way, container)) in stopped.chain(ways).enumerate() {
        // One of its own, since it waits for the end or brings it.
        let container = match way.word {
            "events" | "down" => {
                host.ok(&format!(
                    "rrun run -d --name {} --net none tools id",
                    way.word
                ));
                way.word
            }
            "umount" => {
                host.ok(&format!(
                    "rrun create --name umount tools id; rrun bundle umount dir{nth}"
                ));
                "umount"
            }
            _ => container,
        };
        done(&host, way, container, nth);
        let name = name(nth);
        let wanted = match way.word {
            "commit" => format!("rrun run --rm --net none {name} ls /new"),
            "export" => format!("tar -tf {container}.tar ./new"),
            "pull" => "rrun images -q new | grep .".to_owned(),
            "build" | "buildx" => format!("rrun run --rm --net none {name} id"),
            "unpause" => "rrun exec web id".to_owned(),
            "update" => "rrun exec web id; [ $(($(rcgroup get \"$(rrun info -f '{{.Instance}}')/$(rrun inspect -f '{{.Id}}' web)\" memory.max 2>/dev/null || echo 536870912))) = 536870912 ]".to_owned(),
            "volume create" => format!("rrun volume ls -q | grep -x {name}"),
            _ => continue,
        };
        host.ok(&wanted);
    }
}

#[test]
fn each_flag_that_is_missing_has_a_hint_that_works() {
    let host = host();
    let of_value = OF_VALUE.iter().map(|(row, _)| (row, true));
    let rows = FLAGS_MISSING.iter().map(|row| (row, false)).chain(of_value);
    for (nth, (row, is_of_value)) in rows.enumerate() {
        let way = &row.way;
        for verb in row.verbs.iter().filter(|_| !is_of_value) {
            let help = host.ok(&format!("rrun {verb} --help"));
            for flag in row.flags {
                let is_flag = |word: &str| word.trim_matches(',') == *flag;
                assert!(!help.split_whitespace().any(is_flag), "{verb} has {flag}");
                let makes = matches!(*verb, "run" | "create");
                let ours = OURS.iter().find(|row| {
                    makes
                        && (*flag == format!("--{}", row.flag) || row.short == flag.chars().nth(1))
                });
                let (value, error) = match ours {
                    Some(row) => match row.ours {
                        Ours::Switch(on) => (format!("={}", !on), row.refusal(verb)),
                        _ => (" x".to_owned(), row.refusal(verb)),
                    },
                    None => (" x".to_owned(), format!("rrun {verb} has no flag {flag}")),
                };
                let (code, out, said) = host.outcome(&format!("rrun {verb} {flag}{value} tools"));
                let usage = if *verb == "run" { 125 } else { 2 };
                assert_eq!((code, out), (usage, String::new()));
                let line = format!("rrun: {error}\nhint: {}", way.note);
                assert!(said.starts_with(&line), "{said}");
            }
        }
        if way.sh.is_empty() {
            continue;
        }
        // What is started ends by itself.
        let container = if way.word == "--attach" { "old" } else { "web" };
        done(&host, way, container, nth);
    }
}

/// What is typed, and what the hint's commands then print.
const TYPED: &[(&str, &str, &str)] = &[
    (
        "--add-host db:10.0.0.5 --add-host '6=[fd00::5]'",
        "cat /etc/hosts",
        "10.0.0.5 db\nfd00::5 6\n",
    ),
    (
        "--add-host host.docker.internal:host-gateway",
        "cat /etc/hosts",
        ".0.1 host.docker.internal\n",
    ),
    (
        "--add-host up:host-gateway --add-host b:1.2.3.4 --add-host :1.2.3.5",
        "cat /etc/hosts",
        ".0.1 up\n1.2.3.4 b\n",
    ),
    ("--annotation a='b c'", "id", "uid=0"),
    ("--blkio-weight-device /dev/sda:300", "id", "uid=0"),
    ("--cgroup-parent /bk-hints", "cat /proc/1/cgroup", "NAME"),
    ("--cpu-period 50000 --cpu-quota 75000", "id", "uid=0"),
    (
        "--device /dev/null:/dev/none:rwm",
        "ls /dev/none",
        "/dev/none\n",
    ),
    ("--gpus all", "id", "uid=0"),
    (
        "--dns 9.9.9.9 --dns-search a.example --dns-search b.example",
        "cat /etc/resolv.conf",
        "nameserver 9.9.9.9\nsearch a.example b.example\n",
    ),
    (
        "--dns-search a.example",
        "cat /etc/resolv.conf",
        "search a.example\n",
    ),
    (
        "--domainname a.example -h box",
        "cat /proc/sys/kernel/hostname",
        "box.a.example\n",
    ),
    ("--group-add 7 -u 5", "id", "uid=5 gid=7"),
    (
        "--group-add 7 --group-add 8 -u 5",
        "id",
        "groups=0(root),7,8",
    ),
    ("--health-cmd 'echo well'", "id", "well\n"),
    ("--ip 10.9.0.7", "ip -br -4 addr show eth0", "10.9.0.7/24"),
    (
        "--ip6 fd00:9::1",
        "ip -br -6 addr show eth0",
        "fd00:9::1/64",
    ),
    (
        "--mac-address 02:00:00:00:00:0a --ip 10.9.0.1",
        "ip -br link show eth0",
        "02:00:00:00:00:0a",
    ),
    ("--link web:db", "id", "uid=0"),
    ("--network-alias db --network-alias b", "id", ""),
    ("--label-file ./labels", "id", "uid=0"),
    ("--device-read-bps /dev/sda:1mb", "id", "uid=0"),
    ("--kernel-memory 64m", "id", "uid=0"),
    ("--memory-swappiness 5 -m 64m", "id", "uid=0"),
    ("--restart on-failure:3", "id", "uid=0"),
    ("--runtime io.containerd.runc.v2", "id", "uid=0"),
    ("--shm-size 1.5mb", "grep shm /proc/mounts", "size=1536k"),
    (
        "--sysctl net.ipv4.ip_forward=1 --sysctl net.ipv4.tcp_sack=0",
        "cat /proc/sys/net/ipv4/tcp_sack",
        "0\n",
    ),
    ("--sysctl kernel.shmmni=77", "id", "kernel.shmmni = 77\n"),
    (
        "--sysctl kernel.shmmni=78 --sysctl net.ipv4.tcp_sack=0",
        "id",
        "kernel.shmmni = 78\nnet.ipv4.tcp_sack = 0\n",
    ),
    ("--volumes-from web:ro", "ls -d /data", "/data\n"),
];

/// What was typed is in the hint, which can be pasted: a name that it leaves open is put in, and no more.
#[test]
fn a_hint_has_the_value_that_was_typed() {
    let host = host();
    for row in FLAGS_MISSING
        .iter()
        .filter(|row| !row.way.example.is_empty())
    {
        let has = |line: &str| {
            row.flags
                .iter()
                .any(|flag| line.split(' ').any(|word| word == *flag))
        };
        assert!(
            TYPED.iter().any(|(typed, ..)| has(typed)),
            "{}",
            row.way.word
        );
    }
    for (nth, (typed, command, wanted)) in TYPED.iter().enumerate() {
        let (_, _, said) = host.outcome(&format!("rrun run {typed} tools {command}"));
        let hint = said
            .lines()
            .find_map(|line| line.strip_prefix("hint: "))
            .unwrap_or_default();
        let all = FLAGS_MISSING
            .iter()
            .chain(OF_VALUE.iter().map(|(row, _)| row));
        let mut notes = all.filter_map(|row| hint.strip_prefix(&format!("{}: ", row.way.note)));
        let sh = notes.next_back().unwrap_or(hint);
        let name = name(100 + nth);
        let put = |sh: &str| {
            let words = sh
                .replace("@NETNS", &format!("@{name}"))
                .replace("ns:NETNS", &format!("ns:{name}"));
            let words = words.split(' ').map(|word| match word {
                "NETNS" | "NAME" | "ID" => name.clone(),
                "DIR" => format!("dir{nth}"),
                "C" => "web".to_owned(),
                "C)" => "web)".to_owned(),
                word => word
                    .replace("/NAME", &format!("/{name}"))
                    .replace("DIR/", &format!("dir{nth}/")),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let (sh, undo) = sh.split_once("  # afterwards: ").unwrap_or((sh, ":"));
        let (code, out, said) = host.outcome(&put(sh));
        assert!(
            code == 0 && out.contains(&wanted.replace("NAME", &name)),
            "{typed}: {sh}: {out}{said}"
        );
        host.ok(&put(undo));
        // The kernel takes a namespace's links away by and by.
        host.until("! ip link show veth9 2>/dev/null");
        host.ok("rcgroup del --force bk-hints 2>/dev/null || :");
    }
    let (code, _, said) =
        host.outcome("rrun create --name box --ip 10.9.0.7 tools sh -c 'echo $0'");
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "rrun: rrun create has no flag --ip\nhint: a network namespace of yours has the address that you give it: rnetns add NETNS && rveth add eth0@NETNS veth9 --addr 10.9.0.7/24 --gw 10.9.0.1 --peer-addr 10.9.0.1/24 && rrun create --net ns:NETNS tools sh -c 'echo $0'  # afterwards: rnetns del NETNS\n"
        )
    );
}

/// A hint never writes what is the whole machine's.
#[test]
fn no_hint_writes_a_sysctl_of_the_host() {
    let host = Host::bare();
    for typed in [
        "--sysctl vm.swappiness=61",
        "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.panic=1",
        "--sysctl kernel.panic=1 --sysctl net.ipv4.ip_forward=1",
        "--sysctl net/../kernel/panic=1",
        "--sysctl net.ipv4.ip_forward=1 --net host",
    ] {
        let (code, _, said) = host.outcome(&format!("rrun run {typed} tools id"));
        let hint = said.lines().nth(1).unwrap_or_default();
        assert_eq!(code, 125, "{typed}");
        assert!(
            hint.ends_with("is the whole host's, where its owner sets it: leave it out")
                && !hint.contains("sysctl -w"),
            "{typed}: {hint}"
        );
    }
}

/// No command of a hint has an empty name.
#[test]
fn a_value_without_a_name_fills_no_place() {
    let host = Host::bare();
    for typed in [
        "--pid=container:",
        "--ipc=container:",
        "--link :db",
        "--volumes-from :ro",
        "--runtime io.containerd.",
    ] {
        let (_, _, said) = host.outcome(&format!("rrun run {typed} tools id"));
        assert!(
            said.contains("hint: ") && !said.contains("''"),
            "{typed}: {said}"
        );
    }
}
