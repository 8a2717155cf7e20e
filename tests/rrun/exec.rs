//! A program inside: its streams, its terminal, what it may do.

use std::time::{Duration, Instant};

use kit_test::Host;

/// A host with a container "box".
fn boxed() -> Host {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    host
}

/// What comes of it in a terminal in which `typed` types.
fn at_terminal(host: &Host, typed: &str, command: &str) -> (i32, String) {
    let (code, out, _) = host.outcome(&format!("({typed}) | script -qec '{command}' /dev/null"));
    (code, out)
}

#[test]
fn a_detached_one_speaks_to_nobody_and_goes_on() {
    let host = boxed();
    let start = Instant::now();
    let script = "echo a; sleep 0.5; cat /etc/hosts || exit; echo done >/tmp/done; exec sleep 30";
    assert_eq!(
        host.ok(&format!("rrun exec -d box sh -c '{script}' | cat")),
        ""
    );
    let script = "head -c 300000 /dev/zero && echo done >/tmp/drained; exec sleep 31";
    assert_eq!(
        host.ok(&format!("rrun exec -dt box sh -c '{script}' | cat")),
        ""
    );
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "nothing of ours is kept open"
    );
    assert_eq!(host.until("rrun exec box grep . /tmp/done"), "done\n");
    assert_eq!(host.until("rrun exec box grep . /tmp/drained"), "done\n");
    let streams = "for p in /proc/[0-9]*; do grep -qzx 3[01] $p/cmdline && readlink $p/fd/0 $p/fd/1 $p/fd/2; done; :";
    let streams = host.ok(&format!("rrun exec box sh -c '{streams}' | sort"));
    assert_eq!(
        streams.split_once("/dev/pts"),
        Some((
            "/dev/null\n/dev/null\n/dev/null\n",
            "/0\n/dev/pts/0\n/dev/pts/0\n"
        ))
    );
}

#[test]
fn the_detach_keys_leave_it_running() {
    let host = boxed();
    let typed =
        "sleep 0.5; printf \"echo up-\\$((40+2))\\n\"; sleep 0.3; printf \"\\020\\021\"; sleep 0.5";
    let (code, out) = at_terminal(
        &host,
        typed,
        "rrun exec -it box sh -c \"echo \\$\\$ >/tmp/pid; exec sh\"; echo code=$?; stty -a",
    );
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("up-42"), "{out}");
    assert!(
        out.contains("rrun: read escape sequence\r\ncode=1\r\n"),
        "{out}"
    );
    assert!(out.contains(" icanon"), "{out}");
    host.ok("sleep 0.3; rrun exec box sh -c 'kill -0 $(cat /tmp/pid)'");
    // It can be heard out, and its end is seen.
    let loud =
        "rrun exec -it box sh -c \"sleep 1; head -c 300000 /dev/zero && echo over >/tmp/over\"";
    let (code, _) = at_terminal(&host, "sleep 0.5; printf \"\\020\\021\"; sleep 0.5", loud);
    assert_eq!(code, 1);
    assert_eq!(host.until("rrun exec box grep . /tmp/over"), "over\n");
}

