//! What a container sees and has: limits, networks, ports, volumes, capabilities, mounts.

use kit_test::Host;

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
fn the_oom_score_is_the_kernels() {
    let host = Host::new();
    let score = "tools cat /proc/self/oom_score_adj";
    for given in ["0", "300", "1000"] {
        for run in ["run --rm", "run --rm --init", "run --rm -u 1000"] {
            let run = format!("rrun {run} --net none --oom-score-adj {given} {score}");
            assert_eq!(host.ok(&run), format!("{given}\n"), "{run}");
        }
    }
    let shown = "rrun inspect -f '{{.HostConfig.OomScoreAdj}}' box";
    // Of two the last counts.
    host.ok(
        "rrun create --net none --name box --oom-score-adj 1 --oom-score-adj=200 tools sleep 1000",
    );
    assert_eq!(host.ok(shown), "200\n");
    host.ok("rrun start box");
    let outside = "cat /proc/$(rrun inspect -f '{{.State.Pid}}' box)/oom_score_adj";
    assert_eq!(host.ok(outside), "200\n");
    assert_eq!(
        host.ok("rrun exec box cat /proc/self/oom_score_adj"),
        "200\n"
    );
    // Without the flag it is 0 as with docker, not the caller's.
    host.ok("rrun rm -f box; rrun create --net none --name box tools id");
    host.ok("rrun rm -f box; rrun create --net none --name box tools id");
    assert_eq!(host.ok(shown), "0\n");
    let inherited = format!("echo 77 >/proc/self/oom_score_adj; rrun run --rm --net none {score}");
    assert_eq!(host.ok(&inherited), "0\n");
}

/// Root in a sandbox may not.
#[test]
fn an_oom_score_is_lowered_or_the_reason_is_told() {
    let host = Host::new();
    let run = |caps: &str, given: &str| {
        host.outcome(&format!(
            "{caps} rrun run --rm --net none --oom-score-adj {given} tools cat /proc/self/oom_score_adj"
        ))
    };
    let less = "setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource";
    let hint = "hint: lowering it needs CAP_SYS_RESOURCE, which we do not have here";
    let said = format!("rrun: setting the OOM score to -500: Permission denied\n{hint}\n");
    let refused = (125, String::new(), said);
    assert_eq!(run(less, "-500"), refused);
    if host.code("sh -c 'echo -1 >/proc/self/oom_score_adj'") == 0 {
        for given in ["-500", "-1000"] {
            let got = run("", given);
            assert_eq!(got, (0, format!("{given}\n"), String::new()));
        }
    }
    host.ok("rrun create --net none --name box --oom-score-adj -500 tools id");
    let config = "jq .process.oomScoreAdj root/containers/*/config.json; rrun inspect -f '{{.HostConfig.OomScoreAdj}}' box";
    assert_eq!(host.ok(config), "-500\n-500\n");
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
    host.ok("rrun run --rm tools id; rrun gc");
    let before = host.files("root run");
    let (code, out, said) = host.outcome("rrun run --rm -p 8080:81 tools id");
    assert_eq!((code, out.as_str()), (125, ""));
    assert!(
        said.starts_with(
            "rrun: publishing port \"8080/tcp\": container \"web\" has it\nhint: rrun stop web ends that one; "
        ),
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
fn a_name_file_of_the_users_wins() {
    let host = Host::new();
    host.ok("echo 192.0.2.7 given >mine");
    let read = "tools cat /etc/hosts /etc/resolv.conf /etc/hostname";
    let all = ["hosts", "resolv.conf", "hostname"].map(|name| format!("-v $PWD/mine:/etc/{name}"));
    assert_eq!(
        host.ok(&format!("rrun run --rm {} {read}", all.join(" "))),
        "192.0.2.7 given\n".repeat(3)
    );
    let out = host.ok(&format!(
        "rrun run --rm -h boxy -v $PWD/mine:/etc/hosts:ro {read}"
    ));
    assert!(
        out.starts_with("192.0.2.7 given\n") && out.ends_with("\nboxy\n"),
        "{out}"
    );
    let script = format!(
        "rrun run --dry-run --rm --net none {} {read} >s; BOXKIT_PARTIAL=1 sh s",
        all.join(" ")
    );
    assert_eq!(host.ok(&script), "192.0.2.7 given\n".repeat(3));
}
