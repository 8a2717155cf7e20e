//! rnetns against the running kernel, each test in a mount namespace of its own with a /run of its own. What it
//! did is read by ip(8) and findmnt(8); a dry-run is replayed by sh and must leave the same.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod lists;

use std::process::Output;

struct Room(kit_test::Room);

impl Room {
    fn new() -> Self {
        let namespaces = &["--net", "--mount", "--propagation", "private"];
        Self(kit_test::Room::apart(namespaces, "mount -t tmpfs t /run\n"))
    }

    fn sh(&self, script: &str) -> Output {
        self.0.sh(script)
    }

    fn ok(&self, script: &str) -> String {
        self.0.ok(script)
    }

    /// The names, what is in them and what is mounted there, but for inodes, after the script.
    fn state(&self, script: &str) -> String {
        self.ok(&format!(
            "{{ :; {script}\n}} >/dev/null
             ip netns list | sed 's/ .*//' | sort
             for n in $(ip netns list | sed 's/ .*//' | sort); do ip -n $n -j addr; done
             findmnt -rn -o TARGET,FSTYPE,PROPAGATION | grep '^/run'; find /run | sort"
        ))
    }
}

#[test]
fn a_dry_run_changes_nothing_and_replayed_leaves_the_same() {
    let room = Room::new();
    for (before, verb) in [
        ("", "add blue"),
        ("", "add --lo-down blue"),
        ("", "add blue green"),
        ("rnetns add red", "add blue"),
        ("rnetns add blue green", "del blue"),
        ("rnetns add blue green", "del blue green"),
        ("ip netns add blue", "del --force blue nothing"),
    ] {
        let (name, rest) = verb.split_once(' ').unwrap();
        let dry = format!("rnetns {name} --dry-run {rest}");
        let untouched = room.state(before);
        assert_eq!(room.state(&format!("{before}\n{dry}")), untouched, "{verb}");
        let ours = room.state(&format!("{before}\nrnetns {verb}"));
        assert_ne!(ours, untouched, "{verb} does nothing");
        let replayed = room.state(&format!("{before}\n{dry} >script; dash script"));
        assert_eq!(ours, replayed, "{verb}");
    }
}

/// ip(8) beside them, which takes the same lock.
#[test]
fn of_many_that_add_the_first_name_at_once_one_makes_the_mount() {
    let room = Room::new();
    // Under the room's /run there may be the host's own mount.
    let said = room.ok("
    mounts() { findmnt -rn -o TARGET | grep -cx /run/netns || :; }
    before=$(mounts)
    for i in $(seq 12); do
        case $i in *[05]) ip netns add n$i & ;; *) rnetns add n$i >/dev/null & ;; esac
    done; wait
    echo $(($(mounts) - before)); ip netns list | wc -l; for i in $(seq 12); do rnetns del n$i; done");
    assert_eq!(said, "1\n12\n");
}

#[test]
fn wrong_input_is_one_line_and_leaves_nothing() {
    let room = Room::new();
    let names = "ip netns list; find /run/netns -type f 2>/dev/null || :";
    for (script, code, line) in [
        ("rnetns add ''", 2, "\"\""),
        ("rnetns add a/b", 2, "\"a/b\""),
        ("rnetns add fine ..", 2, "\"..\""),
        (
            "ip netns add blue; trap 'ip netns del blue' EXIT; rnetns del blue ../x",
            2,
            "\"../x\"",
        ),
        ("rnetns del blue", 1, "\"blue\""),
        ("rnetns show blue", 1, "\"blue\""),
        ("rnetns exec blue -- true", 125, "\"blue\""),
        ("rnetns exec pid:999999999 -- true", 125, "999999999"),
        ("rnetns exec /etc/passwd -- true", 125, "\"/etc/passwd\""),
        (
            "rnetns exec /proc/self/ns/mnt -- true",
            125,
            "it is a mount namespace",
        ),
        ("rnetns add", 2, "missing"),
        (
            "rnetns list | head -n 0; echo '{\"kind\":\"link\",\"name\":\"v0\"}' | rnetns del -",
            2,
            "it is a link, not a netns",
        ),
        (
            "ip netns add blue; trap 'ip netns del blue' EXIT; rnetns add blue",
            1,
            "\"blue\"",
        ),
        (
            "ip netns add blue; trap 'ip netns del blue' EXIT; rnetns exec blue -- nothing-of-that-name",
            127,
            "\"nothing-of-that-name\"",
        ),
        (
            "ip netns add blue; trap 'ip netns del blue' EXIT; rnetns exec blue -- /etc/passwd",
            126,
            "\"/etc/passwd\"",
        ),
    ] {
        let out = room.sh(&format!("( {script} ) || code=$?; {names}; exit $code"));
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(code), "{script}: {said}");
        assert_eq!(out.stdout, b"", "{script} left something");
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines[0].starts_with("rnetns: ") && lines[0].contains(line),
            "{script}: {said}"
        );
        assert!(
            lines.len() <= 2 && lines.iter().skip(1).all(|l| l.starts_with("hint: ")),
            "{said}"
        );
    }
}

