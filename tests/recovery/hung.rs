//! A start that does not come to its end: its monitor is stopped in the middle of its steps, as one is that waits for a
//! filesystem that does not answer.

use std::process::Child;

use kit_test::Host;

use super::{create, host, is_as, kernel_state};

/// The monitor that carries out the start, by its journal.
const OWNER: &str = "jq -r '.owner.pid // empty' run/journals/*.jsonl";

/// The client of a start of `box` that has halted. The child has been let go, and holds the root.
fn halted(host: &Host) -> Child {
    let id = create(host, "sleep 1000");
    let mut client = host.command(
        "exec \"$TEST\" --exact watched --ignored --test-threads=1 --nocapture >client 2>&1",
    );
    client
        .env("TEST", std::env::current_exe().unwrap())
        .env("KILL_AT", "before 16 halts")
        .env("ID", &id)
        .env("TOTAL", host.path().join("total"));
    let client = client.spawn().unwrap();
    host.until(&format!(
        "grep -q 16 total && grep -q '^State:.T' /proc/$({OWNER})/status"
    ));
    client
}

const SHOWN: &str = "rrun ps -a --format '{{.Names}} {{.State}}'";

/// Each ends such a start by itself; `left` is what `ps` and the journals have then.
fn are_ends(ends: &[(&str, &str)]) {
    for (end, left) in ends {
        let host = host();
        let before = kernel_state(&host);
        let mut client = halted(&host);
        host.ok(&format!("timeout 60 {end}"));
        client.wait().unwrap();
        let seen = host.ok(&format!("{SHOWN}; ls run/journals | wc -l"));
        assert_eq!(seen, *left, "{end}");
        host.ok("rrun rm -f -v box; rrun gc");
        is_as(&host, &before, end);
    }
}

#[test]
fn a_start_that_hangs_is_ended_by_whoever_ends_a_container() {
    are_ends(&[
        ("rrun rm -f -v box", "0\n"),
        ("rrun kill box", "box created\n0\n"),
    ]);
}

/// A restart begins a start of its own, with the ports and the names of the one that it ended.
#[test]
fn a_start_that_hangs_is_ended_by_a_stop_and_replaced_by_a_restart() {
    are_ends(&[
        ("rrun stop -t 1 box", "box created\n0\n"),
        ("rrun restart -t 1 box", "box running\n1\n"),
    ]);
}

/// Whoever is slow is not dead: gc neither waits for such a start nor takes anything from it, and it may still go well.
#[test]
fn a_start_that_hangs_is_left_alone_by_gc() {
    let host = host();
    let before = kernel_state(&host);
    let mut client = halted(&host);
    let state = || kernel_state(&host) + &host.ok(&format!("{SHOWN}; cat run/journals/*.jsonl"));
    let halfway = state();
    assert_eq!(host.ok("timeout 60 rrun gc"), "");
    kit_test::same(&state(), &halfway, "gc");
    host.ok(&format!("kill -CONT $({OWNER})"));
    assert!(client.wait().unwrap().success());
    assert_eq!(
        host.ok(&format!("rrun exec box id -u; rrun port box 80; {SHOWN}")),
        "0\n0.0.0.0:8080\n[::]:8080\nbox running\n"
    );
    host.ok("rrun rm -f -v box; rrun gc");
    is_as(&host, &before, "gc");
}
