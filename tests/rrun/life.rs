//! A container from its creation to its removal, and what it costs meanwhile.

use std::time::{Duration, Instant};

use kit_test::Host;

/// Who reads slowly gets all of it, and the exit code; nobody waits for him.
#[test]
fn a_reader_may_take_its_time() {
    let host = Host::new();
    let said = host.ok("{ rrun run --rm --net none tools sh -c 'head -c 2000000 /dev/zero; exit 3'; echo $? >code; } | \
        (sleep 4; wc -c); cat code");
    assert_eq!(said, "2000000\n3\n");
    let mut slow = host
        .command("mkfifo full; exec rrun run --name box --net none tools head -c 300000 /dev/zero 3<>full >&3")
        .spawn()
        .unwrap();
    host.until("rrun ps -a | grep Exited");
    assert_eq!(
        host.ok("timeout 20 rrun rm box; rrun gc; rrun ps -aq"),
        "box\n"
    );
    slow.kill().unwrap();
    slow.wait().unwrap();
}

/// As docker's: the client ends with its reader, and the container goes on.
#[test]
fn an_attached_client_that_loses_its_reader_tells_what_goes_on() {
    let host = Host::new();
    host.ok("rrun run -d --name web --net none tools sh -c 'while :; do echo x; sleep 0.01; done'");
    let told = "x\n1\n\
        rrun: writing to standard output: its reader has gone, and container \"web\" still runs\n\
        hint: rrun stop web ends it, rrun logs web shows what it says; its log grows without a bound meanwhile\n";
    for client in ["attach", "start -a"] {
        let script = format!(
            "{{ timeout 20 rrun {client} web 2>said; echo $? >code; }} | head -n1; cat code said"
        );
        assert_eq!(host.ok(&script), told, "{client}");
        let running = host.ok("rrun ps --format '{{.Names}}'");
        assert_eq!(running, "web\n", "{client}");
        host.ok("rrun stop -t 0 web");
    }
}

/// docker's: a start of what runs, or is just being started, changes nothing.
#[test]
fn starts_at_once_are_one() {
    let host = Host::new();
    host.ok("rrun create --name box tools sleep 1000");
    for round in 0..10 {
        let starts = "for n in 1 2 3; do rrun start box >out$n 2>&1 & pids=\"$pids $!\"; done; for pid in $pids; do wait $pid || exit 1; done; cat out?";
        assert_eq!(host.ok(starts), "box\nbox\nbox\n", "round {round}");
        host.ok("rrun stop -t 0 box");
    }
    for delay in ["0", "0.004", "0.008", "0.012", "0.02"] {
        host.ok(&format!(
            "rrun run -d --name web tools sleep 1000 >/dev/null 2>&1 & sleep {delay}; timeout 8 rrun rm -f web; wait $!; rrun rm -f web"
        ));
    }
    assert_eq!(host.ok("rrun ps -aq --no-trunc | wc -l"), "1\n");
}

/// The signal is the flag's, the image's or the verb's. The log tells that it came: what gets another one is killed in the end.
#[test]
fn real_time_signals_stop_what_asks_for_them() {
    let host = Host::new();
    // As images with systemd have it.
    host.ok("runpack unpack tools files; tar -C files -c . | runpack import -c 'STOPSIGNAL RTMIN+3' - init");
    let waits = "trap 'echo asked; exit 7' 37; echo ready; while :; do sleep 0.05; done";
    for (of, verb) in [
        ("--stop-signal RTMIN+3 tools", "stop"),
        ("--stop-signal RTMIN+3 tools", "restart"),
        ("init", "stop"),
        ("init", "restart"),
        ("tools", "stop -s 37"),
        ("tools", "kill -s SIGRTMIN+3"),
    ] {
        let when = format!("{verb}, {of}");
        host.ok(&format!(
            "rrun run -d --name init --net none {of} sh -c \"{waits}\""
        ));
        host.until("rrun logs init | grep ready");
        host.ok(&format!("rrun {verb} init"));
        if verb == "restart" {
            host.until("[ $(rrun logs init | grep -c ready) = 2 ]");
        } else {
            assert_eq!(host.ok("timeout 30 rrun wait init"), "7\n", "{when}");
        }
        let asked = host.ok("rrun logs init | grep -c asked || :");
        assert_eq!(asked, "1\n", "{when}");
        host.ok("rrun rm -f init");
    }
    // What heeds none of it is killed when its time is up.
    host.ok("rrun run -d --name deaf --net none --stop-signal RTMIN+3 tools sleep 1000");
    assert_eq!(
        host.ok("rrun stop -t 0 deaf; rrun wait deaf"),
        "deaf\n137\n"
    );
}

