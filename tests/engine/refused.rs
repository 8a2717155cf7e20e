//! What config.json may not say: refused by the field's name before anything is made, without a wait.

use super::{bundled, prints, refuses, run};

/// A change of config.json, and how the error begins.
const REFUSED: &[(&str, &str)] = &[
    (
        ".ociVersion=\"9.9.9\"",
        "reading \"ociVersion\" of config.json: it is \"9.9.9\", and versions 1.x are understood",
    ),
    (
        ".linux.cgroupsPath=\"user.slice:boxkit:x\"",
        "carrying out \"linux.cgroupsPath\" of config.json: systemd is not asked for a unit: give a path below the root of the hierarchy",
    ),
    (
        ".linux.sysctl={\"kernel.panic\":\"1\"}",
        "reading \"linux.sysctl.kernel.panic\" of config.json: no namespace has it, so that it would be the host'\"'\"'s",
    ),
    (
        ".mounts+=[{destination:\"/x\",type:\"bind\",source:\"/tmp\",options:[\"bind\",\"size=1\"]}]",
        "carrying out \"mounts.options\" of config.json: \"size=1\" is no option of a bind mount, at \"/x\"",
    ),
    (
        ".hooks={createRuntime:[{path:\"true\"}]}",
        "reading \"hooks.createRuntime.path\" of config.json: \"true\" is not absolute",
    ),
    (
        "del(.process)",
        "reading \"process\" of config.json: it is missing",
    ),
    (
        "del(.root)",
        "reading \"root\" of config.json: it is missing",
    ),
    (
        ".process.args=[]",
        "reading \"process.args\" of config.json: it names no program",
    ),
    (
        ".process.cwd=\"tmp/zz\"",
        "reading \"process.cwd\" of config.json: \"tmp/zz\" does not begin with a slash",
    ),
    (
        ".process.rlimits=[{type:\"RLIMIT_NOFILE\",soft:9,hard:9},{type:\"RLIMIT_NOFILE\",soft:8,hard:8}]",
        "reading \"process.rlimits\" of config.json: RLIMIT_NOFILE is there twice",
    ),
    (
        ".process.scheduler={policy:\"SCHED_BATCH\",flags:[\"SCHED_FLAG_RECLAIM\",\"SCHED_FLAG_RECLAIM\"]}",
        "reading \"process.scheduler.flags\" of config.json: SCHED_FLAG_RECLAIM is there twice",
    ),
    (
        ".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[{containerID:0,hostID:1,size:1}]",
        "reading \"linux.gidMappings\" of config.json: a new user namespace needs linux.uidMappings and linux.gidMappings",
    ),
    (
        ".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[{containerID:0,hostID:1,size:1}] | .linux.gidMappings=.linux.uidMappings | .linux.devices=[{path:\"/dev/zero\",type:\"c\",major:1,minor:5,uid:7}]",
        "carrying out \"linux.devices.uid\" of config.json: the host'\"'\"'s \"/dev/zero\" is bound in a user namespace, and keeps its own",
    ),
    (
        ".process.scheduler={policy:\"SCHED_ISO\"}",
        "carrying out \"process.scheduler.policy\" of config.json: SCHED_ISO is reserved, and no kernel has it",
    ),
    (
        ".linux.resources.cpu={cpus:\",\"}",
        "reading CPUs \",\": it is a list like 0-2,4",
    ),
    (
        ".linux.rootfsPropagation=\"both\"",
        "reading \"linux.rootfsPropagation\" of config.json: \"both\" is none of shared, slave, private and unbindable",
    ),
    (
        ".linux.namespaces |= map(select(.type!=\"mount\"))",
        "carrying out \"linux.namespaces\" of config.json: a mount namespace of the container'\"'\"'s own is needed: its root is mounted there",
    ),
    (
        ".process.scheduler={policy:\"SCHED_OTHER\",nice:99}",
        "reading \"process.scheduler.nice\" of config.json: 99 is not between -20 and 19",
    ),
    (
        ".process.ioPriority={class:\"IOPRIO_CLASS_BE\",priority:99}",
        "reading \"process.ioPriority.priority\" of config.json: 99 is not between 0 and 7",
    ),
    (
        ".process.user.additionalGids=[range(70000)]",
        "reading \"process.user.additionalGids\" of config.json: 70000 groups, and the kernel takes 65536",
    ),
    (
        ".process.capabilities.permitted=[]",
        "reading \"process.capabilities.effective\" of config.json: CAP_AUDIT_WRITE is not permitted too",
    ),
    (
        ".process.capabilities.inheritable=[\"CAP_SYS_TIME\"]",
        "reading \"process.capabilities.inheritable\" of config.json: CAP_SYS_TIME is not bounding too",
    ),
    (
        ".process.capabilities.bounding+=[\"CAP_FLY\"]",
        "reading \"process.capabilities.bounding\" of config.json: \"CAP_FLY\" is no capability that this engine knows",
    ),
    (
        ".process.rlimits=[{type:\"RLIMIT_WINGS\",soft:1,hard:1}]",
        "reading \"process.rlimits[0].type\" of config.json: unknown variant `RLIMIT_WINGS`, expected one of",
    ),
    (
        ".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[{containerID:0,hostID:1000,size:10},{containerID:5,hostID:2000,size:9}] | .linux.gidMappings=[{containerID:0,hostID:1000,size:10}]",
        "reading \"linux.uidMappings\" of config.json: the entries of containerID 0 and 5 overlap",
    ),
    (
        ".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[range(341) | {containerID:.,hostID:.,size:1}] | .linux.gidMappings=[{containerID:0,hostID:1000,size:10}]",
        "reading \"linux.uidMappings\" of config.json: 341 entries, and the kernel takes 340",
    ),
    (
        ".linux.namespaces+=[{type:\"uts\"}]",
        "reading \"linux.namespaces\" of config.json: it has two entries of type uts",
    ),
    (
        ".ociVersion=\"1.9.0\" | .linux.resources.later={a:1}",
        "carrying out \"linux.resources.later\" of config.json: ociVersion is 1.9.0, and the fields of 1.2.1 are known, of which this is none",
    ),
    (
        ".linux.resources.devices=[{allow:true,access:\"rwm\"},{allow:false,type:\"c\",major:1,minor:3,access:\"r\"}]",
        "carrying out \"linux.resources.devices\" of config.json: it allows all devices except those listed; deny rules after \"allow all\" are not carried out",
    ),
];

