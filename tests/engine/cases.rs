//! Each field of config.json that is carried out, seen from inside: a change of the configuration that `rrun` writes, a
//! program, and what it prints. The rows of docs/oci.md are counted against these.

use std::collections::BTreeSet;

use box_engine::fields::{FIELDS, Fate};
use serde_json::Value;

use super::{bundled, run};

/// What comes of a change.
#[derive(Clone, Copy)]
enum Seen {
    Prints(&'static str),
    /// The kernel refuses the value: it has reached the kernel. A part of the error.
    Refused(&'static str),
    /// What this kernel has no file for is refused by its name.
    Either(&'static str, &'static str),
}
use Seen::{Either, Prints, Refused};

/// The fields, separated by blanks; the change, for jq(1); the program, for sh; what is seen.
type Case = (&'static str, &'static str, &'static str, Seen);

/// `g FILE` prints the first line of the container's own control file, on v1 or v2; `is FILE VALUE …` compares.
const CONTROL: &str = "g() { cat /sys/fs/cgroup/*/$1 /sys/fs/cgroup/$1 2>/dev/null | head -1; }
is() { while [ $# -gt 1 ]; do [ \"$(g $1)\" = \"$2\" ] && echo right; shift 2; done; :; }
";
const RIGHT: Seen = Prints("right\n");

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("root.path", r#".root.path="other""#, "cat /marker", Prints("other\n")),
    ("root.readonly", ".root.readonly=true", "touch /x 2>&1; :", Prints("touch: /x: Read-only file system\n")),
    ("mounts.destination mounts.type mounts.source mounts.options", r#".mounts+=[{destination:"/deep/er",type:"tmpfs",source:"mine",options:["size=64k","ro"]}]"#,
        "grep /deep /proc/mounts | cut -d\" \" -f1-3; grep -c \" ro,.*size=64k\" /proc/mounts", Prints("mine /deep/er tmpfs\n1\n")),
    ("process.user.uid process.user.gid process.user.additionalGids", ".process.user={uid:33,gid:34,additionalGids:[7]}", "id -u; id -g; id -G", Prints("33\n34\n34 7\n")),
    ("process.user.umask", ".process.user.umask=63", "umask", Prints("0077\n")),
    ("process.args", r#".process.args=["echo","a  b"]"#, "", Prints("a  b\n")),
    ("process.env", r#".process.env=["PATH=/no/such","A=1","PATH=/bin","HOME=","A=2"]"#, "env | grep -v -e PWD -e SHLVL | sort", Prints("A=2\nHOME=/\nPATH=/bin\n")),
    ("process.cwd", r#".process.cwd="/made/here""#, "pwd", Prints("/made/here\n")),
    ("process.capabilities.bounding process.capabilities.effective process.capabilities.inheritable process.capabilities.permitted process.capabilities.ambient",
        r#".process.user={uid:33,gid:34} | .process.capabilities={bounding:["CAP_KILL","CAP_CHOWN"],permitted:["CAP_KILL","CAP_CHOWN"],inheritable:["CAP_KILL"],ambient:["CAP_KILL"],effective:["CAP_KILL"]}"#,
        "grep Cap /proc/self/status | tr -d \"\\t\"", Prints("CapInh:0000000000000020\nCapPrm:0000000000000020\nCapEff:0000000000000020\nCapBnd:0000000000000021\nCapAmb:0000000000000020\n")),
    ("process.rlimits.type process.rlimits.soft process.rlimits.hard", r#".process.rlimits=[{type:"RLIMIT_NOFILE",soft:99,hard:100}]"#, "ulimit -Sn; ulimit -Hn", Prints("99\n100\n")),
    ("process.rlimits.type process.rlimits.soft process.rlimits.hard", r#".process.rlimits=[{type:"RLIMIT_RTTIME",soft:900,hard:1000}]"#, "tr -s \" \" </proc/self/limits | grep realtime.timeout", Prints("Max realtime timeout 900 1000 us \n")),
    ("process.noNewPrivileges", ".process.noNewPrivileges=true", "grep -c \"NoNewPrivs:.1\" /proc/self/status", Prints("1\n")),
    ("process.oomScoreAdj", ".process.oomScoreAdj=300", "cat /proc/self/oom_score_adj", Prints("300\n")),
    ("process.ioPriority.class process.ioPriority.priority", r#".process.ioPriority={class:"IOPRIO_CLASS_BE",priority:6}"#, "ionice", Prints("best-effort: prio 6\n")),
    ("process.scheduler.policy process.scheduler.nice", r#".process.scheduler={policy:"SCHED_BATCH",nice:5}"#, "cut -d\" \" -f19,41 /proc/self/stat", Prints("5 3\n")),
    ("process.scheduler.flags", r#".process.scheduler={policy:"SCHED_OTHER",nice:-5,flags:["SCHED_FLAG_RESET_ON_FORK"]}"#, "cut -d\" \" -f19 /proc/$$/stat /proc/self/stat; :", Prints("-5\n0\n")),
    ("process.scheduler.priority", r#".linux.cgroupsPath="/boxkit-test-case-rt" | .linux.resources.cpu={realtimeRuntime:1000} | .process.scheduler={policy:"SCHED_FIFO",priority:7}"#,
        "cut -d\" \" -f40,41 /proc/self/stat", Either("7 1\n", "cgroup v2 has no")),
    // A period below the deadline is refused by the kernel, and the same numbers in order are taken (sched(7)).
    ("process.scheduler.deadline process.scheduler.period", r#".process.scheduler={policy:"SCHED_DEADLINE",runtime:1000000,deadline:3000000,period:2000000}"#,
        "echo ran", Refused("scheduling it as SCHED_DEADLINE: Invalid argument")),
    ("process.scheduler.runtime process.scheduler.deadline process.scheduler.period", r#".process.scheduler={policy:"SCHED_DEADLINE",runtime:1000000,deadline:2000000,period:3000000}"#,
        "while read -r name colon value; do case $name in policy) echo policy $value ;; dl.runtime) [ $value -le 1000000 ] && echo runtime ;; esac; done </proc/self/sched", Prints("policy 6\nruntime\n")),
    ("hostname", r#".hostname="other""#, "hostname", Prints("other\n")),
    ("domainname", r#".domainname="d.example""#, "cat /proc/sys/kernel/domainname", Prints("d.example\n")),
    ("annotations", r#".annotations["org.boxkit.init"]="true""#, "[ $$ != 1 ] && echo under an init", Prints("under an init\n")),
    ("linux.sysctl", r#".linux.sysctl={"net.ipv4.ip_forward":"1","kernel.shmmni":"77"}"#, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni", Prints("1\n77\n")),
    ("linux.resources.devices.allow linux.resources.devices.type linux.resources.devices.major linux.resources.devices.minor linux.resources.devices.access",
        r#".linux.resources.devices=[{allow:false,access:"rwm"},{allow:true,type:"b",major:7,minor:0,access:"r"}] | .linux.devices=[{path:"/dev/k",type:"b",major:7,minor:0},{path:"/dev/m",type:"b",major:7,minor:1}]"#,
        "true </dev/k && echo read; true 2>/dev/null >>/dev/k || echo no write; true 2>/dev/null </dev/m || echo no other", Prints("read\nno write\nno other\n")),
    ("linux.resources.memory.limit linux.resources.memory.swap", ".linux.resources.memory={limit:33554432,swap:50331648}",
        "is memory.limit_in_bytes 33554432 memory.max 33554432; is memory.memsw.limit_in_bytes 50331648 memory.swap.max 16777216", Prints("right\nright\n")),
    ("linux.resources.memory.reservation", ".linux.resources.memory={reservation:16777216}", "is memory.soft_limit_in_bytes 16777216 memory.low 16777216", RIGHT),
    ("linux.resources.memory.kernelTCP", ".linux.resources.memory={kernelTCP:1048576}", "is memory.kmem.tcp.limit_in_bytes 1048576", Either("right\n", "cgroup v2 has no")),
    ("linux.resources.memory.swappiness", ".linux.resources.memory={swappiness:13}", "is memory.swappiness 13", Either("right\n", "cgroup v2 has no")),
    ("linux.resources.memory.disableOOMKiller", ".linux.resources.memory={disableOOMKiller:true}", "is memory.oom_control \"oom_kill_disable 1\"", Either("right\n", "cgroup v2 has no")),
    ("linux.resources.cpu.shares", ".linux.resources.cpu={shares:512}", "is cpu.shares 512 cpu.weight 20", RIGHT),
    ("linux.resources.cpu.quota linux.resources.cpu.period linux.resources.cpu.burst", ".linux.resources.cpu={quota:20000,period:50000,burst:10000}",
        "is cpu.cfs_quota_us 20000 cpu.max \"20000 50000\"; is cpu.cfs_period_us 50000 cpu.max \"20000 50000\"; is cpu.cfs_burst_us 10000 cpu.max.burst 10000", Prints("right\nright\nright\n")),
    ("linux.resources.cpu.realtimeRuntime linux.resources.cpu.realtimePeriod", r#".linux.cgroupsPath="/boxkit-test-case-rt-2" | .linux.resources.cpu={realtimeRuntime:1000,realtimePeriod:500000}"#,
        "is cpu.rt_runtime_us 1000; is cpu.rt_period_us 500000", Either("right\nright\n", "cgroup v2 has no")),
    ("linux.resources.cpu.cpus", r#".linux.resources.cpu={cpus:"0"}"#, "is cpuset.cpus 0; grep -o \"Cpus_allowed_list:.0$\" /proc/self/status | wc -l", Prints("right\n1\n")),
    ("linux.resources.cpu.mems", r#".linux.resources.cpu={mems:"63"}"#, "echo ran", Refused("cpuset.mems")),
    ("linux.resources.cpu.idle", ".linux.resources.cpu={idle:1}", "is cpu.idle 1", RIGHT),
    ("linux.resources.pids.limit", ".linux.resources.pids={limit:41}", "is pids.max 41", RIGHT),
    ("linux.resources.blockIO.weight", ".linux.resources.blockIO={weight:77}", "is blkio.bfq.weight 77 io.bfq.weight \"default 77\"", Either("right\n", "bfq.weight")),
    ("linux.resources.blockIO.weightDevice.major linux.resources.blockIO.weightDevice.minor linux.resources.blockIO.weightDevice.weight",
        ".linux.resources.blockIO={weightDevice:[{major:7,minor:0,weight:78}]}", "g blkio.bfq.weight_device; g io.bfq.weight", Either("7:0 78\n", "bfq.weight")),
    ("linux.resources.blockIO.throttleReadBpsDevice", ".linux.resources.blockIO={throttleReadBpsDevice:[{major:7,minor:0,rate:1048576}]}",
        "is blkio.throttle.read_bps_device \"7:0 1048576\" io.max \"7:0 rbps=1048576 wbps=max riops=max wiops=max\"", RIGHT),
    ("linux.resources.blockIO.throttleWriteBpsDevice", ".linux.resources.blockIO={throttleWriteBpsDevice:[{major:7,minor:0,rate:1048577}]}",
        "is blkio.throttle.write_bps_device \"7:0 1048577\" io.max \"7:0 rbps=max wbps=1048577 riops=max wiops=max\"", RIGHT),
    ("linux.resources.blockIO.throttleReadIOPSDevice", ".linux.resources.blockIO={throttleReadIOPSDevice:[{major:7,minor:0,rate:100}]}",
        "is blkio.throttle.read_iops_device \"7:0 100\" io.max \"7:0 rbps=max wbps=max riops=100 wiops=max\"", RIGHT),
    ("linux.resources.blockIO.throttleWriteIOPSDevice", ".linux.resources.blockIO={throttleWriteIOPSDevice:[{major:7,minor:0,rate:101}]}",
        "is blkio.throttle.write_iops_device \"7:0 101\" io.max \"7:0 rbps=max wbps=max riops=max wiops=101\"", RIGHT),
    ("linux.resources.hugepageLimits.pageSize linux.resources.hugepageLimits.limit", r#".linux.resources.hugepageLimits=[{pageSize:"2MB",limit:2097152}]"#,
        "is hugetlb.2MB.limit_in_bytes 2097152 hugetlb.2MB.max 2097152", Either("right\n", "hugetlb")),
    ("linux.resources.network.classID", ".linux.resources.network={classID:1048577}", "is net_cls.classid 1048577", Either("right\n", "net_cls")),
    ("linux.resources.network.priorities.name linux.resources.network.priorities.priority", r#".linux.resources.network={priorities:[{name:"lo",priority:3}]}"#,
        "g net_prio.ifpriomap", Either("lo 3\n", "net_prio")),
    ("linux.resources.rdma.hcaHandles linux.resources.rdma.hcaObjects", ".linux.resources.rdma={mlx5_0:{hcaHandles:3,hcaObjects:4}}",
        "g rdma.max", Either("mlx5_0 hca_handle=3 hca_object=4\n", "rdma")),
    ("linux.resources.unified", r#".linux.resources.unified={"pids.max":"42"}"#, "is pids.max 42", Either("right\n", "pids.max is a file of cgroup v2")),
    ("linux.namespaces.type linux.timeOffsets.secs linux.timeOffsets.nanosecs",
        r#".linux.namespaces+=[{type:"time"}] | .linux.timeOffsets={boottime:{secs:1000000000},monotonic:{secs:7,nanosecs:8}}"#,
        "tr -s \" \" </proc/self/timens_offsets; test $(cut -d. -f1 /proc/uptime) -gt 1000000000 && echo older", Prints("monotonic 7 8\nboottime 1000000000 0\nolder\n")),
    ("linux.namespaces.path", r#".linux.namespaces |= map(if .type=="uts" then .path="" else . end)"#, "hostname", Prints("inside\n")),
    ("linux.devices.path linux.devices.type linux.devices.major linux.devices.minor linux.devices.fileMode linux.devices.uid linux.devices.gid",
        r#".linux.devices=[{path:"/dev/fifo",type:"p",fileMode:416,uid:3,gid:4},{path:"/dev/own",type:"c",major:1,minor:5,fileMode:384}]"#,
        r#"stat -c "%F %a %u %g" /dev/fifo; stat -c "%F %a %t:%T" /dev/own"#, Prints("fifo 640 3 4\ncharacter special file 600 1:5\n")),
    ("linux.seccomp.defaultAction linux.seccomp.syscalls.names linux.seccomp.syscalls.action linux.seccomp.syscalls.errnoRet",
        r#".linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir","mkdirat"],action:"SCMP_ACT_ERRNO",errnoRet:95}]}"#,
        "mkdir /tmp/x 2>&1; mknod /tmp/p p && echo pipe", Prints("mkdir: can't create directory '/tmp/x': Operation not supported\npipe\n")),
    ("linux.seccomp.defaultErrnoRet", ".linux.seccomp.defaultErrnoRet=95", "mount -t tmpfs x /mnt 2>&1; :", Prints("mount: mounting x on /mnt failed: Operation not supported\n")),
    ("linux.seccomp.syscalls.args.index linux.seccomp.syscalls.args.value linux.seccomp.syscalls.args.valueTwo linux.seccomp.syscalls.args.op",
        r#".linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["kill"],action:"SCMP_ACT_ERRNO",errnoRet:95,args:[{index:1,value:15,valueTwo:10,op:"SCMP_CMP_MASKED_EQ"}]}]}"#,
        "kill -0 $$ && echo zero; kill -USR1 $$ 2>&1 | grep -o \"Operation not supported\"", Prints("zero\nOperation not supported\n")),
    ("linux.maskedPaths", r#".linux.maskedPaths=["/proc/version"]"#, "wc -c </proc/version", Prints("0\n")),
    ("linux.readonlyPaths", r#".linux.readonlyPaths=["/tmp"]"#, "touch /tmp/x 2>&1; :", Prints("touch: /tmp/x: Read-only file system\n")),
    ("linux.personality.domain", r#".linux.personality={domain:"LINUX32"}"#, "uname -m", Prints("i686\n")),
];

/// Fields that tests of their own see, by file and name.
#[rustfmt::skip]
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("ociVersion", "engine/hooks.rs", "each_runs_in_its_place_and_is_told_the_state"),
    ("process.terminal process.consoleSize.height process.consoleSize.width", "rrun/run.rs", "a_terminal_is_one"),
    ("hooks.prestart hooks.createRuntime hooks.createContainer hooks.startContainer hooks.poststart hooks.poststop hooks.path hooks.args hooks.env", "engine/hooks.rs", "each_runs_in_its_place_and_is_told_the_state"),
    ("hooks.timeout", "engine/hooks.rs", "a_timeout_ends_a_hook_that_does_not_read_and_its_children"),
    ("linux.uidMappings.containerID linux.uidMappings.hostID linux.uidMappings.size linux.gidMappings.containerID linux.gidMappings.hostID linux.gidMappings.size", "engine/fields.rs", "root_of_a_user_namespace_is_nobody_outside"),
    ("linux.cgroupsPath", "engine/fields.rs", "groups_above_that_the_path_needs_are_removed_with_it"),
    ("linux.namespaces.path", "engine/fields.rs", "namespaces_are_joined_by_their_path"),
    ("linux.seccomp.architectures", "../tools/kit/seccomp/src/tests.rs", "other_architectures_have_their_own_numbers_or_die"),
    ("linux.rootfsPropagation", "engine/fields.rs", "mounts_pass_as_the_propagation_says"),
];

/// Fields that nothing inside shows, and why.
const UNSEEN: &[(&str, &str)] = &[
    (
        "linux.resources.memory.checkBeforeUpdate",
        "it is for updates, and a new group has no usage",
    ),
    (
        "linux.seccomp.flags",
        "they change what the kernel logs and how the CPU speculates",
    ),
];

fn done() -> BTreeSet<&'static str> {
    let done = FIELDS
        .iter()
        .filter(|field| matches!(field.fate, Fate::Done(_)));
    done.map(|field| field.path).collect()
}

/// A row of docs/oci.md says what a field does: something here has to see it.
#[test]
fn each_field_that_is_carried_out_has_a_case() {
    let cases = CASES.iter().map(|(fields, ..)| *fields);
    let elsewhere = ELSEWHERE.iter().map(|(fields, ..)| *fields);
    let unseen = UNSEEN.iter().map(|(field, _)| *field);
    let all = cases.chain(elsewhere).chain(unseen);
    let seen: BTreeSet<&str> = all.flat_map(str::split_whitespace).collect();
    let done = done();
    let missing: Vec<_> = done.difference(&seen).collect();
    assert_eq!(missing, [&""; 0], "rows without a case");
    let unknown: Vec<_> = seen.difference(&done).collect();
    assert_eq!(unknown, [&""; 0], "cases without a row");
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests");
    for (_, file, name) in ELSEWHERE {
        let text = std::fs::read_to_string(format!("{tests}/{file}")).unwrap();
        assert!(
            text.contains(&format!("fn {name}()")),
            "{file} has no {name}"
        );
    }
}

/// What a configuration has at a path of docs/oci.md; lists and maps by names are looked into.
fn values<'a>(json: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    match (path, json) {
        ([], value) => vec![value],
        (_, Value::Array(items)) => items.iter().flat_map(|item| values(item, path)).collect(),
        ([first, rest @ ..], Value::Object(map)) => match map.get(*first) {
            Some(inner) => values(inner, rest),
            None if map.values().all(Value::is_object) => {
                map.values().flat_map(|inner| values(inner, path)).collect()
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The case changes the fields that it is for, and no other test is needed to know what they do.
fn look(cases: &[Case]) {
    let host = bundled("");
    host.ok("cp -a b/rootfs b/other; echo other >b/other/marker");
    let read = |file: &str| -> Value {
        serde_json::from_str(&host.ok(&format!("cat {file}"))).expect("jq(1) writes JSON")
    };
    let base = read("base.json");
    let mut wrong = Vec::new();
    for (fields, jq, script, seen) in cases {
        let (code, out, said) = run(&host, jq, &format!("{CONTROL}{script}"));
        let config = read("b/config.json");
        for field in fields.split_whitespace() {
            let path: Vec<&str> = field.split('.').collect();
            let (was, is) = (values(&base, &path), values(&config, &path));
            if is.is_empty() || was == is {
                wrong.push(format!("{field} is not changed by {jq}"));
            }
        }
        let prints = |wanted: &str| (code, out.as_str(), said.as_str()) == (0, wanted, "");
        let refused = |part: &str| code == 125 && out.is_empty() && said.contains(part);
        let is_right = match seen {
            Prints(wanted) => prints(wanted),
            Refused(part) => refused(part),
            Either(wanted, part) => prints(wanted) || refused(part),
        };
        if !is_right {
            wrong.push(format!("{fields}: {code} {out:?} {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_first_half_of_the_fields_is_seen_from_inside() {
    look(&CASES[..CASES.len() / 2]);
}

#[test]
fn the_second_half_of_the_fields_is_seen_from_inside() {
    look(&CASES[CASES.len() / 2..]);
}
