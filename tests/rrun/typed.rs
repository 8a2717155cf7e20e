//! What is typed with one of docker's flags that is missing: the hint has it.

use kit_test::Host;
use rrun::cli::{FLAGS_MISSING, OF_VALUE};

use crate::ways::{host, name};

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
        .filter(|row| row.verbs.contains(&"run") && !row.way.example.is_empty())
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
        let (_, _, said) = host.outcome(&format!("rrun run -e KEPT=yes {typed} tools {command}"));
        let hint = said
            .lines()
            .find_map(|line| line.strip_prefix("hint: "))
            .unwrap_or_default();
        let all = FLAGS_MISSING
            .iter()
            .chain(OF_VALUE.iter().map(|(row, _)| row));
        let mut notes = all.filter_map(|row| hint.strip_prefix(&format!("{}: ", row.way.note)));
        let sh = notes.next_back().unwrap_or(hint);
        // What repeats IMAGE repeats the flags before it.
        let repeats = sh.contains(&format!("tools {command}"));
        assert!(!repeats || sh.contains("-e KEPT=yes"), "{typed}: {sh}");
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
            "rrun: rrun create has no flag --ip\nhint: a network namespace of yours has the address that you give it: rnetns add NETNS && rveth add eth0@NETNS veth9 --addr 10.9.0.7/24 --gw 10.9.0.1 --peer-addr 10.9.0.1/24 && rrun create --net ns:NETNS --name box tools sh -c 'echo $0'  # afterwards: rnetns del NETNS\n"
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

/// A hint repeats the flags that were typed, but for those that its way has no room for.
#[test]
fn a_hint_keeps_the_flags_that_were_typed() {
    let host = host();
    let resolver = "printf '%s\\n' 'nameserver 9.9.9.9' >box-resolv.conf && rrun VERB -v \"$PWD/box-resolv.conf:/etc/resolv.conf:ro\"";
    for (typed, sh) in [
        (
            "run --dns 9.9.9.9 -u 5 --cap-drop ALL --net none --read-only -m 64m -p 80 --name=x tools id",
            format!(
                "{resolver} -u 5 --cap-drop ALL --net none --read-only -m 64m -p 80 --name x tools id"
            ),
        ),
        (
            "create -it --rm=false --privileged --dns=9.9.9.9 -w/tmp tools",
            format!("{resolver} -i -t --rm=false --privileged -w /tmp tools"),
        ),
        // Flags of docker's that change nothing are no part of what is wanted.
        (
            "run --dns 9.9.9.9 --ipc private tools",
            format!("{resolver} tools"),
        ),
        (
            "run --domainname a.example -h b -e 'A=b c' tools",
            "rrun run -h b.a.example -e 'A=b c' tools".to_owned(),
        ),
        (
            "run -d -p 80:80 -h x --net none --link web -u 5 tools",
            "rrun run --net container:web -d -u 5 tools".to_owned(),
        ),
        (
            "run -d --name x --rm --restart always -u 5 tools id",
            "while sleep 1; do rrun run --rm --name x -u 5 tools id; done".to_owned(),
        ),
        (
            "run -it -u 5 -m 64m --pid=container:web tools id",
            "rrun exec -i -t -u 5 web id".to_owned(),
        ),
        (
            "run -d --detach-keys ctrl-a --name x --runtime runc -u 5 tools id",
            "rrun create --name x -u 5 tools id && rrun bundle x DIR && runc run -b DIR ID"
                .to_owned(),
        ),
    ] {
        let (_, _, said) = host.outcome(&format!("rrun {typed}"));
        let verb = typed.split(' ').next().unwrap();
        let sh = sh.replace("VERB", verb);
        let hint = said.lines().nth(1).unwrap_or_default();
        let hint = hint.split("  # afterwards: ").next().unwrap_or_default();
        assert!(hint.ends_with(&format!(": {sh}")), "{typed}:\n{hint}\n{sh}");
    }
    for (typed, wanted) in [
        (
            "--dns 9.9.9.9 -e KEPT=yes tools sh -c 'echo $KEPT'",
            "yes\n",
        ),
        (
            "--shm-size 8m --read-only -u 5 tools sh -c 'touch /x 2>/dev/null || id -u'",
            "5\n",
        ),
        (
            "--add-host a:1.2.3.4 --net none --name kept tools cat /sys/class/net/lo/operstate",
            "unknown\n",
        ),
    ] {
        let (_, _, said) = host.outcome(&format!("rrun run {typed}"));
        let hint = said.lines().nth(1).unwrap_or_default();
        let hint = hint.trim_start_matches("hint: ");
        let sh = hint
            .split_once(": ")
            .filter(|(note, _)| note.starts_with("a file"));
        let sh = sh.map_or(hint, |(_, sh)| sh);
        assert!(host.ok(sh).ends_with(wanted), "{typed}: {sh}");
    }
}