#[test]
fn stop_kills_what_does_not_listen() {
    let host = Host::new();
    host.ok("rrun run -d --name deaf tools sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done'");
    host.until("rrun logs deaf | grep ready");
    let start = Instant::now();
    assert_eq!(host.ok("rrun stop -t 1 deaf"), "deaf\n");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(host.ok("rrun wait deaf"), "137\n");
    host.ok("rrun run -d --name polite tools sh -c 'trap \"exit 6\" TERM; echo ready; while :; do sleep 0.1; done'");
    host.until("rrun logs polite | grep ready");
    host.ok("rrun stop polite");
    assert_eq!(host.ok("rrun wait polite"), "6\n");
}

#[test]
fn a_container_goes_through_its_life() {
    let host = Host::new();
    let id = host.ok("rrun create --name box tools sh -c 'echo run; echo bad >&2; echo x >>/count; exec sleep 1000'");
    assert_eq!(host.ok("rrun start box"), "box\n");
    host.until("rrun logs box | grep run");
    assert_eq!(host.ok("rrun logs box 2>/dev/null"), "run\n");
    assert_eq!(host.ok("rrun logs box 2>&1 >/dev/null"), "bad\n");
    assert_eq!(host.ok("rrun restart -t 0 box"), "box\n");
    host.until("[ $(rrun exec box cat /count | wc -l) = 2 ]");
    assert_eq!(host.ok("rrun kill -s KILL box"), "box\n");
    assert_eq!(host.ok("rrun wait box"), "137\n");
    assert_eq!(host.code("rrun kill box"), 1);
    host.ok("rrun start box");
    let (code, _, said) = host.outcome("rrun rm box");
    assert_eq!(code, 1);
    assert_eq!(
        said.lines().next(),
        Some("rrun: removing container \"box\": it is running")
    );
    host.ok("rrun rename box other");
    assert_eq!(host.ok("rrun ps -aq --no-trunc"), id);
    assert_eq!(host.ok("rrun rm -f other"), "other\n");
    assert_eq!(host.code("rrun start box"), 1);
    assert_eq!(
        host.files("root/containers root/names root/trash"),
        "root/containers\nroot/names\nroot/trash\n"
    );
}

#[test]
fn all_of_them_go_at_once() {
    let host = Host::new();
    host.ok("rrun run --name one tools id; rrun run --name two tools id; rrun create --name three tools id");
    assert_eq!(host.ok("rrun ps -aq").lines().count(), 3);
    host.ok("rrun rm $(rrun ps -aq)");
    assert_eq!(host.ok("rrun ps -aq"), "");
    assert_eq!(host.files("root/containers"), "root/containers\n");
}

#[test]
fn a_start_does_not_wait_for_what_the_last_run_leaves_to_the_kernel() {
    let host = Host::new();
    host.ok("rrun run -d --name box -p 8080:80 tools sleep 1000");
    for _ in 0..5 {
        host.ok("rrun stop -t 0 box && rrun start box && rrun exec box ip addr show eth0 && rrun restart -t 0 box");
    }
}

/// The promise of the design: a container that idles costs less than 1 MiB beside its own program.
#[test]
fn the_monitor_of_an_idle_container_has_next_to_no_memory() {
    let host = Host::new();
    let id = host.ok("rrun run -d --name idle tools sleep 1000");
    let id = id.trim();
    let pid = host.ok(&format!(
        "grep -A3 '\"monitor\": {{' root/containers/{id}/state.json | grep -o '\"pid\": [0-9]*' | grep -o '[0-9]*'"
    ));
    let pid = pid.trim();
    // In KiB; it is given back in the first quiet moment. A program without optimisation is three times as long, so
    // that more of its pages come back for the last steps of waiting.
    let (all, own) = if cfg!(debug_assertions) {
        (2048, 512)
    } else {
        (1024, 512)
    };
    host.until(&format!(
        "awk '/^Pss:/ {{ all = $2 }} /^Pss_Anon:/ {{ own = $2 }} END {{ exit !(all < {all} && own < {own}) }}' /proc/{pid}/smaps_rollup"
    ));
    // And it still does its work.
    assert_eq!(host.ok("rrun exec idle id -u"), "0\n");
    assert_eq!(host.ok("rrun stop -t 0 idle"), "idle\n");
}

