//! The script that `--dry-run` of a run prints, done by sh, beside the run itself: a program that looks at all that
//! flags decide finds the same in both.

use std::path::Path;

use kit_test::Host;

/// What a program can see of how it was started. Each line begins with what it is about.
const PROBE: &str = r#"
say() { while IFS= read -r line; do echo "$1: $line"; done; }
id | say id
{ ulimit -aS; ulimit -aH; } | say ulimit
env | say env
say stdin
{ umask; pwd; hostname; readlink /proc/self/fd/0; ls -ld .; } | say here
grep -E '^(Uid|Gid|Groups|Cap.*|NoNewPrivs|Sig(Blk|Ign)):' /proc/self/status | say status
say oom </proc/self/oom_score_adj
say cgroup </proc/self/cgroup
say mount </proc/self/mountinfo
for f in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.max memory.swap.max \
    memory.low cpu.cfs_quota_us cpu.cfs_period_us cpu.shares cpu.max cpu.weight cpuset.cpus cpuset.mems pids.max pids.current devices.list; do
    for at in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ ! -f $at/$f ] || say "limit $at/$f" <$at/$f
    done
done
{ : >/written && echo yes || echo no; } 2>&1 | say root
ls -l /dev | say dev
for i in /proc/[0-9]*/comm; do say "process" <$i; done
exit 7
"#;

/// Left out of what is compared: IDs, mounts' numbers, inodes' ages and sizes; a filesystem's own `ro` or `rw` beside the mount's, which
/// mount(8) sets together; what overlay writes down in its first mount of an upper directory; which pipe it is; whom a terminal belongs to.
const FORGET: &str = r"
s/[0-9a-f]{64}/ID/g
s/[0-9a-f]{12}/SHORT/g
s/^mount: [0-9]+ [0-9]+ [0-9]+:[0-9]+ /mount: /
s/^(mount: .* - [^ ]+ [^ ]+) r[ow],/\1 /
s/^(mount: .* - [^ ]+ [^ ]+) r[ow]$/\1/
s/,uuid=on//
s/^here: .*(pipe|stdin).*/here: a pipe/
s/^(dev|here): ([^ ]{10}) .* ([^ ]+( -> .*)?)$/\1: \2 \3/
";

/// What the program saw: all of it, sorted.
fn seen(host: &Host, command: &str) -> String {
    let (code, out, said) = host.outcome(&format!("umask 027; echo given | {command}"));
    assert_eq!((code, said.as_str()), (7, ""), "{command}");
    std::fs::write(host.path().join("seen"), out).unwrap();
    std::fs::write(host.path().join("forget"), FORGET).unwrap();
    host.ok("sed -E -f forget seen | sort")
}

/// What the program of the script in `s` saw. On cgroup v2 the device rules are what sh cannot do.
fn replayed(host: &Host) -> String {
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
        || host.ok("cat s").contains("--privileged")
    {
        return seen(host, "sh s");
    }
    let (code, _, said) = host.outcome("sh s </dev/null");
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("a program for bpf(2) has no form in sh"),
        "{said}"
    );
    host.ok("rm -f id");
    seen(host, "BOXKIT_PARTIAL=1 sh s 2>/dev/null")
}

fn host() -> Host {
    let host = Host::new();
    let path = host.path().join("probe");
    std::fs::write(path, PROBE).unwrap();
    host.ok(
        "printf 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n' >passwd
             printf 'www:x:34:\nlog:x:4:adm,web\ndisk:x:6:web\n' >group",
    );
    host
}

/// A run with these flags, and its script, leave the program in the same place.
fn same(flags: &str) {
    let host = host();
    let run = |more: &str| {
        format!(
            "rrun run {more} --rm --net none -h box --cidfile id {flags} tools sh -c \"$(cat probe)\""
        )
    };
    let ours = seen(&host, &run(""));
    host.ok(&format!("mv id first; {} >s", run("--dry-run")));
    kit_test::same(&replayed(&host), &ours, flags);
    assert_eq!(host.ok("wc -c <id"), "64\n");
    let left = "find root/containers root/names run/containers -mindepth 1; \
                find /sys/fs/cgroup -type d -path \"*/$(cat id 2>/dev/null)\" 2>/dev/null || :";
    assert_eq!(host.ok(left), "", "{flags}");
}

