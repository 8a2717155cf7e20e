//! Fields of config.json that take more than a change and a look from inside, as [`super::cases`] has them.

use super::{bundled, prints, refuses, run};

#[test]
fn namespaces_are_joined_by_their_path() {
    let host = bundled("");
    host.ok("ip netns list >/dev/null; unshare --net --ipc --uts sh -c 'hostname other; echo $$ >pid; exec sleep 300' >/dev/null 2>&1 & \
             until [ -s pid ] && [ \"$(cat /proc/$(cat pid)/comm)\" = sleep ]; do sleep 0.05; done");
    let pid = host.ok("cat pid").trim().to_owned();
    let by_path = format!(
        r#"del(.hostname) | .linux.namespaces=[.linux.namespaces[] | select(.type=="network" or .type=="ipc" or .type=="uts" | not)]
           + [("network","net"),("ipc","ipc"),("uts","uts")] | .linux.namespaces |= (map(select(type=="object")) + [
             {{type:"network",path:"/proc/{pid}/ns/net"}},{{type:"ipc",path:"/proc/{pid}/ns/ipc"}},{{type:"uts",path:"/proc/{pid}/ns/uts"}}])"#
    );
    let script = "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; hostname";
    let inside = prints(&host, &by_path, script);
    let wanted = host.ok(&format!(
        "readlink /proc/{pid}/ns/net /proc/{pid}/ns/ipc; echo other"
    ));
    host.ok(&format!("kill {pid}"));
    assert_eq!(inside, wanted);
    let pids = r#".linux.namespaces |= (map(select(.type!="pid")) + [{type:"pid",path:"/proc/self/ns/pid"}])"#;
    let (code, out, said) = run(&host, pids, "readlink /proc/self/ns/pid");
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(out, host.ok("readlink /proc/self/ns/pid"));
}

#[test]
fn root_of_a_user_namespace_is_nobody_outside() {
    let host = bundled("");
    host.ok(
        "mkdir -m 0700 vol; echo hello >vol/file; chown -R 100000:100000 b/rootfs; chmod 711 .",
    );
    let maps = r#".linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}]
        | .linux.gidMappings=.linux.uidMappings"#;
    let script = "id -u; tr -s \" \" </proc/self/uid_map; touch /made /dev/shm/made && stat -c %u /made /dev/shm/made; \
                  echo x >/dev/null && echo null; mount -t tmpfs none /mnt 2>/dev/null || echo no mount";
    let inside = prints(&host, maps, script);
    assert_eq!(inside, "0\n 0 100000 65536\n0\n0\nnull\nno mount\n");
    assert_eq!(host.ok("stat -c %u b/rootfs/made"), "100000\n");
    // A directory of mode 0700 of the host's root is opened while it can be, and stays its owner's.
    let bind = format!(
        r#"{maps} | .mounts+=[{{destination:"/vol",type:"bind",source:"'$PWD'/vol",options:["rbind"]}}]"#
    );
    let (code, out, _) = run(&host, &bind, "stat -c \"%u %a\" /vol; cat /vol/file");
    assert_eq!((code, out.as_str()), (1, "65534 700\n"));
    for (jq, reason) in [
        (
            r#".linux.namespaces+=[{type:"user"}]"#,
            "reading \"linux.namespaces\" of config.json: a new user namespace needs linux.uidMappings",
        ),
        (
            ".linux.uidMappings=[{containerID:0,hostID:1,size:1}]",
            "reading \"linux.uidMappings\" of config.json: ids are mapped",
        ),
    ] {
        let said = refuses(&host, jq);
        assert!(said.contains(reason), "{said}");
    }
}

