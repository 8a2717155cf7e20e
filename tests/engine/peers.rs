//! One bundle under runc, crun and the engine: limits, mounts, capabilities and the rest are the same, seen from inside.

use super::bundled;

/// What the program sees. Not compared: /etc/hosts and its kind, which a container has and a bundle has not, which mounts hide a masked path (each runtime's own), what /sys/fs/cgroup is made
/// of on v1, `core`, which crun and runc leave out.
const LOOK: &str = r#"id; grep -E "^(Cap|NoNew|Seccomp:|Groups)" /proc/self/status; ulimit -n; ulimit -u; umask; pwd; env | sort; hostname; cat /proc/self/oom_score_adj
cut -d" " -f5,6 /proc/self/mountinfo | grep -vE "^/(proc|sys|etc)/" | sort
for f in memory.limit_in_bytes memory.memsw.limit_in_bytes memory.max memory.swap.max pids.max cpu.cfs_quota_us cpu.max cpu.shares cpu.weight cpuset.cpus memory.soft_limit_in_bytes memory.low; do
  for g in /sys/fs/cgroup/$f /sys/fs/cgroup/*/$f; do [ -r $g ] && echo $f $(cat $g); done | grep -v " max$\| 9223372036854771712$"
done; ls /dev | grep -v core
for d in null zero full random urandom tty; do true <>/dev/$d && echo open $d; done 2>&1
mknod /scratch/disk b 8 0 2>/dev/null && head -c1 /scratch/disk 2>&1 | grep -o "not permitted\|denied"
for p in /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do ls -A $p 2>/dev/null | head -1; head -c1 $p 2>/dev/null; done
echo x 2>/dev/null >/proc/sysrq-trigger || echo frozen; echo x 2>/dev/null >/vol/x || echo read-only; cat /vol/file; touch /made 2>/dev/null || echo root read-only"#;

#[test]
fn the_bundle_of_a_container_runs_the_same_under_all_three() {
    for flags in [
        "-m 64m --cpus 0.5 --pids-limit 60 --cpu-shares 512 --cap-add NET_ADMIN --cap-drop CHOWN --ulimit nofile=100:200 -v $PWD/vol:/vol:ro --tmpfs /scratch -e A=b -w /usr",
        "-u 33:33 --read-only --security-opt no-new-privileges --tmpfs /scratch:mode=1777 -v $PWD/vol:/vol",
        "-m 64m --memory-reservation 32m --cpuset-cpus 0 --oom-score-adj 100 --privileged --tmpfs /scratch -v $PWD/vol:/vol:ro",
    ] {
        let host = bundled("");
        host.ok("mkdir vol; echo hello >vol/file; chmod 755 . vol");
        host.ok(&format!("rrun create --name full --net none {flags} busybox sh -c '{LOOK}' >/dev/null && mkdir f && rrun bundle full f >/dev/null"));
        let example = kit_test::binaries().join("examples/bundle");
        let ours = host.ok(&format!("{} f ours </dev/null 2>&1", example.display()));
        for peer in ["runc", "crun"] {
            // crun of Debian 12 runs on no hybrid host: it is shown a v1 one.
            let theirs = host.ok(&format!(
                "unshare --mount sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec {peer} run -b f boxkit-test-{peer}-'$$ </dev/null 2>&1"
            ));
            kit_test::same(&ours, &theirs, &format!("{flags}: ours beside {peer}"));
        }
        assert!(
            ours.contains("hello\n") && ours.contains("open null\n"),
            "{ours}"
        );
        host.ok("rrun bundle --umount full f");
        // And as the container that it is.
        let run =
            host.ok("rrun start full >/dev/null; rrun wait full >/dev/null; rrun logs full 2>&1");
        kit_test::same(
            &run,
            &ours,
            &format!("{flags}: the container beside its bundle"),
        );
    }
}

/// Their own first bundle: it asks for ambient capabilities that are not inheritable, which runc and crun pass over.
#[test]
fn the_configurations_that_the_peers_write_run_as_they_are() {
    let host = bundled("");
    let example = kit_test::binaries().join("examples/bundle");
    let change = r#"jq '.process.terminal=false|.process.args=["sh","-c","grep CapAmb /proc/self/status; hostname"]'"#;
    for peer in ["runc", "crun"] {
        host.ok(&format!(
            "cd b && rm -f config.json && {peer} spec && {change} config.json >new && mv new config.json"
        ));
        let ours = host.ok(&format!("{} b ours </dev/null 2>&1", example.display()));
        assert_eq!(ours, format!("CapAmb:\t0000000000000000\n{peer}\n"));
    }
}
