//! What is left when a process is killed: a monitor before and after each of its steps, its client, a monitor of
//! a running container. Nothing may be left after `rrun gc`, and nothing that lives may be harmed.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod hung;
mod verbs;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use box_ops::Watch;
use box_ops::start::{Outcome, wait_started};
use box_state::Containers;
use box_wire::{self as wire, Request};
use kit_plan::{Done, Go, Observer, Roots, StepError, StepView};
use kit_test::Host;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid, getppid};

/// Kills at a step: "before 7 itself", "after 7 itself", "before 7 client". The steps of one process are counted
/// through all its plans.
struct Killer {
    at: String,
    /// How many steps there are is written here.
    total: PathBuf,
}

/// How many this process has begun.
static STEPS: AtomicUsize = AtomicUsize::new(0);

impl Killer {
    fn from_env() -> Self {
        Self {
            at: std::env::var("KILL_AT").unwrap(),
            total: std::env::var("TOTAL").unwrap().into(),
        }
    }

    fn reached(&self, point: &str) {
        if self.at.strip_prefix(point) == Some(" halts") {
            kill(getpid(), Signal::SIGSTOP).unwrap();
        }
        let victim = match self.at.strip_prefix(point) {
            Some(" itself") => getpid(),
            Some(" client") => getppid(),
            _ => return,
        };
        kill(victim, Signal::SIGKILL).unwrap();
    }
}

impl Observer for Killer {
    fn before(&mut self, _: &StepView<'_>) -> Go {
        let number = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
        std::fs::write(&self.total, number.to_string()).unwrap();
        self.reached(&format!("before {number}"));
        Go::On
    }

    fn after(&mut self, _: &StepView<'_>, _: Result<&Done, &StepError>, _: Duration) {
        self.reached(&format!("after {}", STEPS.load(Ordering::Relaxed)));
    }

    fn lockstep(&self) -> bool {
        true
    }
}

/// The client of a watched monitor, in a process of one thread: a fork of several is not safe.
#[test]
#[ignore = "the others start it"]
fn watched() {
    let containers = Containers::new(Roots::from_env().unwrap());
    let killer = Box::new(Killer::from_env());
    let ahead = box_monitor::Ahead {
        netns: true,
        rehearsal: box_ops::spec::build::example,
    };
    let mut fresh = box_monitor::fork_watched(&containers, ahead, Some(killer)).unwrap();
    let go = wire::Go {
        id: std::env::var("ID").unwrap(),
        attach: false,
        explain: None,
        trace: false,
        size: None,
        older: true,
    };
    Request::Go(go).write(&mut fresh.socket).unwrap();
    match wait_started(&mut fresh.socket, Watch::default()).unwrap() {
        Outcome::Started => {}
        Outcome::Lost => std::process::exit(9),
        failed @ Outcome::Failed(_) => panic!("{failed:?}"),
    }
}

/// A host whose mounts nobody else changes either.
fn host() -> Host {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::new();
    host.ok("mount --make-rprivate /; mkdir data; rrun run --rm -p 8080:80 tools id; rrun rm $(rrun create tools id); rrun gc");
    host
}

/// A bridged container with a published port, limits and volumes, created and not started.
fn create(host: &Host, program: &str) -> String {
    let id = host.ok(&format!(
        "rrun create --name box -p 8080:80 -m 64m --cpus 0.5 --pids-limit 50 -v $PWD/data:/data -v named:/var/named -v /anon tools {program}"
    ));
    id.trim().to_owned()
}