#[test]
fn nothing_asked_for() {
    same("");
}

#[test]
fn limits() {
    same("-m 64m --pids-limit 20 --cpus 0.5 -c 512");
    same("--cpuset-cpus 0 --memory-reservation 32m -m 64m --memory-swap 96m");
}

#[test]
fn users() {
    let files = "-v $PWD/passwd:/etc/passwd -v $PWD/group:/etc/group";
    for user in ["5:6", "web", "33", "web:disk", "4242", ":disk", "0"] {
        same(&format!("{files} -u {user}"));
    }
    same("-e HOME=/elsewhere -u 7");
}

#[test]
fn privileges() {
    same("--cap-drop ALL --cap-add net_raw --security-opt no-new-privileges");
    same("--privileged");
}

#[test]
fn rlimits() {
    same("--ulimit nofile=100:200 --ulimit core=0 --ulimit nproc=500");
    same("--oom-score-adj 300");
}

#[test]
fn mounts() {
    same("--read-only --tmpfs /tmp -v $PWD:/here:ro -v named:/named");
    same("-w /not/there/yet");
}

#[test]
fn standard_input() {
    same("-i");
}

#[test]
fn a_container_that_was_created() {
    let host = host();
    let made = "umask 077; rrun create --name box -h box --net none -i -u web -m 64m --read-only --ulimit nofile=99 \
                -v $PWD/passwd:/etc/passwd tools sh -c \"$(cat probe)\"";
    host.ok(made);
    let ours = seen(&host, "rrun start -ai box");
    host.ok("rrun start -ai --dry-run box >s");
    kit_test::same(&replayed(&host), &ours, "start");
    assert_eq!(host.ok("rrun rm box; ls root/containers"), "box\n");
}

#[test]
fn a_root_and_a_cgroup_that_were_given() {
    let host = host();
    host.ok("runpack unpack tools rootfs");
    let group = format!("t-replay-{}", std::process::id());
    host.ok(&format!(
        "rcgroup create {group} -m 64m --cpus 0.5 --pids-limit 30"
    ));
    let run = |more: &str| {
        format!(
            "rrun run {more} --rm --net none -h box --cgroup {group} --rootfs rootfs -- sh -c \"$(cat probe)\""
        )
    };
    let ours = seen(&host, &run(""));
    host.ok(&(run("--dry-run") + " >s"));
    let script = seen(&host, "sh s");
    host.ok(&format!("rcgroup del {group}"));
    kit_test::same(&script, &ours, "--cgroup");
    assert!(ours.contains("pids.max: 30"), "{ours}");
}

#[test]
fn limits_hold() {
    let host = host();
    let run = |more: &str| host.ok(&format!("rrun run --dry-run --rm --net none {more} >s"));
    run("-m 20m --memory-swap 20m tools tail /dev/zero");
    assert_eq!(host.code("BOXKIT_PARTIAL=1 sh s"), 137);
    run("--pids-limit 5 tools sh -c 'for i in 1 2 3 4 5 6; do sleep 1 & done'");
    let (code, _, said) = host.outcome("BOXKIT_PARTIAL=1 sh s");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("Cannot fork"), "{said}");
}

#[test]
fn what_sh_cannot_do_is_said() {
    let host = host();
    host.ok("rrun run --dry-run --rm --net none --init tools sh -c 'exit 7' >s");
    let (code, _, said) = host.outcome("sh s");
    assert_eq!(code, 3);
    let (_, _, all) = host.outcome("BOXKIT_PARTIAL=1 sh s");
    assert!(
        (said + &all).contains("init.stay: sh cannot do this"),
        "{all}"
    );
    assert_eq!(host.code("BOXKIT_PARTIAL=1 sh s"), 7);
    for user in ["nosuch", "root:nosuch"] {
        host.ok(&format!(
            "rrun run --dry-run --rm --net none -u {user} tools id >s"
        ));
        let ours = host.outcome(&format!("rrun run --rm --net none -u {user} tools id"));
        let (code, _, said) = host.outcome("BOXKIT_PARTIAL=1 sh s");
        assert_eq!(code, ours.0, "{}", ours.2);
        let line = said.lines().last().unwrap();
        assert!(ours.2.contains(line), "{line}: {}", ours.2);
    }
}