#[test]
fn a_restart_keeps_what_goes_at_its_end() {
    let host = Host::new();
    let id =
        host.ok("rrun run -d --rm --name brief tools sh -c 'echo x >>/count; exec sleep 1000'");
    assert_eq!(host.ok("rrun restart -t 0 brief"), "brief\n");
    host.until("[ $(rrun exec brief cat /count | wc -l) = 2 ]");
    assert_eq!(host.ok("rrun ps -q --no-trunc"), id);
    host.ok("rrun restart -t 0 brief --dry-run >s; sh -e s");
    host.until("[ $(rrun exec brief cat /count | wc -l) = 3 ]");
    assert_eq!(host.ok("rrun ps -q --no-trunc"), id);
    host.ok("rrun stop -t 0 brief; rrun gc");
    assert_eq!(
        host.files("root/layers/* run/transient run/containers"),
        host.ok("ls -d root/layers/*; echo run/containers; find run/transient -maxdepth 1 | sort")
    );
}

/// A signal in a restart of two: both go on as they were, and are removed at their end.
#[test]
fn an_interrupted_restart_of_two_leaves_both_to_be_removed() {
    let host = Host::new();
    let kept = "find run root -name keep";
    host.ok(&format!(
        "for name in one two; do rrun run -d --rm --name $name --net none tools sh -c 'trap : TERM; while :; do sleep 0.1; done'; done
         rrun restart -t 60 one two & restart=$!
         until [ $({kept} | wc -l) = 2 ]; do sleep 0.05; done
         sleep 0.3; kill -TERM $restart; wait $restart; code=$?; [ $code = 143 ] || exit 9"
    ));
    assert_eq!(host.ok(kept), "");
    assert_eq!(
        host.ok("rrun ps --format '{{.Names}}' | sort"),
        "one\ntwo\n"
    );
    host.ok("rrun stop -t 0 one two");
    assert_eq!(host.ok("rrun ps -aq"), "");
}

/// What goes wrong after the program has begun ends the program: nobody could find it.
#[test]
fn a_start_that_cannot_listen_leaves_no_program() {
    let host = Host::new();
    let id = host.ok("rrun create --name box --net none tools sleep 1000");
    let id = id.trim();
    host.ok(&format!("mkdir -p run/containers/{id}/monitor.sock/taken"));
    let (code, out, said) = host.outcome("rrun start box");
    assert_eq!((code, out.as_str()), (1, ""), "{said}");
    assert!(
        said.contains("listening for the container's clients"),
        "{said}"
    );
    assert_eq!(host.ok("rrun ps -a --format '{{.Status}}'"), "Created\n");
    assert_eq!(host.ok("ls run/journals"), "");
    host.ok("rrun start box; rrun rm -f box");
}

/// Under the default filter, which answers clone3(2) with ENOSYS: and so it did to the init's.
#[test]
fn an_init_reaps_orphans_and_passes_signals_on() {
    let host = Host::new();
    let (code, out, said) = host.outcome("rrun run --rm --init tools sh -c 'echo $$; exit 7'");
    assert_eq!((code, out.as_str(), said.as_str()), (7, "2\n", ""));
    let script = "trap 'echo got; exit 6' TERM; (sleep 0.2 & exec true); echo up; while :; do sleep 0.1; done";
    host.ok(&format!(
        "rrun run -d --init --name box -u nobody tools sh -c \"{script}\""
    ));
    host.until("rrun logs box | grep up");
    // The orphan is the init's, and ends as nobody's zombie.
    host.until("! rrun exec box cat /proc/[0-9]*/stat | grep -E 'sleep. [A-Z] 1 |. Z '");
    let status = host.ok("rrun exec box grep -E '^(Uid|CapEff|Seccomp):' /proc/1/status");
    let nobody = "Uid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000000000\nSeccomp:\t2\n";
    assert_eq!(status, nobody);
    assert_eq!(host.ok("rrun stop box"), "box\n");
    assert_eq!(host.ok("rrun wait box; rrun logs box"), "6\nup\ngot\n");
    assert_eq!(host.ok("rrun start box"), "box\n");
}