#[test]
fn a_program_is_executed_as_env_would() {
    let room = Room::new();
    assert_eq!(
        room.ok("ip netns add blue; printf '#!/no/such/shell\\n' >odd; chmod +x odd; code=0
             rnetns exec blue sh -c 'ip -o link | wc -l'; rnetns exec blue -- env -i echo -n -- word; echo
             sh -c 'trap \"\" HUP; rnetns exec blue -- sh -c \"kill -HUP \\$\\$; echo lives\"'
             rnetns exec blue -- ./odd 2>&1 || code=$?; echo $code; ip netns del blue"),
        "1\n-- word\nlives\nrnetns: executing \"./odd\": its interpreter \"/no/such/shell\" is not on this machine\n126\n"
    );
}

#[test]
fn what_is_no_program_is_not_given_to_a_shell() {
    let room = Room::new();
    room.ok(": >empty; echo 'exit 0' >plain; chmod +x empty plain");
    // A header of AArch64, e_machine 183.
    let mut elf = std::fs::read("/bin/true").unwrap();
    elf[18..20].copy_from_slice(&183_u16.to_le_bytes());
    std::fs::write(room.0.path("plain").with_file_name("elf"), elf).unwrap();
    let this = std::env::consts::ARCH;
    for (file, said) in [
        ("empty", "the file is empty".to_owned()),
        (
            "plain",
            "it is neither a program nor a script that begins with #!".to_owned(),
        ),
        (
            "elf",
            format!("it is a program for aarch64, and this machine is {this}"),
        ),
    ] {
        assert_eq!(
            room.0.fails(
                126,
                &format!("chmod +x {file}; ip netns add blue; rnetns exec blue ./{file}")
            ),
            format!("rnetns: executing \"./{file}\": {said}\n")
        );
    }
}

#[test]
fn a_signal_stops_it_unless_the_caller_ignores_it() {
    let room = Room::new();
    let sent = |kind: &str| {
        room.ok(&format!(
            "rnetns add $(seq -f n%g 200) >/dev/null 2>&1 & until [ -e /run/netns/n1 ]; do :; done
             n=0; while kill -{kind} $! 2>/dev/null; do n=$((n+1)); done
             code=0; wait $! || code=$?; echo $code $(($(ip netns list | wc -l) == 200)) $((n > 9))"
        ))
    };
    // A shell ignores SIGINT in what it runs in the background, as `trap ''` does in what it runs next.
    assert_eq!(sent("INT"), "0 1 1\n");
    assert_eq!(sent("TERM"), "143 0 1\n");
}

#[test]
fn a_journal_that_cannot_be_written_takes_the_verb_back() {
    let room = Room::new();
    let mut in_the_journal = 0;
    for number in 1.. {
        let out = room.sh(&format!(
            "code=0; strace -qq -o log -e trace=write -e inject=write:error=ENOSPC:when={number} rnetns add red >out || code=$?
             ip netns list; find run/journals -type f; rm -rf run; exit $code"
        ));
        let said = String::from_utf8(out.stderr).unwrap();
        let left = String::from_utf8(out.stdout).unwrap();
        match out.status.code() {
            Some(0) => break,
            _ if said.contains("standard output") => assert_eq!(left, "red\n"),
            code => {
                assert_eq!(
                    (code, left.as_str()),
                    (Some(1), ""),
                    "write {number}: {said}"
                );
                let line = said.lines().next().unwrap();
                assert!(
                    line.starts_with("rnetns: writing journal \"")
                        && line.ends_with("\": No space left on device"),
                    "{said}"
                );
                in_the_journal += 1;
            }
        }
    }
    // Its header, what was made, and that it stands.
    assert_eq!(in_the_journal, 3);
}

#[test]
fn it_finishes_though_nobody_reads_and_says_what_it_could_not_read() {
    let room = Room::new();
    let script = "{ sleep 0.2; code=0; rnetns add a b c || code=$?; echo $code >code; } | true
         until [ -e code ]; do sleep 0.01; done; cat code; ip netns list | sort";
    assert_eq!(room.ok(script).replace('\n', " "), "0 a b c ");
    for (from, code, said) in [
        ("</", 1, "names from standard input: Is a directory"),
        (
            "<odd",
            2,
            "name \"\\xE9\" from standard input: it is not UTF-8",
        ),
    ] {
        let out = room.sh(&format!("printf '\\351' >odd; rnetns del - {from}"));
        assert_eq!(out.status.code(), Some(code));
        assert_eq!(
            String::from_utf8(out.stderr).unwrap(),
            format!("rnetns: reading {said}\n")
        );
    }
}

#[test]
fn exec_shows_the_links_and_the_files_of_the_namespace_and_leaves_the_hosts_alone() {
    let room = Room::new();
    // An /etc of the test's own, and a resolv.conf that leads nowhere, as on a host with systemd-resolved that is stopped.
    let etc = "mkdir etc; cp /etc/passwd /etc/hosts etc; mount --bind etc /etc; mkdir -p /etc/netns/blue /etc/netns/blue/dir /etc/dir
        ln -s ../run/nowhere/stub.conf /etc/resolv.conf; echo nameserver 10.9.9.9 >/etc/netns/blue/resolv.conf
        echo '10.9.0.7 seven' >/etc/netns/blue/hosts; : >/etc/netns/blue/dir/inside; : >/etc/netns/blue/nothing
        ip netns add blue; ip -n blue link add v0 type veth peer name v1";
    let said = room.ok(&format!(
        "{etc}; mount >before; sum() {{ find etc -type f -exec cat {{}} +; find etc | sort; }}; sum >etc.before
         for n in 1 2 3; do rnetns exec blue -- sh -c 'ls /sys/class/net | sort; cat /etc/resolv.conf /etc/hosts; ls /etc/dir; findmnt -n -o FSTYPE /sys' 2>err; done >out
         rnetns exec blue -- mount -t tmpfs inside /mnt 2>>err
         mount | diff before - >&2; sum | diff etc.before - >&2; sort -u err >&2; head -8 out"
    ));
    assert_eq!(
        said,
        "lo\nv0\nv1\nnameserver 10.9.9.9\n10.9.0.7 seven\ninside\nsysfs\nlo\n"
    );
    let out = Room::new().sh(&format!("{etc}; rnetns exec blue true"));
    // ip(8) says of both that it cannot.
    let said = String::from_utf8(out.stderr).unwrap();
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("Bind "))
        .collect();
    assert_eq!(
        ours.join("\n"),
        "rnetns: mounting \"/etc/netns/blue/nothing\" on \"/etc/nothing\": No such file or directory\nhint: a file of /etc to mount it on: touch /etc/nothing"
    );
    assert_eq!(out.status.code(), Some(0));
}

#[test]
fn exec_keeps_what_is_mounted_beneath_sys() {
    let room = Room::new();
    let below = "findmnt -rn -o TARGET | grep ^/sys/ | sort";
    let outside = room.ok(below);
    assert_eq!(
        room.ok(&format!(
            "ip netns add blue; rnetns exec blue -- sh -c '{below}'"
        )),
        outside
    );
}

#[test]
fn the_words_of_ip_and_docker_are_understood() {
    let room = Room::new();
    assert_eq!(
        room.ok("rnetns create a b c d e; rnetns delete a; rnetns rm b; rnetns remove c; rnetns ls -q; rnetns show -q"),
        "a\nb\nc\nd\ne\nd\ne\nd\ne\n"
    );
    assert_eq!(room.ok("rnetns ls --json | rnetns rm -; rnetns ls -q"), "");
    assert_eq!(
        room.ok("rnetns add x >&2; rnetns list | head -1"),
        "NAME  INODE       PIDS\n"
    );
}

#[test]
fn a_hint_with_a_blank_in_its_name_can_be_pasted() {
    let room = Room::new();
    let said = room.0.fails(1, "rnetns del 'a b'");
    assert!(said.ends_with("rnetns add 'a b' makes it\n"), "{said}");
}
