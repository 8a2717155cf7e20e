//! What is left of a primitive's verb that was killed, or failed, at any of its steps: nothing, after `rrun gc`;
//! and of one killed when it was complete: all of it, since that is the user's.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod journals;
mod neighbours;
mod plans;

use std::path::PathBuf;
use std::time::Duration;

use kit_plan::{
    Context, Done, Go, Header, Journal, Mark, Observer, Roots, StepError, StepView, Stop,
};
use kit_test::{ASLEEP, Host};
use kit_undo::Kernel;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use plans::{group, plan_of};
use rcgroup::{Hierarchies, Limits};

/// Does what `KILL_AT` says: "kill before 3", "kill after 3", "stop before 3", "kill committed"; and "kill intended 3",
/// when a step has written down what it is about to do, and has not done it.
struct Killer {
    at: String,
    /// How many steps there are is written here.
    total: PathBuf,
}

impl Killer {
    fn reached(&self, point: &str) {
        if self.at == point {
            kill(getpid(), Signal::SIGKILL).unwrap();
        }
    }
}

impl Observer for Killer {
    fn before(&mut self, step: &StepView<'_>) -> Go {
        std::fs::write(&self.total, step.total.to_string()).unwrap();
        self.reached(&format!("kill before {}", step.number));
        if self.at == format!("stop before {}", step.number) {
            return Go::Stop(Stop {
                why: "stopped".to_owned(),
                signal: None,
            });
        }
        Go::On
    }

    fn after(&mut self, step: &StepView<'_>, _: Result<&Done, &StepError>, _: Duration) {
        self.reached(&format!("kill after {}", step.number));
    }
}

/// One verb, applied as `kit_cli::Act` does it. Exit 3 if it failed and was undone.
#[test]
#[ignore = "the others start it"]
fn watched() {
    let roots = Roots::from_env().unwrap();
    roots.prepare().unwrap();
    let plan = plan_of(&std::env::var("VERB").unwrap(), &roots.instance);
    let mut killer = Killer {
        at: std::env::var("KILL_AT").unwrap(),
        total: std::env::var("TOTAL").unwrap().into(),
    };
    let mark = Mark::new(roots.instance.clone());
    let header = Header::new(&mark, plan.command.clone()).unwrap();
    let mut journal = Journal::create(&roots.journals(), header).unwrap();
    if let Ok(script) = std::env::var("MEANWHILE") {
        kit_test::sh(&script);
    }
    if let Some(number) = killer.at.strip_prefix("kill intended ") {
        let index = number.parse::<usize>().unwrap() - 1;
        let intent = plan.steps()[index].intent(&Context::new(mark.clone()).slots);
        if !intent.is_empty() {
            journal.intend(index, intent).unwrap();
        }
        kill(getpid(), Signal::SIGKILL).unwrap();
    }
    let applied = plan.apply(
        &mut Context::new(mark),
        &mut journal,
        &Kernel::new(),
        &mut killer,
    );
    if applied.is_ok() {
        killer.reached("kill committed");
    }
    journal.discard().unwrap();
    if let Err(error) = applied {
        println!("{error}");
        std::process::exit(3);
    }
}

/// A host with a namespace, a cable, a bridge and layers, whose /run is its own.
fn host() -> Host {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok(
        "mount --make-rprivate /; mount -t tmpfs run /run; rnetns add blue yellow
         rveth add v0 v1; rveth set v0 --mtu 1450 --mac 02:00:00:00:07:01 --addr 10.6.0.1/24
         rbridge add br0 --addr 10.5.0.1/24; rbridge add br0 --addr 10.5.0.1/24 --netns blue
         ip netns exec blue sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
         mkdir l1 l2; rnetns del yellow; rrun gc",
    );
    host
}