#[test]
fn what_cannot_be_is_refused_before_anything_is_made() {
    let host = bundled("");
    let before = host.ok("find root run | sort");
    for (jq, said) in REFUSED {
        let line = refuses(&host, jq);
        let wanted = format!("bundle: {}", said.replace("'\"'\"'", "'"));
        assert!(line.starts_with(&wanted), "{jq}: {line}");
    }
    assert_eq!(host.ok("find root run | sort"), before);
}

/// The same, by the field: a change of config.json, the field, and the reason.
#[rustfmt::skip]
const VALUES: &[(&str, &str, &str)] = &[
    (".process.user.umask=512", "process.user.umask", "512 is above 511, which is 0777"),
    (".process.user.uid=4294967295", "process.user.uid", "4294967295 is not between 0 and 2147483647"),
    (".process.user.gid=4294967295", "process.user.gid", "4294967295 is not between 0 and 2147483647"),
    (".process.user.additionalGids=[7,4294967295]", "process.user.additionalGids", "4294967295 is no group's number"),
    (".process.env+=[\"NAME\"]", "process.env", "\"NAME\" is not NAME=VALUE"),
    (".process.env+=[\"=value\"]", "process.env", "\"=value\" is not NAME=VALUE"),
    (".process.env+=[\"\"]", "process.env", "\"\" is not NAME=VALUE"),
    (".process.args+=[\"a\\u0000b\"]", "process.args[3]", "it has a NUL byte"),
    (".process.env=[\"A=b\\u0000c\"]", "process.env[0]", "it has a NUL byte"),
    (".process.cwd=\"/tmp\\u0000\"", "process.cwd", "it has a NUL byte"),
    (".root.path=\"rootfs\\u0000\"", "root.path", "it has a NUL byte"),
    (".hostname=\"in\\u0000side\"", "hostname", "it has a NUL byte"),
    (".mounts=[{destination:\"/x\\u0000\",type:\"tmpfs\"}]", "mounts[0].destination", "it has a NUL byte"),
    (".mounts=[{destination:\"/x\",type:\"tmpfs\",source:\"a\\u0000\"}]", "mounts[0].source", "it has a NUL byte"),
    (".mounts=[{destination:\"/x\",type:\"tmpfs\",options:[\"ro\",\"size=1k\\u0000\"]}]", "mounts[0].options[1]", "it has a NUL byte"),
    (".linux.sysctl={\"net.a\\u0000b\":\"1\"}", "linux.sysctl.net.a\\0b", "it has a NUL byte"),
    (".linux.cgroupsPath=\"/a\\u0000b\"", "linux.cgroupsPath", "it has a NUL byte"),
    (".linux.maskedPaths=[\"/proc/kcore\\u0000\"]", "linux.maskedPaths[0]", "it has a NUL byte"),
    (".hooks={poststop:[{path:\"/bin/true\",args:[\"true\",\"\\u0000\"]}]}", "hooks.poststop[0].args[1]", "it has a NUL byte"),
    (".hostname=\"h\"*65", "hostname", "65 bytes, and the kernel takes 64"),
    (".domainname=\"d\"*65", "domainname", "65 bytes, and the kernel takes 64"),
    (".linux.sysctl={\"kernel.shmmni\":\"77\\n\"}", "linux.sysctl.kernel.shmmni", "\"77\\n\" is more than one line"),
    (".mounts+=[{destination:\"/\",type:\"tmpfs\"}]", "mounts.destination", "\"/\" is the root itself"),
    (".mounts+=[{destination:\"/.\",type:\"tmpfs\"}]", "mounts.destination", "\"/.\" is the root itself"),
    (".mounts+=[{destination:\"//\",type:\"tmpfs\"}]", "mounts.destination", "\"//\" is the root itself"),
    (".mounts+=[{destination:\"/..\",type:\"tmpfs\"}]", "mounts.destination", "\"/..\" is the root itself"),
    (".linux.maskedPaths=[\"proc/kcore\"]", "linux.maskedPaths", "\"proc/kcore\" does not begin with a slash"),
    (".linux.readonlyPaths=[\"\"]", "linux.readonlyPaths", "\"\" does not begin with a slash"),
    (".linux.namespaces+=[{type:\"time\"}] | .linux.timeOffsets={realtime:{secs:1}}", "linux.timeOffsets.realtime", "it is neither monotonic nor boottime"),
    (".linux.namespaces+=[{type:\"time\"}] | .linux.timeOffsets={boottime:{secs:4611686019}}", "linux.timeOffsets.boottime.secs", "4611686019 is not between -4611686018 and 4611686018"),
    (".linux.namespaces+=[{type:\"time\"}] | .linux.timeOffsets={monotonic:{nanosecs:1000000000}}", "linux.timeOffsets.monotonic.nanosecs", "1000000000 is not between 0 and 999999999"),
    (".root.path=\"\"", "root.path", "it is empty"),
    (".mounts+=[{destination:\"/x\",type:\"bind\",source:\"\",options:[\"bind\"]}]", "mounts.source", "the bind mount at \"/x\" has none"),
    (".linux.sysctl={\"kernel.shmmni\":\"\"}", "linux.sysctl.kernel.shmmni", "its value is empty"),
    (".linux.maskedPaths=[\"/..\"]", "linux.maskedPaths", "\"/..\" is the root itself"),
    (".linux.readonlyPaths=[\"/\"]", "linux.readonlyPaths", "\"/\" is the root itself"),
    (".linux.devices=[{path:\"/dev/..\",type:\"c\",major:1,minor:3}]", "linux.devices.path", "\"/dev/..\" names no file"),
    (".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[{containerID:0,hostID:4294967294,size:2}] | .linux.gidMappings=[{containerID:0,hostID:0,size:1}]", "linux.uidMappings", "the entry of containerID 0, hostID 4294967294 and size 2 goes beyond 4294967294"),
    (".linux.namespaces+=[{type:\"user\"}] | .linux.uidMappings=[{containerID:0,hostID:1,size:2}] | .linux.gidMappings=[{containerID:5,hostID:1,size:2}]", "linux.gidMappings", "no entry has containerID 0, which makes the container's mounts"),
    (".linux.resources.memory={limit:-5}", "linux.resources.memory.limit", "-5 is below -1, which is no limit"),
    (".linux.resources.memory={reservation:-5}", "linux.resources.memory.reservation", "-5 is below -1, which is no limit"),
    (".linux.resources.memory={swap:-5}", "linux.resources.memory.swap", "-5 is below -1, which is no limit"),
    (".linux.resources.memory={kernelTCP:-5}", "linux.resources.memory.kernelTCP", "-5 is below -1, which is no limit"),
    (".linux.resources.memory={swappiness:101}", "linux.resources.memory.swappiness", "101 is not between 0 and 100"),
    (".linux.resources.cpu={quota:999}", "linux.resources.cpu.quota", "999 is below 1000 microseconds"),
    (".linux.resources.cpu={quota:-5}", "linux.resources.cpu.quota", "-5 is below -1, which is no limit"),
    (".linux.resources.cpu={realtimeRuntime:-5}", "linux.resources.cpu.realtimeRuntime", "-5 is below -1, which is no limit"),
    (".linux.resources.cpu={period:999}", "linux.resources.cpu.period", "999 is not between 1000 and 1000000"),
    (".linux.resources.cpu={idle:7}", "linux.resources.cpu.idle", "7 is neither 0 nor 1"),
    (".linux.resources.blockIO={throttleReadIOPSDevice:[{major:-1,minor:0,rate:1}]}", "linux.resources.blockIO.throttleReadIOPSDevice.major", "-1 is not between 0 and 4095"),
    (".linux.resources.blockIO={weight:9}", "linux.resources.blockIO.weight", "9 is not between 10 and 1000"),
    (".linux.resources.blockIO={weight:1001}", "linux.resources.blockIO.weight", "1001 is not between 10 and 1000"),
    (".linux.resources.blockIO={weightDevice:[{major:7,minor:0,weight:9}]}", "linux.resources.blockIO.weightDevice.weight", "9 is not between 10 and 1000"),
    (".linux.devices=[{path:\"/dev/x\",type:\"a\"}]", "linux.devices.type", "\"a\" of \"/dev/x\" is none of b, c, u and p"),
    (".linux.devices=[{path:\"/dev/x\",type:\"c\",major:4097,minor:3}]", "linux.devices.major", "4097 of \"/dev/x\" is not between 0 and 4095"),
    (".linux.devices=[{path:\"/dev/x\",type:\"c\",major:1,minor:-1}]", "linux.devices.minor", "-1 of \"/dev/x\" is not between 0 and 1048575"),
    (".linux.devices=[{path:\"/dev/x\",type:\"c\",major:1,minor:3,fileMode:65974}]", "linux.devices.fileMode", "65974 of \"/dev/x\" is not between 0 and 4095, which is 07777"),
    (".linux.devices=[{path:\"/dev/x\",type:\"c\",major:1,minor:3,uid:4294967295}]", "linux.devices.uid", "4294967295 of \"/dev/x\" means no change to the kernel"),
    (".linux.devices=[{path:\"/dev/x\",type:\"c\",major:1,minor:3,gid:4294967295}]", "linux.devices.gid", "4294967295 of \"/dev/x\" means no change to the kernel"),
    (".process.scheduler={policy:\"SCHED_FIFO\"}", "process.scheduler.priority", "0 is not between 1 and 99"),
    (".process.scheduler={policy:\"SCHED_RR\",priority:100}", "process.scheduler.priority", "100 is not between 1 and 99"),
    (".process.scheduler={policy:\"SCHED_FIFO\",priority:-1}", "process.scheduler.priority", "-1 is not between 1 and 99"),
    (".process.scheduler={policy:\"SCHED_BATCH\",priority:7}", "process.scheduler.priority", "7 is not 0, and SCHED_BATCH has no other"),
    (".annotations[\"org.boxkit.seccmop\"]=\"default\"", "annotations.org.boxkit.seccmop", "it is none of org.boxkit.init, org.boxkit.seccomp and org.boxkit.user"),
];

