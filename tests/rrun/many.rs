//! A verb on many containers: they go side by side, and each failure is named.

use std::time::{Duration, Instant};

use kit_test::Host;

/// A host with three containers that do not heed SIGTERM.
fn with_three() -> Host {
    let host = Host::new();
    host.ok("for n in 1 2 3; do rrun run -d --name deaf$n --net none tools sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null; done");
    host.until("for n in 1 2 3; do rrun logs deaf$n | grep -q ready || exit 1; done");
    host
}

/// The steps that a `--trace` tells of, in their order.
fn steps(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.split("\"id\":\"").nth(1)?.split('"').next())
        .collect()
}

#[test]
fn many_are_stopped_side_by_side_and_each_failure_is_named() {
    let host = with_three();
    let (code, out, said) = host.outcome("rrun stop --trace -t 1 deaf1 nobody deaf2 deaf3 deaf1");
    assert_eq!(
        (code, out.as_str()),
        (1, "deaf1\ndeaf2\ndeaf3\ndeaf1\n"),
        "{said}"
    );
    assert!(said.contains("rrun: No such container: nobody"), "{said}");
    // All are asked before anybody is waited for, and all are killed before the end of any is.
    let wanted = [
        "process.signal",
        "process.await",
        "process.signal",
        "process.report",
    ]
    .map(|id| [id; 3]);
    assert_eq!(steps(&said), wanted.concat());
    assert_eq!(host.ok("rrun wait deaf1 deaf2 deaf3"), "137\n137\n137\n");
    // A start, too, says which one it was.
    let (code, out, said) = host.outcome("rrun start deaf1 nobody deaf2");
    assert_eq!((code, out.as_str()), (1, "deaf1\ndeaf2\n"));
    assert!(said.contains("nobody"), "{said}");
    assert_eq!(
        host.ok("rrun ps -aq | rrun rm -f - | wc -l; rrun ps -aq"),
        "3\n"
    );
}

/// The grace of each is counted from its signal, and all get that before anybody is waited for.
#[test]
fn many_that_do_not_heed_a_stop_have_one_grace() {
    let host = with_three();
    let start = Instant::now();
    host.ok("rrun stop -t 3 deaf1 deaf2 deaf3");
    let took = start.elapsed();
    // One after the other it would be 9 seconds.
    let (least, most) = (Duration::from_secs(3), Duration::from_secs(7));
    assert!(took >= least && took < most, "{took:?}");
    assert_eq!(host.ok("rrun wait deaf1 deaf2 deaf3"), "137\n137\n137\n");
}

#[test]
fn many_are_restarted_killed_and_removed_side_by_side() {
    let host = with_three();
    let stopped = ["process.signal", "process.await"];
    let killed = ["process.signal", "process.report"];
    for (verb, wanted) in [
        (
            "restart -t 1",
            [&stopped[..], &killed, &["container.start"]].concat(),
        ),
        ("kill", killed.to_vec()),
        // The three that do not run are started for the next verb.
        ("start", Vec::new()),
        ("rm -f", [&killed[..], &["container.discard"]].concat()),
    ] {
        let (code, out, said) = host.outcome(&format!("rrun {verb} --trace deaf1 deaf2 deaf3"));
        assert_eq!(
            (code, out.as_str()),
            (0, "deaf1\ndeaf2\ndeaf3\n"),
            "{verb}: {said}"
        );
        if verb == "start" {
            continue;
        }
        let is_ours = |id: &&str| {
            id.starts_with("process.") || matches!(*id, "container.start" | "container.discard")
        };
        let steps: Vec<&str> = steps(&said).into_iter().filter(is_ours).collect();
        let wanted: Vec<&str> = wanted.iter().flat_map(|id| [*id; 3]).collect();
        assert_eq!(steps, wanted, "{verb}");
    }
    assert_eq!(host.ok("rrun ps -aq"), "");
}
