//! The script that `--dry-run` of a run prints, done by sh, beside the run itself: a program that looks at all that
//! flags decide finds the same in both.

use std::path::Path;

use kit_test::Host;

use crate::engine::import_links;

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

/// The host's mkdir(1) and mount(8) would follow an absolute link of the image to the host's own files.
#[test]
fn links_of_an_image_lead_the_script_nowhere_outside() {
    let host = Host::new();
    import_links(&host);
    host.ok("mkdir data; touch data/here");
    let flags = "--rm --net none -h box -v $PWD/data:/p:ro -v named:/v --tmpfs /p/../t";
    let program = "cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf /etc/hosts /no/such/hosts; ls /p /not/there; \
                   : >/v/made; ls /q/deep; grep -o ' /[tnq][^ ]* r[ow][^ ]*' /proc/self/mountinfo";
    let run = |more: &str| format!("rrun run {more} {flags} links sh -c \"{program}\"");
    let ours = host.ok(&run(""));
    assert!(
        ours.contains("localhost") && ours.contains("\nmade\n"),
        "{ours}"
    );
    host.ok(&format!(
        "rm root/volumes/named/_data/made; {} >s",
        run("--dry-run")
    ));
    assert_eq!(host.ok("BOXKIT_PARTIAL=1 sh s 2>/dev/null"), ours);
    assert_eq!(
        host.code("[ -e /no/such ] || [ -e /not ] || [ -e /q ] || [ -e data/made ]"),
        1
    );
    // Nor where a whole directory of the kernel's is one.
    host.ok(
        "rm -r fs/dev; ln -s $PWD/data fs/dev; tar -C fs -c . | rrun import - astray >/dev/null
             rrun run --dry-run --rm --net none astray id >s",
    );
    let (code, _, said) = host.outcome("BOXKIT_PARTIAL=1 sh s");
    let why =
        "/proc, /sys or /dev of the image is a symbolic link, which this script does not follow\n";
    assert!(code == 1 && said.ends_with(why), "{code}: {said}");
    assert_eq!(host.ok("ls -A data"), "here\n");
}

/// Capabilities, further groups and the filter aside: docs/dry-run.md.
#[test]
fn a_script_of_an_exec_does_what_the_exec_does() {
    let host = Host::new();
    host.ok("printf 'web:x:33:34::/w\\351b:\n' >passwd
             rrun run -d --name box -h box --net none -m 64m -v $PWD/passwd:/etc/passwd tools sleep 1000");
    let odd = "\"/tmp/$(printf 'caf\\351')\"";
    host.ok(&format!("rrun exec box mkdir {odd}"));
    let program = "id -u; id -g; pwd; hostname; cat; env; cat /proc/self/cgroup; readlink /proc/self/ns/*; \
                   cat /proc/self/oom_score_adj; echo \"$0\" >/tmp/made; echo said >&2; exit 7";
    for flags in [
        "",
        "-i",
        "-i -w /tmp -e A='x y' -e HOME=/elsewhere",
        "-u web",
        &format!("-u 5:6 -e B={odd} -w {odd}"),
    ] {
        let exec = |more: &str| format!("rrun exec {more} {flags} box sh -c '{program}' {odd}");
        let seen = |script: &str| {
            let shown = "code=$?; LC_ALL=C sed -n 'l 0' out; exit $code";
            let (code, out, said) = host.outcome(&format!("echo fed | {script} >out; {shown}"));
            let made = "rrun exec box sh -c 'stat -c %u:%g /tmp/made; cat /tmp/made; rm /tmp/made'";
            (code, out, said, host.ok(&format!("{made} | od -c")))
        };
        let ours = seen(&exec(""));
        assert_eq!((ours.0, ours.2.as_str()), (7, "said\n"), "{flags}");
        let is_fed = ours.1.contains("\nfed$\n");
        assert_eq!(is_fed, flags.contains("-i"), "{flags}: {}", ours.1);
        host.ok(&format!("{} >s", exec("--dry-run")));
        assert_eq!(seen("sh s"), ours, "{flags}");
    }
    host.ok("rrun exec -d --dry-run box sh -c 'echo late >/tmp/late' >s; sh s");
    host.until("[ \"$(rrun exec box cat /tmp/late)\" = late ]");
}

#[test]
fn an_exec_tells_each_of_its_steps_and_ends_with_its_programs_code() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    let exec = |flag: &str| host.outcome(&format!("rrun exec {flag} box sh -c 'echo in; exit 4'"));
    let steps = [
        "Open the container's first process, PID ",
        "Open the cgroup: ",
        "Make pipes between us and the program",
        "Clone a process to enter the container with: ",
        "Join the cgroup: ",
        "Enter its namespaces and root: ",
        "Give up the privileges it must not have, then become the program: sh -c",
    ];
    let (code, out, said) = exec("--explain");
    assert_eq!((code, out.as_str()), (4, "in\n"), "{said}");
    let told = said
        .lines()
        .filter_map(|line| line.trim_start().split_once("  "));
    let told = told.filter(|(number, _)| number.parse::<usize>().is_ok());
    for ((number, text), (step, begin)) in told.zip((1_u64..).zip(steps)) {
        assert_eq!(number, step.to_string(), "{said}");
        assert!(text.trim_start().starts_with(begin), "{text}: {begin}");
    }
    assert!(said.contains("\n7 steps, "), "{said}");
    let (code, out, said) = exec("--trace");
    assert_eq!((code, out.as_str()), (4, "in\n"), "{said}");
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (line, (step, begin)) in lines.iter().zip((1_u64..).zip(steps)) {
        assert_eq!(
            (&line["step"], &line["ok"]),
            (&step.into(), &true.into()),
            "{line}"
        );
        assert!(line["why"].as_str().unwrap().starts_with(begin), "{line}");
    }
    assert_eq!(lines.len(), steps.len(), "{said}");
    let (code, out, said) = exec("--explain=calls");
    assert_eq!((code, out.as_str()), (4, "in\n"), "{said}");
    let calls: Vec<&str> = said.lines().map(str::trim).collect();
    let mut rest = calls.iter();
    for begin in [
        "pidfd_open(",
        "clone3(",
        "setns(",
        "setns(",
        "fchdir(",
        "chroot(\".\")",
        "chdir(\"/\")",
        "execve(\"/",
    ] {
        assert!(rest.any(|call| call.starts_with(begin)), "{begin}: {said}");
    }
}