/// Exit 9: its monitor is gone.
fn start_watched(host: &Host, id: &str, at: &str) -> Option<i32> {
    let mut command: Command =
        host.command("exec \"$TEST\" --exact watched --ignored --test-threads=1 --nocapture");
    command
        .env("TEST", std::env::current_exe().unwrap())
        .env("KILL_AT", at)
        .env("ID", id)
        .env("TOTAL", host.path().join("total"));
    let out = command.output().unwrap();
    let code = out.status.code();
    assert!(
        matches!(code, Some(0 | 9) | None),
        "{at}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    code
}

/// All that the kernel has of this host, and the run directory.
fn kernel_state(host: &Host) -> String {
    let instance = Roots::at(host.root(), host.run_dir()).instance.name();
    host.ok(&format!(
        "ip -j link | grep -o '\"ifname\":\"[^\"]*\"'; nft -j list ruleset | grep -v metainfo || true
         cat /proc/sys/net/ipv4/ip_forward; findmnt -rn -o TARGET,FSTYPE
         find /sys/fs/cgroup -type d -name '{instance}*' 2>/dev/null; find run | sort"
    ))
}

/// At once: what the kernel would take down in its own time, gc has waited for.
fn is_as(host: &Host, wanted: &str, when: &str) {
    kit_test::same(&kernel_state(host), wanted, when);
}

fn is_running(host: &Host, id: &str) -> bool {
    host.code(&format!(
        "grep -q '\"status\": \"running\"' root/containers/{id}/state.json"
    )) == 0
}

fn steps(host: &Host) -> usize {
    let id = create(host, "sleep 1");
    assert_eq!(start_watched(host, &id, "never"), Some(0));
    host.ok("rrun rm -f -v box; rrun gc");
    std::fs::read_to_string(host.path().join("total"))
        .unwrap()
        .parse()
        .unwrap()
}

/// The steps to kill at: all of them, from `first` on; where each takes seconds, one in BOXKIT_KILL_EVERY.
fn points(total: usize, first: usize) -> impl Iterator<Item = usize> {
    assert!(total > 20, "{total}");
    let every = every();
    (1 + first % every..=total).step_by(every)
}

fn every() -> usize {
    std::env::var("BOXKIT_KILL_EVERY").map_or(1, |every| every.parse().unwrap())
}

/// Kills a monitor there, and lets gc clean up.
fn kill_and_collect(point: &str, first: usize) {
    let host = host();
    let before = kernel_state(&host);
    let files = host.files("root data");
    let total = steps(&host);
    for number in points(total, first) {
        let at = format!("{point} {number} itself");
        let id = create(&host, &format!("sleep 4242{}", std::process::id()));
        start_watched(&host, &id, &at);
        host.ok("rrun gc");
        if is_running(&host, &id) {
            // It had begun: then gc gives it a monitor and leaves it alone.
            assert!(point == "after" && number == total, "{at}");
            host.ok("rrun exec box id");
            host.ok("rrun stop -t 0 box; rrun gc");
        }
        // The container is there still, and so may be the file that is its lock.
        host.ok(&format!("rm -f run/containers/{id}/lock; [ ! -e run/containers/{id} ] || rmdir run/containers/{id}"));
        is_as(&host, &before, &at);
        // What was killed may take a moment to die.
        host.until(&format!(
            "! ps axww | grep -v grep | grep -q 'sleep 4242{}'",
            std::process::id()
        ));
        host.ok("rrun rm -v box");
        // The named volume is to last.
        assert_eq!(
            host.files("root data")
                .replace("root/volumes/named/_data\n", "")
                .replace("root/volumes/named\n", "")
                .replace("root/volumes\n", ""),
            files,
            "{at}"
        );
    }
}

#[test]
fn a_monitor_killed_before_any_step_leaves_nothing() {
    kill_and_collect("before", 0);
}

#[test]
fn a_monitor_killed_after_any_step_leaves_nothing() {
    kill_and_collect("after", 3);
}

#[test]
fn a_killed_client_harms_no_run() {
    let host = host();
    let before = kernel_state(&host);
    let total = steps(&host);
    for number in points(total, 2) {
        let at = format!("before {number} client");
        let id = create(&host, "sleep 1000");
        assert_eq!(start_watched(&host, &id, &at), None, "{at}");
        host.until(&format!(
            "grep -q '\"status\": \"running\"' root/containers/{id}/state.json"
        ));
        assert_eq!(host.ok("rrun exec box id -u"), "0\n", "{at}");
        host.ok("rrun rm -f -v box; rrun gc");
        is_as(&host, &before, &at);
    }
}

/// Of the one container that there is.
fn kill_monitor(host: &Host) {
    let monitor = host.ok("grep -A3 '\"monitor\": {' root/containers/*/state.json | grep -o '\"pid\": [0-9]*' | grep -o '[0-9]*'");
    let monitor: i32 = monitor.trim().parse().unwrap();
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    host.until(&format!("! [ -e /proc/{monitor}/exe ]"));
}

#[test]
fn a_container_outlives_its_monitor() {
    let host = host();
    let before = kernel_state(&host);
    let id = create(
        &host,
        "sh -c 'n=0; while :; do n=$((n + 1)); sh -c \"echo tick $n; sleep 0.1\"; done'",
    );
    host.ok("rrun start box");
    host.until("rrun logs box | grep tick");
    kill_monitor(&host);
    let count = || {
        host.ok(&format!("grep -c tick root/containers/{id}/log.jsonl"))
            .trim()
            .parse::<usize>()
            .unwrap()
    };
    let logged = count();
    let listed = host.ok("rrun ps");
    assert!(listed.contains("unattended"), "{listed}");
    assert_eq!(host.ok("rrun exec box id -u"), "0\n");
    assert!(host.ok("rrun gc").contains(&format!("attended: {id}")));
    // The new monitor reads on.
    host.until(&format!(
        "[ $(grep -c tick root/containers/{id}/log.jsonl) -gt {} ]",
        logged + 3
    ));
    // What was said meanwhile was neither lost nor anybody's end, and the ports are held again.
    for (number, line) in (1..).zip(host.ok("rrun logs box").lines()) {
        assert_eq!(line, format!("tick {number}"));
    }
    assert!(TcpListener::bind("127.0.0.1:8080").is_err());
    host.ok("rrun stop -t 0 box");
    assert_eq!(host.ok("rrun wait box"), "255\n");
    let state = host.ok(&format!("cat root/containers/{id}/state.json"));
    assert!(
        state.contains("its monitor was killed, so nobody saw its exit code"),
        "{state}"
    );
    host.ok("rrun rm -v box; rrun gc");
    is_as(&host, &before, "after the stop");
}

/// By a command that is elsewhere: what the container had is undone where it was made.
#[test]
fn a_monitor_that_takes_over_is_where_the_first_one_was() {
    let host = host();
    let before = kernel_state(&host);
    host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000");
    kill_monitor(&host);
    host.ok("unshare -n rrun stop -t 0 web; rrun rm web; rrun gc");
    is_as(&host, &before, "after a stop from elsewhere");
}

/// `wait` waits on when the monitor is killed, and knows no code that nobody saw.
#[test]
fn who_waits_is_told_the_end_and_not_before() {
    let host = host();
    host.ok("rrun run -d --name box tools sleep 1000");
    let mut waiting = host.command("rrun wait box >code").spawn().unwrap();
    host.ok("sleep 0.2");
    kill_monitor(&host);
    host.ok("sleep 0.5");
    assert!(waiting.try_wait().unwrap().is_none(), "it still runs");
    host.ok("rrun stop -t 0 box");
    assert!(waiting.wait().unwrap().success());
    assert_eq!(host.ok("cat code; rrun wait box"), "255\n255\n");
}

#[test]
fn gc_harms_nobody_who_lives() {
    let host = host();
    let before = kernel_state(&host);
    host.ok("rrun run -d --name lasting -p 8080:80 tools sleep 1000");
    let mut runs = host
        .command("for n in $(seq 20); do rrun run --rm tools sh -c \"exit $n\"; [ $? = $n ] || exit 1; done")
        .spawn()
        .unwrap();
    while runs.try_wait().unwrap().is_none() {
        host.ok("rrun gc >/dev/null");
    }
    assert!(runs.wait().unwrap().success());
    assert_eq!(host.ok("rrun exec lasting id -u"), "0\n");
    host.ok("rrun rm -f lasting; rrun gc");
    is_as(&host, &before, "after all");
}

#[test]
fn two_instances_live_side_by_side() {
    let host = host();
    let before = kernel_state(&host);
    let other = "export BOXKIT_ROOT=$PWD/root2 BOXKIT_RUN=$PWD/run2";
    host.ok("mkdir -m 700 root2 run2; cp -a root/images root2/");
    host.ok("rrun run -d --name box -p 8080:80 tools sleep 1000");
    host.ok(&format!(
        "{other}; rrun run -d --name box -p 8081:80 tools sleep 1000; rrun gc"
    ));
    assert_eq!(host.ok("rrun exec box id -u"), "0\n");
    host.ok("rrun rm -f box; rrun gc");
    assert_eq!(host.ok(&format!("{other}; rrun exec box id -u")), "0\n");
    host.ok(&format!("{other}; rrun rm -f box; rrun gc"));
    is_as(&host, &before, "both gone");
}

#[test]
fn somebody_elses_bridge_is_not_touched() {
    let host = host();
    let name = Roots::at(host.root(), host.run_dir())
        .instance
        .name()
        .replace("boxkit", "bk0");
    host.ok(&format!(
        "ip link add {name} type bridge; ip link set {name} up; ip addr add 10.99.0.1/24 dev {name}"
    ));
    let theirs = host.ok(&format!(
        "ip -j link show {name}; ip -j -4 addr show {name}"
    ));
    let (code, out, said) = host.outcome("rrun run --rm tools id -u");
    assert!(
        (code == 0 && out == "0\n") || (code == 125 && said.contains(&name)),
        "{code} {said}"
    );
    host.ok("rrun gc");
    assert_eq!(
        host.ok(&format!(
            "ip -j link show {name}; ip -j -4 addr show {name}"
        )),
        theirs
    );
}