#[test]
fn a_value_that_the_kernel_would_refuse_or_take_for_another_is_refused_by_its_field() {
    let host = bundled("");
    let before = host.ok("find root run | sort");
    let mut wrong = Vec::new();
    for (jq, field, reason) in VALUES {
        let (code, out, said) = run(&host, jq, "echo ran");
        let wanted = format!("bundle: reading \"{field}\" of config.json: {reason}\n");
        if (code, out.as_str(), said.as_str()) != (125, "", &wanted) {
            wrong.push(format!("{jq}: {code} {out:?} {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(host.ok("find root run | sort"), before);
}

/// What only the kernel and the image can tell, in words of what was asked for.
#[test]
fn what_is_refused_late_is_named_too() {
    let host = bundled("");
    host.ok("ln -s / b/rootfs/root-again");
    for (jq, wanted) in [
        (
            ".mounts+=[{destination:\"/tmp/..\",type:\"tmpfs\"}]",
            "mounting at \"/tmp/..\": it leads to the root itself",
        ),
        (
            ".mounts+=[{destination:\"/root-again\",type:\"bind\",source:\"/tmp\",options:[\"bind\"]}]",
            "mounting at \"/root-again\": it leads to the root itself",
        ),
        (
            ".mounts+=[{destination:\"/x\",type:\"nosuchfs\"}]",
            "mounting nosuchfs at \"/x\": this kernel has no file system \"nosuchfs\"",
        ),
        (
            ".linux.namespaces+=[{type:\"time\"}] | .linux.timeOffsets={boottime:{secs:-4611686018}}",
            "setting the clocks to \"boottime -4611686018 0\": a clock would be before the start of this machine",
        ),
        (
            ".linux.sysctl={\"net.ipv4.ip_forward\":\"abc\"}",
            "setting sysctl net.ipv4.ip_forward to \"abc\": writing \"/proc/sys/net/ipv4/ip_forward\": Invalid argument",
        ),
    ] {
        let line = refuses(&host, jq);
        assert!(
            line.starts_with(&format!("bundle: {wanted}")),
            "{jq}: {line}"
        );
    }
    // The root is a directory like any other where it is bound to another place.
    let twice = ".mounts+=[{destination:\"/mnt\",type:\"bind\",source:\"rootfs\",options:[\"rbind\"]},{destination:\"/mnt\",type:\"tmpfs\"}]";
    assert_eq!(prints(&host, twice, "ls /mnt | wc -l"), "0\n");
}

/// What is at the end of a range, and an annotation of somebody else's, is taken.
#[test]
fn a_value_at_the_end_of_its_range_is_taken() {
    let host = bundled("");
    for (jq, script, wanted) in [
        (".process.user.umask=511", "umask", "0777\n"),
        (".process.user.uid=2147483647", "id -u", "2147483647\n"),
        (".hostname=\"h\"*64", "hostname | wc -c", "65\n"),
        (
            ".domainname=\"d\"*64",
            "wc -c </proc/sys/kernel/domainname",
            "65\n",
        ),
        (
            ".annotations={\"org.example.x\":\"a\\u0000b\"}",
            "echo ran",
            "ran\n",
        ),
        (
            ".linux.namespaces+=[{type:\"time\"}] | .linux.timeOffsets={boottime:{nanosecs:999999999}}",
            "grep -c 999999999 /proc/self/timens_offsets",
            "1\n",
        ),
        (
            ".linux.devices=[{path:\"/dev/x\",type:\"c\",major:4095,minor:1048575,fileMode:8630}]",
            "stat -c \"%a %t %T\" /dev/x",
            "666 fff fffff\n",
        ),
    ] {
        assert_eq!(prints(&host, jq, script), wanted, "{jq}");
    }
}

#[test]
fn an_annotation_of_ours_with_an_unknown_value_is_not_passed_over() {
    let host = bundled("");
    let init = refuses(&host, ".annotations[\"org.boxkit.init\"]=\"maybe\"");
    assert!(
        init.ends_with(": \"maybe\" is neither \"true\" nor \"false\""),
        "{init}"
    );
    assert_eq!(
        refuses(&host, ".annotations[\"org.boxkit.seccomp\"]=\"defualt\""),
        "bundle: reading annotation org.boxkit.seccomp: there is no profile \"defualt\", only \"default\""
    );
}

#[test]
fn a_path_that_is_no_such_namespace_is_named() {
    let host = bundled("");
    let network = |path: &str| {
        format!(r#".linux.namespaces |= map(if .type=="network" then .path="{path}" else . end)"#)
    };
    for (path, reason) in [
        ("/proc/self/ns/uts", "it is a UTS namespace"),
        ("/etc/passwd", "it is no namespace"),
        ("/no/such", "No such file or directory (os error 2)"),
        ("/run", "it is no namespace"),
        ("/dev/zero", "it is no namespace"),
    ] {
        let said = refuses(&host, &network(path));
        assert_eq!(
            said,
            format!("bundle: opening network namespace {path:?}: {reason}")
        );
    }
}

/// runc waits for the writer; whoever calls an engine would wait with it.
#[test]
fn a_file_that_has_no_end_or_no_writer_is_not_waited_for() {
    let host = bundled("");
    let example = kit_test::binaries().join("examples/bundle");
    let run = format!("timeout 10 {} b case </dev/null", example.display());
    let dir = host.path().display().to_string();
    for (make, reason) in [
        ("mkfifo", "it is no regular file"),
        ("ln -s /dev/zero", "it is no regular file"),
        (
            "truncate -s 8G",
            "it has more than the 16 MiB that such a file may have",
        ),
        ("mkdir", "it is no regular file"),
        ("echo [] >", "it is no JSON object"),
    ] {
        let (code, _, said) = host.outcome(&format!(
            "rm -rf b/config.json; {make} b/config.json; {run}"
        ));
        let wanted = format!("bundle: reading \"b/config.json\": {reason}\n");
        assert_eq!((code, said), (125, wanted), "{make}");
    }
    host.ok("rm -rf b/config.json; mkfifo fifo");
    for kind in ["network", "ipc", "pid"] {
        let jq = format!(
            r#".linux.namespaces |= (map(select(.type!="{kind}")) + [{{type:"{kind}",path:"{dir}/fifo"}}])"#
        );
        assert_eq!(
            refuses(&host, &jq),
            format!("bundle: opening {kind} namespace \"{dir}/fifo\": it is no namespace")
        );
    }
    // The command that takes namespaces by their paths.
    let (code, _, said) = host.outcome(&format!("timeout 10 rnetns exec {dir}/fifo -- true"));
    assert!(code != 124 && said.contains("fifo"), "{code} {said}");
}
