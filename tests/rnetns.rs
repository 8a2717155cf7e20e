//! rnetns against the running kernel, each test in a mount namespace of its own with a /run of its own. What it
//! did is read by ip(8) and findmnt(8); a dry-run is replayed by sh and must leave the same.
#![allow(clippy::unwrap_used)] // a test stops where it fails

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

#[test]
fn wrong_input_is_one_line_and_leaves_nothing() {
    let room = Room::new();
    let names = "ip netns list; find /run/netns -type f 2>/dev/null || :";
    for (script, code, line) in [
        ("rnetns add ''", 1, "\"\""),
        ("rnetns add a/b", 1, "\"a/b\""),
        ("rnetns add ..", 1, "\"..\""),
        ("rnetns del blue", 1, "\"blue\""),
        ("rnetns show blue", 1, "\"blue\""),
        ("rnetns exec blue -- true", 125, "\"blue\""),
        ("rnetns exec pid:999999999 -- true", 125, "999999999"),
        ("rnetns exec /etc/passwd -- true", 125, "\"/etc/passwd\""),
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
fn nothing_on_standard_input_does_nothing() {
    let room = Room::new();
    assert_eq!(
        room.ok("rnetns add - </dev/null; rnetns del - </dev/null; ip netns list"),
        ""
    );
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
    let reading = "rnetns: reading names from standard input: ";
    for (from, why) in [
        ("</", "Is a directory"),
        ("<odd", "stream did not contain valid UTF-8"),
    ] {
        let out = room.sh(&format!("printf '\\351' >odd; rnetns del - {from}"));
        assert_eq!(out.status.code(), Some(1));
        assert_eq!(
            String::from_utf8(out.stderr).unwrap(),
            format!("{reading}{why}\n")
        );
    }
}