#[test]
fn input_waits_for_the_program_while_its_output_flows() {
    let host = boxed();
    let sum = "head -c 200000 /dev/zero | timeout -s KILL 20 rrun exec -i box sh -c 'sleep .2; head -c 200000 /dev/zero; cat' | wc -c";
    assert_eq!(host.ok(sum).trim(), "400000");
    let sum = "seq 100000 | timeout -s KILL 20 rrun exec -i box sh -c 'head -c 10000000 /dev/zero; cat' | wc -c";
    assert_eq!(host.ok(sum).trim(), "10588895");
    // Its outputs are closed, and it still reads.
    let kept = "head -c 200000 /dev/zero | timeout -s KILL 20 rrun exec -i box sh -c 'exec >&- 2>&-; cat >/tmp/x'; rrun exec box cat /tmp/x | wc -c";
    assert_eq!(host.ok(kept).trim(), "200000");
    // And one that reads no more does not hold up its end.
    let start = Instant::now();
    assert_eq!(
        host.code("yes | timeout -s KILL 20 rrun exec -i box sh -c 'head -n 1; exit 3'"),
        3
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn its_terminal_follows_the_callers() {
    let host = boxed();
    let (code, out) = at_terminal(
        &host,
        "sleep 2",
        "stty rows 31 cols 97; (sleep 0.6; stty rows 20 cols 50 </dev/tty) & \
         rrun exec -it box sh -c \"stty size; trap \\\"echo winch\\\" WINCH; sleep 1; stty size; exit 4\"",
    );
    assert_eq!(code, 4, "{out}");
    assert!(out.contains("31 97\r\n"), "{out}");
    assert!(out.contains("winch\r\n20 50\r\n"), "{out}");
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let host = boxed();
    let (code, out, said) = host.outcome("rrun exec -w /typo box pwd");
    assert_eq!((code, out.as_str()), (126, ""));
    assert_eq!(
        said,
        "rrun: entering working directory \"/typo\": No such file or directory\n"
    );
    assert_eq!(host.code("rrun exec box sh -c '[ -e /typo ]'"), 1);
    let (code, _, said) = host.outcome("rrun exec -w rel box pwd");
    assert_eq!(
        (code, said.as_str()),
        (126, "rrun: Cwd must be an absolute path\n")
    );
    assert_eq!(host.code("rrun exec box sh -c '[ -e /rel ]'"), 1);
    assert_eq!(
        host.ok("rrun run --rm --net none -w /new/one tools sh -c pwd"),
        "/new/one\n"
    );
}

#[test]
fn a_privileged_one_has_all_capabilities() {
    let host = boxed();
    let all = host.ok("rrun run --rm --net none --privileged tools grep -E 'Cap(Prm|Eff|Bnd)|Seccomp:' /proc/self/status");
    let inside = "box grep -E 'Cap(Prm|Eff|Bnd)|Seccomp:' /proc/self/status";
    assert_eq!(host.ok(&format!("rrun exec --privileged {inside}")), all);
    let some = host.ok(&format!("rrun exec {inside}"));
    assert!(some.contains("CapEff:\t00000000a80425fb\n"), "{some}");
}

/// The container was unattended when it ended, and its number is another process's by now.
#[test]
fn a_reused_number_is_no_container() {
    let host = boxed();
    host.ok(
        "state=root/containers/$(rrun ps -q --no-trunc)/state.json
        slay $(jq .monitor.pid,.process.pid $state)
        sleep 1000 >log 2>&1 & echo $! >other; jq \".process.pid = $!\" $state >new; cp new $state",
    );
    let said =
        "rrun: executing in container \"box\": it is not running\nhint: rrun start box starts it\n";
    assert_eq!(
        host.outcome("rrun exec box id"),
        (1, String::new(), said.to_owned())
    );
    assert_eq!(
        host.ok("rrun ps -a --format '{{.Status}}'"),
        "Exited (255)\n"
    );
    host.ok("rrun stop box; rrun rm -f box; rrun gc; kill $(cat other)");
}

/// Whoever leaves a container by the detach keys is told which.
#[test]
fn a_run_that_is_left_prints_its_id() {
    let host = Host::new();
    let typed = "sleep 1.5; printf \"\\020\\021\"; sleep 0.5";
    let (code, out) = at_terminal(&host, typed, "rrun run -it --name box --net none tools sh");
    let id = host.ok("rrun ps -q --no-trunc");
    let last = out.lines().last().unwrap_or_default();
    assert_eq!((code, last.trim()), (0, id.trim()), "{out}");
}

#[test]
fn what_an_exec_has_begun_is_reaped_whatever_becomes_of_it() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 60");
    let states = "rrun top box -eo stat,comm | grep Z || :";
    for failing in [
        "box nosuch",
        "box /etc",
        "-w /nosuch/dir box sh",
        "-u nosuch box sh",
    ] {
        assert_ne!(host.code(&format!("rrun exec {failing}")), 0);
        assert_eq!(host.ok(states), "", "{failing}");
    }
    // timeout(1) signals the whole process group, as a terminal's Ctrl-C does.
    host.ok("timeout 0.3 rrun exec box sleep 1 | cat");
    host.until("! rrun top box -eo args | grep -q 'sleep 1$'");
    assert_eq!(host.ok(states), "");
    host.ok("rrun rm -f box");
}
