//! `scripts/quickstart`, the README's first command: it runs again, two at once, stops with one line that says why,
//! and an interrupt at any of its lines leaves nothing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kit_plan::Roots;
use kit_test::{Host, binaries};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/quickstart")
}

/// With what is built already, and its directory in the host's own; in a group of its own, as a terminal's job.
fn quickstart(host: &Host) -> Command {
    let mut command = host.command("exec \"$QUICKSTART\"");
    command
        .env("QUICKSTART", script())
        .env("BOXKIT_BIN", binaries())
        .env("TMPDIR", host.path())
        .process_group(0);
    command
}

/// Links, rules, mounts and files of this host; its namespaces are its own.
fn state(host: &Host) -> String {
    host.ok("find . | sort; ip -br link | cut -d' ' -f1; nft list ruleset; findmnt -rn -o TARGET | grep \"^$PWD/\" || true")
}

/// What a run under this PID would have left elsewhere: cgroups and monitors, by its instance's name and place.
fn strays(host: &Host, pid: u32) -> String {
    let place = host.path().join(format!("boxkit-quickstart.{pid}"));
    let instance = Roots::at(place.join("root"), place.join("run"))
        .instance
        .name();
    host.ok(&format!(
        "find /sys/fs/cgroup -type d -path '*{instance}*' 2>/dev/null; grep -lsz 'BOXKIT_RUN={}' /proc/[0-9]*/environ || true",
        place.join("run").display()
    ))
}

#[test]
fn it_runs_again_and_two_run_at_once() {
    let host = Host::bare();
    let before = state(&host);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let mut command = quickstart(&host);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut pids = Vec::new();
    for child in running {
        pids.push(child.id());
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{said}{out:?}");
        assert!(said.contains("\nHello from a container"), "{said}");
    }
    let again = quickstart(&host).spawn().unwrap();
    pids.push(again.id());
    assert!(again.wait_with_output().unwrap().status.success());
    settles_to(&host, &before, &pids, "after three runs");
}

#[test]
fn an_interrupt_at_any_line_leaves_nothing() {
    let host = Host::bare();
    let lines = String::from_utf8(quickstart(&host).output().unwrap().stdout)
        .unwrap()
        .lines()
        .count();
    assert!(lines > 30, "{lines}");
    let before = state(&host);
    let mut interrupted = 0;
    for line in 1..lines {
        let mut command = quickstart(&host);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let last = said.by_ref().take(line).last().unwrap().unwrap();
        killpg(group, Signal::SIGINT).unwrap();
        // What it still says is read, or it would end by SIGPIPE instead.
        said.for_each(drop);
        let status = child.wait().unwrap();
        let at = format!("line {line}, {last:?}: {status:?}");
        // The last lines may be out before the signal is in.
        let ended = (status.code(), status.signal());
        assert!(matches!(ended, (Some(0 | 130), _) | (_, Some(2))), "{at}");
        interrupted += usize::from(ended.0 != Some(0));
        settles_to(&host, &before, &[child.id()], &at);
    }
    assert!(interrupted > lines / 2, "{interrupted} of {lines}");
}

/// The kernel takes a namespace down, and the cables into it, in its own time; a monitor lives a moment longer than its
/// container.
fn settles_to(host: &Host, before: &str, pids: &[u32], at: &str) {
    let now = || {
        let mut now = state(host);
        now.extend(pids.iter().map(|pid| strays(host, *pid)));
        now
    };
    kit_test::settles(now, before, at);
}

/// A PATH of links to what the script itself needs, but for `without`.
fn path_without(host: &Host, without: &str) -> PathBuf {
    let dir = host.path().join(format!("without-{without}"));
    std::fs::create_dir(&dir).unwrap();
    let names = "sh cargo rustc cc id sed cut sort head printf sudo stat dirname mkdir env rm umount mount setpriv";
    for name in names.split(' ').filter(|name| *name != without) {
        host.ok(&format!(
            "ln -s \"$(command -v {name} || echo /bin/false)\" {}/{name}",
            dir.display()
        ));
    }
    dir
}

#[test]
fn what_stops_it_is_one_line() {
    let host = Host::bare();
    let script = script();
    let script = script.display();
    let path = |without: &str| path_without(&host, without).display().to_string();
    host.ok("mkdir old; printf '#!/bin/sh\\necho rustc 1.60.0\\n' >old/rustc; printf '#!/bin/sh\\nexit 1\\n' >old/sudo; chmod 755 . old old/*");
    let built = format!("BOXKIT_BIN='{}'", binaries().display());
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let readable = format!(
        "cp {script} quickstart; mkdir bin; chmod 755 quickstart; mkdir -p scripts; mv quickstart scripts"
    );
    host.ok(&readable);
    let cases = [
        (
            format!("PATH={} {script}", path("cargo")),
            "no cargo here: install a Rust toolchain first",
        ),
        (
            format!("PATH={} {script}", path("cc")),
            "no cc here: apt install gcc libc6-dev",
        ),
        (
            format!("PATH=$PWD/old:$PATH {script}"),
            "rustc 1.60.0 is older than {want}: rustup update",
        ),
        (
            format!("BOXKIT_BIN=/nowhere {script}"),
            "no rrun in /nowhere: cargo build --release --bins --examples",
        ),
        (
            format!("{built} PATH={} {nobody} scripts/quickstart", path("sudo")),
            "root is needed for namespaces, and there is no sudo",
        ),
        (
            format!("{built} PATH=$PWD/old:$PATH {nobody} scripts/quickstart"),
            "root is needed for namespaces, and sudo says no",
        ),
        (
            format!("{built} TMPDIR=/proc {script}"),
            "no directory can be made in /proc",
        ),
        (
            format!("{built} TMPDIR=$PWD setpriv --bounding-set -sys_admin {script}"),
            "this kernel, or a sandbox around us, does not let us have: mount, UTS, IPC and PID namespaces; network namespaces; cgroup namespaces; overlay on BOXKIT_ROOT",
        ),
    ];
    let before = state(&host);
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"))
            .unwrap();
    let want = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    let want = want.unwrap().trim_end_matches('"');
    for (typed, why) in cases {
        let (code, _, said) = host.outcome(&typed);
        let line = format!("quickstart: {}", why.replace("{want}", want));
        assert!(
            code == 1 && said.starts_with(&line) && said.lines().count() == 1,
            "{typed}: {code}: {said:?}, not {line:?}"
        );
    }
    assert_eq!(state(&host), before);
}

#[test]
fn where_an_overlay_cannot_stand_it_takes_a_tmpfs() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok("mount --make-rprivate /; mkdir low up work over; mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none over");
    let before = state(&host);
    let over = host.path().join("over");
    let out = quickstart(&host).env("TMPDIR", &over).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{out:?}");
    assert!(said.contains("a tmpfs instead"), "{said}");
    settles_to(&host, &before, &[], "from an overlay");
    host.ok("umount over");
}
