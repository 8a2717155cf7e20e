//! What somebody else did between a verb's plan and its steps is theirs: neither a rollback nor gc undoes it.

use super::*;

/// `verb` is planned, then `script` runs, then `verb` goes on until it is killed or stopped.
fn watch_while(host: &Host, script: &str, verb: &str, at: &str) -> Option<i32> {
    let mut command = host.command(&format!("exec {WATCHED}"));
    command.env("MEANWHILE", script);
    watch_command(command, host, (verb, at))
}

#[test]
fn translation_that_somebody_else_switches_on_stays_on() {
    let host = host();
    let theirs = "rbridge nat br0 on >/dev/null; rbridge publish 8080:10.5.0.2:80 >/dev/null";
    host.ok(theirs);
    let wanted = state(&host);
    let points = ["kill intended 1", "kill intended 2", "kill intended 3"];
    let points = points.into_iter().chain([
        "kill before 1",
        "kill after 1",
        "kill after 2",
        "kill after 3",
        "stop before 3",
    ]);
    for at in points {
        host.ok("rbridge nat br0 off");
        assert_ne!(state(&host), wanted);
        let code = watch_while(&host, theirs, "nat", at);
        assert_eq!(code, at.starts_with("stop").then_some(3), "{at}");
        host.ok("rrun gc");
        same(&host, &wanted, at);
    }
    // Nor what was opened by hand.
    host.ok("rbridge nat br0 off");
    let opened = "echo 1 >/proc/sys/net/ipv4/conf/br0/route_localnet";
    host.ok(opened);
    let wanted = state(&host);
    for at in ["kill intended 3", "kill after 3"] {
        assert_eq!(watch_while(&host, opened, "nat", at), None, "{at}");
        host.ok("rrun gc");
        same(&host, &wanted, at);
    }
}
