//! `scripts/run.sh`, a container by the commands one by one: what it is, and that an interrupt or a SIGTERM at any of its
//! lines leaves nothing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use kit_test::{Host, binaries};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/run.sh");

/// With an image of a web server, and no namespace's name but its own; the state after a whole run, and its lines.
fn host() -> (Host, String, usize) {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    let server = binaries().join("examples/hello-web");
    host.ok(&format!(
        "mount --make-rprivate /; mkdir -p /run/netns tmp; mount -t tmpfs none /run/netns
         runpack pack -t site --bin {} sh sleep",
        server.display()
    ));
    // The roots have their directories from then on.
    let whole = run(&host, "sleep 0").output().unwrap();
    assert!(whole.status.success(), "{whole:?}");
    // Made with the first line that a container of a directory says.
    host.ok("mkdir -p root/layers/$(rrun info -f '{{.Instance}}')");
    host.until("! ip -br link | grep -q box");
    let state = state(&host);
    let lines = String::from_utf8(whole.stderr).unwrap().lines().count();
    (host, state, lines)
}

/// Its shell tells each command before it runs it, on stderr.
fn run(host: &Host, words: &str) -> Command {
    let mut command = host.command(&format!("exec sh -x {SCRIPT} site 8080 {words}"));
    command
        .env("TMPDIR", host.path().join("tmp"))
        .process_group(0);
    command
}

/// Links, namespaces, rules, mounts and files, after gc.
fn state(host: &Host) -> String {
    host.ok(
        "rrun gc >gone; find tmp run root -not -path '*/images*' | sort; ip -br link | cut -d' ' -f1; ls /run/netns
         nft list ruleset; findmnt -rn -o TARGET | grep \"^$PWD/\" || true",
    )
}

/// The kernel takes a namespace down, and the cable into it, in its own time.
fn settles_to(host: &Host, before: &str, pid: u32, at: &str) {
    let groups = format!("find /sys/fs/cgroup -type d -name 'box{pid}*' 2>/dev/null || :");
    kit_test::settles(|| state(host) + &host.ok(&groups), before, at);
}

#[test]
fn a_server_is_limited_published_and_stopped() {
    let (host, before, _) = host();
    let bin = binaries().join("examples");
    let mut child = run(&host, &format!("{}/hello-web", bin.display()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let fetch = format!("{}/fetch --retry 100 http://127.0.0.1:8080/", bin.display());
    let (_, page, said) = host.outcome(&fetch);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(page.contains("memory limit: 64 MiB\n"), "{page}{said}");
    assert!(page.contains(".2 (eth0)"), "{page}");
    settles_to(&host, &before, child.id(), "a server");

    let child = run(&host, "sh -c 'cat; exit 7'")
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(child.status.code(), Some(7), "{child:?}");
}

#[test]
fn a_signal_at_any_line_leaves_nothing() {
    let (host, before, lines) = host();
    assert!(lines > 30, "{lines}");
    let mut cut = 0;
    for line in 1..lines {
        // A terminal's Ctrl-C is for all, kill(1) for the script alone.
        let all = line % 2 == 0;
        let mut child = run(&host, "sleep 1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let last = said.by_ref().take(line).last().unwrap().unwrap();
        let sent = if all {
            killpg(pid, Signal::SIGINT)
        } else {
            kill(pid, Signal::SIGTERM)
        };
        sent.unwrap();
        said.for_each(drop);
        let status = child.wait().unwrap();
        let at = format!("line {line}, {last:?}: {status:?}");
        let ended = (status.code(), status.signal());
        cut += usize::from(ended.0 != Some(0));
        settles_to(&host, &before, child.id(), &at);
    }
    assert!(cut > lines / 2, "{cut} of {lines}");
}