/// All that there is of this host, read by others than us.
fn state(host: &Host) -> String {
    let group = group(host.path());
    host.ok(&format!(
        "for n in '' '-n blue'; do
             ip $n -o addr | sed 's/ valid_lft.*//; s/tentative //; s/^[0-9]*: //; s/@if[0-9]*//'
             ip $n -o link | sed 's/^[0-9]*: //; s/@[a-z0-9]*//; s/ link-netns.*//; s/ state [A-Z]*//; s/NO-CARRIER,//; s/,LOWER_UP//'
             ip $n route | grep -v linkdown
         done | grep -v 'inet6 fe80'
         for n in sh 'ip netns exec blue sh'; do
             $n -c 'nft list ruleset; cat /proc/sys/net/ipv4/ip_forward; cd /proc/sys/net/ipv4/conf; grep . */route_localnet'
         done
         ip netns list | sed 's/ .*//'; findmnt -rn -o TARGET,FSTYPE | sort
         for d in $(find /sys/fs/cgroup -type d -name '{group}*' -o -type d -path '*/{group}*/*' 2>/dev/null | sort); do
             echo $d; cd $d
             for f in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.max cpu.cfs_quota_us cpu.max pids.max cpuset.cpus; do [ ! -e $f ] || echo $f $(cat $f); done
         done
         cd {}; find . -not -name total -not -path './l[12]/*' | sort",
        host.path().display()
    ))
    .replace(" linkdown", "")
}

fn watch(host: &Host, verb: &str, at: &str) -> Option<i32> {
    watch_in(host, "", verb, at)
}

/// `within` is a command that runs another one: nsenter.
fn watch_in(host: &Host, within: &str, verb: &str, at: &str) -> Option<i32> {
    watch_command(
        host.command(&format!("exec {within} {WATCHED}")),
        host,
        (verb, at),
    )
}

const WATCHED: &str = "\"$TEST\" --exact watched --ignored --test-threads=1 --nocapture";

fn watch_command(
    mut command: std::process::Command,
    host: &Host,
    (verb, at): (&str, &str),
) -> Option<i32> {
    command
        .env("TEST", std::env::current_exe().unwrap())
        .env("VERB", verb)
        .env("KILL_AT", at)
        .env("TOTAL", host.path().join("total"));
    let out = command.output().unwrap();
    let code = out.status.code();
    assert!(
        matches!(code, Some(0 | 3) | None),
        "{verb}, {at}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    code
}

fn same(host: &Host, wanted: &str, when: &str) {
    kit_test::same(&state(host), wanted, when);
}

/// Kills and stops `verb` before and after each of its steps; `undo` takes a whole one back.
fn at_every_step(host: &Host, verb: &str, undo: &str) {
    let before = state(host);
    assert_eq!(watch(host, verb, "kill committed"), None, "{verb}");
    let whole = state(host).replace("./run/journals\n", "");
    host.ok("rrun gc");
    let kept = state(host).replace("./run/journals\n", "");
    let drop_journal = |text: &str| -> String {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("./run/journals/"));
        lines.map(|line| line.to_owned() + "\n").collect()
    };
    assert_eq!(drop_journal(&whole), kept, "{verb}: what is complete stays");
    host.ok(undo);
    same(host, &before, &format!("{verb}, taken back"));
    let total = std::fs::read_to_string(host.path().join("total")).unwrap();
    let total: usize = total.parse().unwrap();
    assert!(total > 1, "{verb} has one step");
    for number in 1..=total {
        for at in ["kill before", "kill after", "stop before"].map(|at| format!("{at} {number}")) {
            let code = watch(host, verb, &at);
            let stopped = at.starts_with("stop");
            assert_eq!(code, stopped.then_some(3), "{verb}, {at}");
            // Forwarding is shared by all instances: a rollback leaves it to gc.
            if stopped && !verb.starts_with("nat") {
                same(host, &before, &format!("{verb}, {at}, rolled back"));
            }
            host.ok("rrun gc");
            same(host, &before, &format!("{verb}, {at}"));
        }
    }
}

#[test]
fn rnetns_add() {
    at_every_step(&host(), "netns", "ip netns del green");
}

#[test]
fn rveth_add() {
    let host = host();
    at_every_step(&host, "pair", "ip link del left");
    at_every_step(&host, "macvlan", "ip -n blue link del mac0");
    host.ok("rnetns add green");
    at_every_step(&host, "pair away", "ip -n blue link del right");
}

#[test]
fn rveth_set() {
    at_every_step(
        &host(),
        "set",
        "rveth set moved@blue --netns pid:$$ --name v0 --mtu 1450 --mac 02:00:00:00:07:01 --addr 10.6.0.1/24 --up",
    );
}

