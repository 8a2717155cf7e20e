//! The command `rrun`: what a user of docker types, and what comes of it.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use std::time::{Duration, Instant};

use kit_test::Host;

#[test]
fn a_foreground_run_ends_with_the_programs_exit_code() {
    let host = Host::new();
    assert_eq!(host.ok("rrun run --rm tools id -u"), "0\n");
    assert_eq!(host.code("rrun run --rm tools sh -c 'exit 7'"), 7);
    assert_eq!(
        host.code("rrun run --rm tools sh -c 'kill -TERM $$; kill -KILL $$; exit 3'"),
        3
    );
    assert_eq!(host.code("rrun run --rm tools nosuch"), 127);
    assert_eq!(host.code("rrun run --rm tools /etc"), 126);
    assert_eq!(host.code("rrun run --rm nosuch id"), 125);
    assert_eq!(host.code("rrun run --nosuch tools id"), 125);
    assert_eq!(
        host.files("root/containers root/names root/volumes"),
        "root/containers\nroot/names\n"
    );
}

#[test]
fn its_streams_are_the_containers() {
    let host = Host::new();
    assert_eq!(host.ok("echo hi | rrun run -i --rm tools cat"), "hi\n");
    let (code, out, said) =
        host.outcome("rrun run --rm tools sh -c 'echo out; echo err >&2; exit 2'");
    assert_eq!((code, out.as_str(), said.as_str()), (2, "out\n", "err\n"));
    // Nothing is read without -i.
    assert_eq!(host.ok("echo hi | rrun run --rm tools cat"), "");
    let sum = "head -c 3000000 /dev/zero | rrun run -i --rm tools cat | wc -c";
    assert_eq!(host.ok(sum).trim(), "3000000");
}

#[test]
fn detached_it_prints_its_id_and_returns() {
    let host = Host::new();
    let start = Instant::now();
    let id = host.ok("id=$(rrun run -d tools sleep 30); echo $id");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(id.trim().len(), 64);
    assert!(id.trim().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(host.ok("rrun stop -t 0 $(ls root/containers)"), id);
}

#[test]
fn exec_is_one_more_program_inside() {
    let host = Host::new();
    host.ok("rrun run -d --name box -e IMAGE=1 -w /tmp tools sleep 1000");
    assert_eq!(
        host.ok("rrun exec box sh -c 'pwd; id -u; echo $IMAGE'"),
        "/tmp\n0\n1\n"
    );
    assert_eq!(
        host.ok("rrun exec -u nobody -w /etc -e A=b -e IMAGE box sh -c 'pwd; id -un; echo $A'"),
        "/etc\nnobody\nb\n"
    );
    assert_eq!(
        host.ok("rrun exec -u 1000:7 box sh -c 'id -u; id -g'"),
        "1000\n7\n"
    );
    assert_eq!(host.ok("echo in | rrun exec -i box cat"), "in\n");
    assert_eq!(
        host.ok("rrun exec box readlink /proc/1/ns/pid"),
        host.ok("rrun exec box readlink /proc/self/ns/pid")
    );
    assert_eq!(host.code("rrun exec box sh -c 'exit 9'"), 9);
    assert_eq!(host.code("rrun exec box nosuch"), 127);
    assert_eq!(host.code("rrun exec box /etc"), 126);
    assert_eq!(host.code("rrun exec box sh -c 'kill -9 $$'"), 137);
    host.ok("rrun exec -d box sh -c 'echo made >/tmp/file'");
    assert_eq!(host.until("rrun exec box grep . /tmp/file"), "made\n");
    host.ok("rrun stop -t 0 box");
    assert_eq!(host.code("rrun exec box id"), 1);
}

#[test]
fn a_terminal_is_one() {
    let host = Host::new();
    let typed = |typed: &str, command: &str| {
        host.outcome(&format!("({typed}) | script -qec '{command}' /dev/null"))
    };
    let (code, out, _) = typed(
        "sleep 0.5; printf \"stty size; echo m\\$((40+2))\\n\"; sleep 0.3; printf \"exit 3\\n\"; sleep 0.5",
        "stty rows 31 cols 97; rrun run -it --rm tools sh",
    );
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("m42"), "{out}");
    assert!(out.contains("31 97"), "{out}");
    host.ok("rrun run -dit --name box tools sh");
    let (code, out, _) = typed(
        "sleep 0.5; printf \"stty size; exit 4\\n\"; sleep 0.5",
        "rrun exec -it box sh",
    );
    assert_eq!(code, 4, "{out}");
    let (code, out, _) = typed(
        "sleep 0.5; printf \"X=kept; echo first-\\$X\\n\"; sleep 0.5; printf \"\\020\\021\"; sleep 0.5",
        "rrun attach box",
    );
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("first-kept"), "{out}");
    let (code, out, _) = typed(
        "sleep 0.5; printf \"echo again-\\$X; exit 5\\n\"; sleep 0.5",
        "rrun attach box",
    );
    assert_eq!(code, 5, "{out}");
    assert!(out.contains("again-kept"), "{out}");
}