/// Its process group is the terminal's, and not that of the init, which would pass a Ctrl-C on once more.
#[test]
fn what_is_typed_comes_to_the_program_of_an_init_once() {
    let host = Host::new();
    let (code, out, _) = host.outcome(
        "(sleep 0.7; printf '\\003'; sleep 0.7) | script -qec \"rrun run -it --rm --init tools \
         sh -c 'trap \\\"echo int\\\" INT; cat /proc/\\$\\$/stat; sleep 1; sleep 0.5; exit 4'\" /dev/null",
    );
    assert_eq!((code, out.matches("int").count()), (4, 1), "{out}");
    let stat: Vec<&str> = out.split(' ').collect();
    assert_eq!((stat[4], stat[7]), ("2", "2"), "{out}");
}

#[test]
fn what_lives_as_long_as_the_container_does_not_show_the_callers_arguments() {
    let host = Host::new();
    host.ok("rrun run -d --name box --init -e WORD=secret --net none tools sleep 60");
    let inside = host.ok("rrun exec box sh -c 'cat /proc/1/cmdline /proc/1/comm'");
    assert_eq!(
        inside.trim_matches(['\0', '\n']).replace('\0', ""),
        "boxkit-initboxkit-init"
    );
    let monitor = "awk '/^PPid/ { print $2 }' /proc/$(rrun inspect -f '{{.State.Pid}}' box)/status";
    let monitor = host.ok(&format!("tr '\\0' ' ' </proc/$({monitor})/cmdline"));
    assert_eq!(monitor.trim(), "rrun-monitor");
    host.ok("rrun rm -f box");
}

/// The name in /proc/PID/stat is what the program says, and need not be UTF-8: it would not be found to be running.
#[test]
fn a_container_cannot_hide_behind_its_programs_name() {
    let host = Host::new();
    host.ok(
        "rrun run -d --name odd --net none tools sh -c 'printf \")\\377 R 1\" >/proc/$$/comm; echo done; while :; do sleep 1; done'",
    );
    host.until("[ -n \"$(rrun logs odd)\" ]");
    assert_eq!(host.ok("rrun ps -q | wc -l"), "1\n");
    assert_eq!(host.ok("rrun exec odd sh -c 'echo in'"), "in\n");
    assert_eq!(
        host.ok("timeout 20 rrun stop -t 0 odd && rrun rm odd"),
        "odd\nodd\n"
    );
}

/// An overlay is synced when it is unmounted. The monitor keeps the root of a container that stays, and nothing else of its
/// mounts: the end is reported first, and what was bound is free with the last process.
#[test]
fn an_end_waits_for_no_disk() {
    let host = Host::new();
    host.ok("mkdir bound && mount -t tmpfs none bound");
    host.ok("rrun run -d --name box --net none -v $PWD/bound:/bound tools sleep 1000");
    host.ok("rrun run -d --rm --name gone --net none tools sleep 1000");
    let root = "pid=$(rrun inspect -f '{{.State.Pid}}' $C); monitor=$(awk '/^PPid/ {print $2}' /proc/$pid/status); \
                id=$(awk '$5 == \"/\" {print $1}' /proc/$pid/mountinfo); \
                cat /proc/$monitor/fdinfo/* | awk -v id=$id '$1 == \"mnt_id:\" && $2 == id' | wc -l";
    assert_eq!(host.ok(&format!("C=box; {root}")), "1\n");
    assert_eq!(host.ok(&format!("C=gone; {root}")), "0\n");
    // A stopped monitor cannot have let go of anything.
    let script = "pid=$(rrun inspect -f '{{.State.Pid}}' box); monitor=$(awk '/^PPid/ {print $2}' /proc/$pid/status); \
                  kill -STOP $monitor; kill -9 $pid; \
                  for i in $(seq 100); do grep -q '^State:.Z' /proc/$pid/status && break; sleep 0.1; done; \
                  umount bound; code=$?; kill -CONT $monitor; rrun wait box; exit $code";
    assert_eq!(host.ok(script), "137\n");
    host.ok("rrun rm -f box gone");
}