#[test]
fn rbridge_add() {
    let host = host();
    at_every_step(&host, "bridge", "ip link del br1");
    at_every_step(&host, "bridge away", "ip -n blue link del br1");
}

#[test]
fn rbridge_nat() {
    let host = host();
    at_every_step(&host, "nat", "rbridge nat br0 off");
    at_every_step(&host, "nat away", "rbridge nat br0 off --netns blue");
}

#[test]
fn rmount_with_its_places() {
    let host = host();
    for verb in ["overlay", "bind", "tmpfs"] {
        at_every_step(&host, verb, "umount new/m; rm -r new");
    }
}

#[test]
fn rcgroup_create_and_set() {
    let host = host();
    let name = group(host.path());
    // Somebody else's cgroup may go while find walks: its exit code says nothing, so what is left is looked for.
    let find = |which: &str, act: &str| {
        format!("find /sys/fs/cgroup -depth -type d {which} {act} 2>/dev/null")
    };
    let away = |which: &str| {
        let (remove, look) = (find(which, "-exec rmdir {} +"), find(which, "-print"));
        format!(
            "{remove} || :; left=$({look}) || :; [ -z \"$left\" ] || {{ echo \"$left\" >&2; false; }}"
        )
    };
    let limits = "-m 128m --cpus 1 --pids-limit 30 --cpuset-cpus 0";
    host.ok(&format!("rcgroup create {name}-there {limits}"));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        at_every_step(
            &host,
            "cgroup",
            &away(&format!("-path '*/{name}*' -not -name '{name}-there'")),
        );
        at_every_step(
            &host,
            "cgroup set",
            &format!("rcgroup set {name}-there -m 128m --cpus 1 --pids-limit 30 --cpuset-cpus 0"),
        );
    }));
    host.ok(&away(&format!("-path '*/{name}*'")));
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_step_that_fails_by_itself_takes_the_others_back() {
    let host = host();
    host.ok("rnetns add green");
    let before = state(&host);
    for verb in ["gateway unreachable", "bridge address twice"] {
        assert_eq!(watch(&host, verb, "never"), Some(3), "{verb}");
        same(&host, &before, verb);
    }
}

#[test]
fn what_was_killed_in_another_namespace_is_undone_there() {
    let host = host();
    // Our links have the numbers and addresses that those in the other namespace will have.
    host.ok("ip addr add 10.7.0.1/24 dev v0; ip addr add 10.7.0.1/24 dev v1; ip addr add 10.7.0.1/24 dev br0");
    let before = state(&host);
    let within = "nsenter --net=/run/netns/blue";
    for at in ["kill after 2", "kill after 3"] {
        assert_eq!(watch_in(&host, within, "bridge", at), None);
        assert_ne!(state(&host), before, "{at}: nothing was done");
        host.ok("rrun gc");
        same(&host, &before, at);
    }
    // And of a namespace that is gone nothing is looked for in ours.
    assert_eq!(
        watch_in(&host, "unshare --net", "bridge", "kill after 3"),
        None
    );
    host.ok("rrun gc");
    same(&host, &before, "gone");
}

#[test]
fn a_group_that_somebody_else_made_first_is_left_alone() {
    let host = host();
    let name = group(host.path());
    let roots = Roots::at(host.root(), host.run_dir());
    let hierarchies = Hierarchies::detect().unwrap();
    let plan = rcgroup::create::plan(&hierarchies, &format!("{name}-late"), &Limits::default());
    host.ok(&format!(
        "rcgroup create {name}-late; rcgroup exec {name}-late -- sleep 1000 >/dev/null 2>&1 & echo $! >pid; {ASLEEP}"
    ));
    let mark = Mark::new(roots.instance.clone());
    let mut journal = Journal::in_memory(Header::new(&mark, "late").unwrap());
    let applied = plan.unwrap().apply(
        &mut Context::new(mark),
        &mut journal,
        &Kernel::new(),
        &mut kit_plan::Silent,
    );
    let lives = host.code("kill -0 $(cat pid)");
    host.ok(&format!("kill $(cat pid) || :; rcgroup del -f {name}-late"));
    assert!(applied.is_err());
    assert_eq!(lives, 0, "a stranger was killed");
}