#[test]
fn a_terminal_is_asked_for_where_there_is_none() {
    let host = Host::new();
    let (code, _, said) = host.outcome("echo | rrun run -it --rm tools sh");
    assert_eq!(
        (code, said.lines().next()),
        (125, Some("rrun: the input device is not a TTY"))
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
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
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
fn limits_are_the_kernels() {
    let host = Host::new();
    if host.code("[ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]") == 0 {
        let files = "memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max";
        assert_eq!(
            host.ok(&format!("rrun run --rm -m 32m --cpus 0.5 --pids-limit 20 -w /sys/fs/cgroup tools cat {files}")),
            "33554432\n50000\n20\n"
        );
    } else {
        let files = "memory.max cpu.max pids.max";
        assert_eq!(
            host.ok(&format!("rrun run --rm -m 32m --cpus 0.5 --pids-limit 20 -w /sys/fs/cgroup tools cat {files}")),
            "33554432\n50000 100000\n20\n"
        );
    }
    assert_eq!(
        host.code("rrun run --name big -m 32m --memory-swap 32m tools tail /dev/zero"),
        137
    );
    let state = host.ok("cat root/containers/*/state.json");
    assert!(state.contains("\"oom_killed\": true"), "{state}");
}

#[test]
fn networks_are_the_ones_asked_for() {
    let host = Host::new();
    let netns = "readlink /proc/self/ns/net";
    let inside = |net: &str| host.ok(&format!("rrun run --rm --net {net} tools {netns}"));
    let ours = host.ok(netns);
    assert_eq!(inside("host"), ours);
    assert_ne!(inside("none"), ours);
    assert_eq!(
        host.ok("rrun run --rm --net none tools sh -c 'ls /sys/class/net'"),
        "lo\n"
    );
    host.ok("rrun run -d --name web tools sleep 1000");
    let web = host.ok(&format!("rrun exec web {netns}"));
    assert_ne!(web, ours);
    assert_eq!(inside("container:web"), web);
    let name = format!("bk-test-{}", std::process::id());
    host.ok(&format!("rnetns add {name}"));
    let named = host.ok(&format!("ip netns exec {name} {netns}"));
    let got = inside(&format!("ns:{name}"));
    host.ok(&format!("rnetns del {name}"));
    assert_eq!(got, named);
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    let host = Host::new();
    let id = host.ok(
        "rrun run -d --name web -p 8080:80 tools socat TCP-LISTEN:80,fork,reuseaddr EXEC:hostname",
    );
    let short = format!("{}\n", &id[..12]);
    let ask = |from: &str, address: &str| {
        host.until(&format!(
            "{from} socat -T2 - TCP:{address}:8080 </dev/null | grep ."
        ))
    };
    let bridge = host.ok(
        "ip -j -4 addr | grep -o '\"local\":\"[0-9.]*\"' | grep -o '[0-9.]*' | grep -v 127.0.0.1",
    );
    assert_eq!(ask("", "127.0.0.1"), short);
    assert_eq!(ask("", bridge.trim()), short);
    assert_eq!(ask("rrun exec web", bridge.trim()), short);
    host.ok("mkdir -m 700 -p root/trash");
    let before = host.files("root run");
    let (code, out, said) = host.outcome("rrun run --rm -p 8080:81 tools id");
    assert_eq!((code, out.as_str()), (125, ""));
    assert!(
        said.starts_with("rrun: publishing port \"8080/tcp\": \"rrun-monitor\" (PID "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(host.files("root run"), before);
    host.ok("rrun rm -f web");
    assert_ne!(host.code("socat -T2 - TCP:127.0.0.1:8080 </dev/null"), 0);
    assert_eq!(host.ok("rrun run --rm -p 8080:81 tools id -u"), "0\n");
}

#[test]
fn volumes_keep_what_is_theirs() {
    let host = Host::new();
    host.ok("mkdir data; echo given >data/file");
    assert_eq!(
        host.ok(
            "rrun run --rm -v $PWD/data:/data tools sh -c 'cat /data/file; echo made >/data/new'"
        ),
        "given\n"
    );
    assert_eq!(host.ok("cat data/new"), "made\n");
    let (code, _, said) =
        host.outcome("rrun run --rm -v $PWD/data:/data:ro tools sh -c 'echo bad >/data/new'");
    assert_eq!(code, 2);
    assert!(said.contains("Read-only file system"), "{said}");
    assert_eq!(host.ok("cat data/new"), "made\n");
    // A new volume begins with what the image has there, and lasts.
    host.ok(
        "rrun run --rm -v named:/etc tools sh -c 'grep root /etc/passwd && echo mine >/etc/mine'",
    );
    assert_eq!(
        host.ok("rrun run --rm -v named:/x tools sh -c 'cat /x/mine; grep -c root /x/passwd'"),
        "mine\n1\n"
    );
    host.ok("rrun run --name box -v /anon tools sh -c 'echo 1 >/anon/f'");
    assert_eq!(host.ok("ls root/volumes | wc -l").trim(), "2");
    host.ok("rrun rm -v box");
    assert_eq!(host.ok("ls root/volumes"), "named\n");
    host.ok("rrun run --rm -v /anon tools id");
    assert_eq!(host.ok("ls root/volumes"), "named\n");
}

#[test]
fn what_is_seen_inside_is_what_docker_shows() {
    let host = Host::new();
    let inside = |flags: &str, script: &str| {
        host.ok(&format!("rrun run --rm {flags} tools sh -c '{script}'"))
    };
    assert_eq!(
        inside(
            "",
            "grep CapBnd /proc/self/status; grep CapEff /proc/self/status"
        ),
        "CapBnd:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
    );
    assert_eq!(
        inside("-u 1000", "grep CapEff /proc/self/status"),
        "CapEff:\t0000000000000000\n"
    );
    assert_eq!(
        inside(
            "",
            "grep -c . /proc/timer_list /proc/kcore 2>/dev/null | grep -v :0 || echo masked"
        ),
        "masked\n"
    );
    let mounts = inside("", "cat /proc/self/mountinfo");
    for (point, with) in [
        (" /sys ", "ro,"),
        (" /proc/sys ", "ro,"),
        (" /sys/firmware ", "ro,"),
        (" /proc ", "rw,"),
    ] {
        let line = mounts
            .lines()
            .find(|line| line.contains(point))
            .unwrap_or_default();
        assert!(
            line.contains(&format!("{point}{with}")),
            "{point}: {mounts}"
        );
    }
    assert_eq!(inside("--hostname boxy", "hostname"), "boxy\n");
    assert_eq!(inside("-u nobody", "id -un"), "nobody\n");
    assert_eq!(
        inside(
            "",
            "ls /proc/self/fd | wc -w 2>/dev/null || ls /proc/self/fd"
        )
        .lines()
        .count(),
        4
    );
    assert_eq!(host.code("rrun run --rm --read-only tools touch /x"), 1);
    assert_eq!(
        host.code("rrun run --rm --read-only --tmpfs /t tools touch /t/x"),
        0
    );
    assert_eq!(
        inside("--cap-drop ALL", "grep CapBnd /proc/self/status"),
        "CapBnd:\t0000000000000000\n"
    );
}

#[test]
fn the_lowest_form_leaves_nothing() {
    let host = Host::new();
    let name = format!("bk-low-{}", std::process::id());
    host.ok(&format!(
        "runpack unpack tools rootfs; rnetns add {name}; rcgroup create {name} --pids-limit 77"
    ));
    let before = host.files("root rootfs");
    let out = host.sh(&format!(
        "rrun run --rm --rootfs rootfs --net ns:{name} --cgroup {name} -- sh -c 'readlink /proc/self/ns/net; exit 4'; \
         echo $?; ip netns exec {name} readlink /proc/self/ns/net; cat /sys/fs/cgroup/pids/{name}/tasks"
    ));
    host.ok(&format!("rcgroup del {name}; rnetns del {name}"));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [lines[0], "4", lines[0]],
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(host.files("root rootfs"), before);
}

#[test]
fn a_dry_run_is_a_script_that_does_the_same() {
    let host = Host::new();
    // gc waits for what a run does after its report.
    host.ok("rrun run --rm tools id; rrun gc --keep-network");
    let before = host.files("root run");
    host.ok("rrun run --dry-run --rm --net none tools sh -c 'echo hi $((6*7)); exit 5' >none.sh");
    assert_eq!(host.files("root run"), before);
    let (code, out, said) = host.outcome("BOXKIT_PARTIAL=1 sh none.sh");
    assert_eq!((code, out.as_str()), (5, "hi 42\n"), "{said}");
    // Made now: a script says what is to be done as things are.
    host.ok("rrun run --dry-run --rm -h boxy tools sh -c 'hostname; ip -br -4 addr show eth0; exit 6' >bridged.sh");
    let (code, out, said) = host.outcome("BOXKIT_PARTIAL=1 sh bridged.sh");
    assert_eq!(code, 6, "{said}");
    assert!(out.starts_with("boxy\neth0@"), "{out}");
}

#[test]
fn images_come_and_go_by_dockers_words() {
    let host = Host::new();
    host.ok("rrun save -o t.tar tools && rrun tag tools other:2 && rrun rmi tools other:2");
    assert_eq!(host.ok("rrun images -q"), "");
    assert_eq!(
        host.ok("rrun load -i t.tar"),
        "Loaded image: tools:latest\n"
    );
    host.ok("rrun image rm tools");
    assert_eq!(host.ok("rrun load <t.tar"), "Loaded image: tools:latest\n");
    assert_eq!(
        host.ok("rrun image load --input=t.tar"),
        "Loaded image: tools:latest\n"
    );
    assert_eq!(host.ok("rrun run --rm tools id -u"), "0\n");
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