/// As docker's `rslave` and `rshared` volumes: what is mounted on one side is seen on the other, or not.
#[test]
fn mounts_pass_as_the_propagation_says() {
    let host = bundled("");
    host.ok("mkdir vol && mount -t tmpfs vol vol && mount --make-shared vol && mkdir vol/sub");
    let example = kit_test::binaries().join("examples/bundle");
    for (root, option, comes_in, goes_out) in [
        ("private", "rprivate", false, false),
        ("slave", "rslave", true, false),
        ("shared", "rshared", true, true),
    ] {
        let script = format!(
            "jq 'del(.linux.seccomp) | .linux.rootfsPropagation=\"{root}\" | .process.capabilities.bounding+=[\"CAP_SYS_ADMIN\"] | .process.capabilities.permitted+=[\"CAP_SYS_ADMIN\"]
                | .process.capabilities.effective+=[\"CAP_SYS_ADMIN\"]
                | .mounts+=[{{destination:\"/vol\",type:\"bind\",source:\"'$PWD'/vol\",options:[\"rbind\",\"{option}\"]}}]
                | .process.args=[\"sh\",\"-c\",\"echo ready >/vol/ready; until [ -e /vol/go ]; do sleep 0.05; done; ls /vol/sub; mkdir -p /vol/in; mount -t tmpfs in /vol/in; touch /vol/in/inner; touch /vol/done; until [ -e /vol/end ]; do sleep 0.05; done\"]' \
                base.json >b/config.json
             {} b p{root} </dev/null >out 2>&1 & job=$!
             until [ -e vol/ready ]; do kill -0 $job || {{ cat out; exit 1; }}; sleep 0.05; done
             mount -t tmpfs host vol/sub && touch vol/sub/outer && touch vol/go
             until [ -e vol/done ]; do kill -0 $job || {{ cat out; exit 1; }}; sleep 0.05; done
             ls vol/in >in; touch vol/end; wait $job
             umount vol/sub; umount vol/in 2>/dev/null; rm -rf vol/ready vol/go vol/done vol/end vol/in; cat out; echo --; cat in",
            example.display()
        );
        let out = host.ok(&script);
        let (inside, outside) = out.split_once("--\n").unwrap();
        assert_eq!(
            inside,
            if comes_in { "outer\n" } else { "" },
            "{option}: the host's mount inside"
        );
        assert_eq!(
            outside,
            if goes_out { "inner\n" } else { "" },
            "{option}: the container's mount outside"
        );
    }
    host.ok("umount -R vol");
    assert_eq!(
        host.ok("findmnt -rno TARGET | grep -c \"^$PWD\" || :"),
        "0\n",
        "no root of a container reached the host"
    );
}

/// A file of the root, or another device of the host's, is not taken for the device that config.json asks for.
#[test]
fn another_file_at_the_path_of_a_device_is_refused() {
    let host = bundled("");
    host.ok("touch b/rootfs/mine");
    let device =
        |path: &str| format!(r#".linux.devices=[{{path:"{path}",type:"c",major:1,minor:3}}]"#);
    assert_eq!(
        refuses(&host, &device("/mine")),
        "bundle: making device \"/mine\": there is another file: its type is RegularFile"
    );
    assert_eq!(host.ok("stat -c %F b/rootfs/mine"), "regular empty file\n");
    host.ok("chown -R 100000:100000 b/rootfs; chmod 711 .");
    let maps = r#".linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}]
        | .linux.gidMappings=.linux.uidMappings"#;
    assert_eq!(
        refuses(&host, &format!("{maps} | {}", device("/dev/zero"))),
        "bundle: binding the host's \"/dev/zero\": there is another file: its number is 1:5"
    );
}

/// Two instances may run bundles of one ID: each cgroup lies below its own instance's.
#[test]
fn without_a_path_the_cgroup_is_the_instances() {
    let host = bundled("");
    let jq = r#"del(.linux.cgroupsPath) | .linux.namespaces |= map(select(.type!="cgroup"))"#;
    let seen = prints(&host, jq, "grep -e devices -e ^0: /proc/self/cgroup");
    assert!(seen.contains("/case\n"), "{seen}");
    assert!(!seen.contains(":/boxkit/case"), "{seen}");
}

/// The score is the kernel's of the program, whatever lies at /proc in the root, and in a user namespace too.
#[test]
fn the_oom_score_is_set_from_outside() {
    let host = bundled("");
    host.ok("mkdir -p b/rootfs/proc/self; echo theirs >b/rootfs/proc/self/oom_score_adj; chown -R 100000:100000 b/rootfs; chmod 711 .");
    let no_proc = r#".process.oomScoreAdj=300 | del(.linux.maskedPaths,.linux.readonlyPaths) | .mounts |= map(select(.destination!="/proc"))"#;
    let maps = r#".linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}]
        | .linux.gidMappings=.linux.uidMappings"#;
    let example = kit_test::binaries().join("examples/bundle");
    for jq in [no_proc.to_owned(), format!("{no_proc} | {maps}")] {
        let score = host.ok(&format!(
            "jq '.process.args=[\"sleep\",\"300\"] | {jq}' base.json >b/config.json
             {} b case </dev/null >out 2>&1 & job=$!
             until pid=$(pgrep -P $job) && [ \"$(cat /proc/$pid/comm)\" = sleep ]; do kill -0 $job || {{ cat out; exit 1; }}; sleep 0.05; done
             cat /proc/$pid/oom_score_adj; kill $job; wait $job || :",
            example.display()
        ));
        assert_eq!(score, "300\n", "{jq}");
    }
    assert_eq!(host.ok("cat b/rootfs/proc/self/oom_score_adj"), "theirs\n");
}

/// docker's 0 is no reason not to start where root may not lower its score.
#[test]
fn a_score_of_0_that_cannot_be_had_leaves_the_callers() {
    let host = bundled("");
    let example = kit_test::binaries().join("examples/bundle");
    let change = r#"jq '.process.args=["cat","/proc/self/oom_score_adj"] | .process.oomScoreAdj="#;
    let run = |score: &str| {
        host.outcome(&format!(
            "{change}{score}' base.json >b/config.json; echo 500 >/proc/self/oom_score_adj
             setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource {} b case </dev/null",
            example.display()
        ))
    };
    let is_raised_for_good =
        host.code("sh -c 'echo -1 >/proc/self/oom_score_adj' 2>/dev/null") == 0;
    let wanted = if is_raised_for_good { "500\n" } else { "0\n" };
    assert_eq!(run("0"), (0, wanted.to_owned(), String::new()));
    assert_eq!(run("600").1, "600\n");
    let (code, _, said) = run("-7");
    assert_eq!(code, 125);
    assert!(
        said.starts_with("bundle: setting the OOM score to -7: Permission denied"),
        "{said}"
    );
}

/// What is above the cgroup and was not there before goes with it, also after a start that failed.
#[test]
fn groups_above_that_the_path_needs_are_removed_with_it() {
    let host = bundled("");
    let path = host.path().file_name().unwrap().to_string_lossy();
    let path = format!("boxkit-test{}", path.replace('.', "-"));
    let jq = format!(
        r#".linux.cgroupsPath="/{path}/inner/case" | .linux.namespaces |= map(select(.type!="cgroup"))"#
    );
    let seen = prints(&host, &jq, "grep -e devices -e ^0: /proc/self/cgroup");
    assert!(seen.contains(&format!(":/{path}/inner/case\n")), "{seen}");
    let left = format!("find /sys/fs/cgroup -maxdepth 2 -name {path} 2>/dev/null || :");
    assert_eq!(host.ok(&left), "");
    refuses(
        &host,
        &format!(r#"{jq} | .hooks={{prestart:[{{path:"/bin/false"}}]}}"#),
    );
    assert_eq!(host.ok(&left), "");
    // One that was there stays.
    host.ok(&format!("for d in /sys/fs/cgroup/devices /sys/fs/cgroup; do [ -e $d/cgroup.procs ] && mkdir $d/{path} && break; done"));
    prints(&host, &jq, "true");
    let there = host.ok(&left);
    assert_eq!(there.lines().count(), 1, "{there}");
    host.ok(&format!("rmdir {there}"));
}

/// The child is killed before its program is there, and can say nothing itself.
#[test]
fn a_memory_limit_that_is_too_small_for_a_start_is_named() {
    let host = bundled("");
    host.ok(
        "cd root/containers/*/ && jq '.linux.resources.memory={limit:4096}' config.json >new && mv new config.json",
    );
    let (code, _, said) = host.outcome("rrun start box");
    assert_eq!(code, 1, "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].ends_with("hearing from the child: it ended before its steps were done"),
        "{said}"
    );
    assert!(
        lines[1].starts_with(
            "hint: the kernel kills a process whose cgroup has a memory limit too small"
        ),
        "{said}"
    );
}
