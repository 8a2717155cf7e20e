//! What the machine lacks, or a sandbox took from it: netlink, capabilities, a root that can be written to.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use kit_sys::seccomp::Instruction;
use nix::libc;

use crate::{Row, all, own_host, packed_host};

/// Executes `SCRIPT` where no netlink socket can be had, its output on descriptor 3.
#[test]
#[ignore = "the others start it"]
fn deaf() {
    let step = |code, k, jt, jf| Instruction { code, jt, jf, k };
    let (load, equal, answer) = (0x20, 0x15, 0x06);
    let filter = [
        step(load, 0, 0, 0),
        step(equal, libc::SYS_socket as u32, 0, 3),
        step(load, 16, 0, 0),
        step(equal, libc::AF_NETLINK as u32, 0, 1),
        // SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW.
        step(answer, 0x5_0000 | libc::EAFNOSUPPORT as u32, 0, 0),
        step(answer, 0x7fff_0000, 0, 0),
    ];
    kit_sys::seccomp::load(&filter, 0).unwrap();
    let script = format!("exec >&3 3>&-; {}", std::env::var("SCRIPT").unwrap());
    panic!("{}", Command::new("sh").args(["-c", &script]).exec());
}

const DEAF: &[Row] = &[
    (
        "./deaf rrun run --rm tools id",
        125,
        "rrun: opening a route netlink socket: Address family not supported by protocol\nhint: this kernel, or the sandbox that we run in, has no such netlink",
    ),
    (
        "./deaf rrun run --rm --net none tools id",
        125,
        "rrun: opening a route netlink socket: Address family not supported by protocol\nhint: this kernel, or the sandbox that we run in, has no such netlink",
    ),
    (
        "./deaf rnetns add blue",
        1,
        "rnetns: opening a route netlink socket: Address family not supported by protocol\nhint: this kernel, or the sandbox that we run in, has no such netlink",
    ),
    (
        "./deaf rveth list",
        1,
        "rveth: opening a route netlink socket: Address family not supported by protocol\nhint: this kernel, or the sandbox that we run in, has no such netlink",
    ),
    (
        "./deaf rbridge add br0",
        1,
        "rbridge: opening a route netlink socket: Address family not supported by protocol\nhint: this kernel, or the sandbox that we run in, has no such netlink",
    ),
];

#[test]
fn without_netlink() {
    let host = packed_host();
    let test = std::env::current_exe().unwrap();
    host.ok(&format!(
        "printf '%s\\n' '#!/bin/sh' 'SCRIPT=\"$*\" exec {} --exact machine::deaf --ignored --nocapture 3>&1 >/dev/null' >deaf; chmod +x deaf",
        test.display()
    ));
    all(&host, DEAF);
}

const CAPLESS: &[Row] = &[
    (
        "./without sys_admin rrun run --rm tools id",
        125,
        "rrun: writing \"/sys/fs/cgroup/devices/{instance}/{id}/devices.deny\": Operation not permitted\nhint: root without CAP_SYS_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without net_admin rrun run --rm --net none tools id",
        125,
        "rrun: changing link \"lo\": Operation not permitted\nhint: root without CAP_NET_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without mknod rrun run --rm tools id",
        125,
        "rrun: making device /dev/null: Operation not permitted\nhint: root without CAP_MKNOD: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without setpcap rrun run --rm tools id",
        125,
        "rrun: setting bounding capabilities: Operation not permitted\nhint: root without CAP_SETPCAP: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without sys_admin rnetns add blue",
        1,
        "rnetns: creating network namespace \"blue\": Operation not permitted\nhint: root without CAP_SYS_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without net_admin rveth add a b",
        1,
        "rveth: creating link \"a\": Operation not permitted\nhint: root without CAP_NET_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without net_admin rbridge add br0",
        1,
        "rbridge: creating link \"br0\": Operation not permitted\nhint: root without CAP_NET_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without sys_admin rmount tmpfs data",
        1,
        "rmount: mounting a tmpfs at \"{dir}/data\": Operation not permitted\nhint: this needs root, with CAP_SYS_ADMIN in this mount namespace",
    ),
    (
        "./without dac_override rcgroup create $g",
        1,
        "rcgroup: making cgroup \"/sys/fs/cgroup/cpu/{g}\": Permission denied\nhint: root without CAP_DAC_OVERRIDE: run it outside the sandbox that took that away; see rrun doctor",
    ),
    (
        "./without net_admin rrun gc",
        1,
        "rrun: listing nft tables: Operation not permitted\nhint: root without CAP_NET_ADMIN: run it outside the sandbox that took that away; see rrun doctor",
    ),
];

#[test]
fn without_a_capability() {
    let host = packed_host();
    host.ok(
        "printf '%s\\n' '#!/bin/sh' 'cap=$1; shift; exec setpriv --bounding-set=-$cap --inh-caps=-$cap \"$@\"' >without; chmod +x without",
    );
    all(&host, CAPLESS);
}

const ROOTS: &[Row] = &[
    (
        "BOXKIT_ROOT=$PWD/ro rrun run --rm tools id",
        125,
        "rrun: making \"{dir}/ro/layers/{instance}\": Read-only file system\nhint: {dir}/ro is on a read-only file system: BOXKIT_ROOT moves it elsewhere",
    ),
    (
        "BOXKIT_ROOT=$PWD/ro rrun create tools id",
        1,
        "rrun: making \"{dir}/ro/containers\": Read-only file system\nhint: {dir}/ro is on a read-only file system: BOXKIT_ROOT moves it elsewhere",
    ),
    (
        "BOXKIT_ROOT=$PWD/ro rrun load tools.tar",
        1,
        "rrun: lock \"{dir}/ro/images/content.lock\": Read-only file system\nhint: {dir}/ro is on a read-only file system: BOXKIT_ROOT moves it elsewhere",
    ),
    (
        "BOXKIT_ROOT=$PWD/ro rrun tag tools again",
        1,
        "rrun: lock \"{dir}/ro/images/index.lock\": Read-only file system\nhint: {dir}/ro is on a read-only file system: BOXKIT_ROOT moves it elsewhere",
    ),
    (
        "BOXKIT_RUN=$PWD/ro rrun run --rm tools id",
        125,
        "rrun: making \"{dir}/ro/transient/containers\": Read-only file system\nhint: {dir}/ro is on a read-only file system: BOXKIT_RUN moves it elsewhere",
    ),
    (
        "BOXKIT_ROOT=$PWD/over rrun run --rm tools id",
        125,
        "rrun: mounting an overlay at \"{dir}/run/containers/{id}/root\": upper \"{dir}/over/layers/{instance}/{id}/upper\" is on overlay, which cannot hold an upper\nhint: set BOXKIT_ROOT to a place on ext4, xfs or tmpfs",
    ),
    (
        "BOXKIT_ROOT=relative rrun run --rm tools id",
        125,
        "rrun: using BOXKIT_ROOT=\"relative\": not an absolute path",
    ),
    (
        "rrun load oci:other:tools",
        1,
        "rrun: loading \"other\": it is for linux/s390x, and this machine is linux/amd64\nhint: --platform linux/s390x loads it all the same",
    ),
    (
        "rrun run --rm other id",
        125,
        "rrun: running image \"other\": it is for s390x, and this machine is amd64\nhint: load the image for this machine",
    ),
    (
        "rrun load data",
        1,
        "rrun: loading \"data\": the directory is no OCI image layout\nhint: tar -C data -c . | runpack import - NAME makes an image of a root directory",
    ),
    (
        "rrun load nosuch.tar",
        1,
        "rrun: open \"nosuch.tar\": No such file or directory",
    ),
    (
        "rrun load </dev/null",
        1,
        "rrun: loading \"-\": it is empty\nhint: an image is an archive of skopeo, podman save or docker save",
    ),
];

#[test]
fn roots_that_do_not_serve_and_images_of_another_machine() {
    let host = packed_host();
    host.ok(
        "runpack save tools >tools.tar; skopeo copy -q oci-archive:tools.tar oci:other:tools; umoci config --image other:tools --architecture s390x
         rrun load --platform linux/s390x oci:other:tools -t other
         mkdir -m 700 ro over; mkdir low up; mount -t tmpfs -o mode=700 none ro; cp -a root/images ro; mount -o remount,ro ro
         mount -t tmpfs none up; mkdir up/up up/work; mount -t overlay -o lowerdir=low,upperdir=up/up,workdir=up/work none over; chmod 700 over
         cp -a root/images over; mkdir -m 700 over/containers over/names over/trash; BOXKIT_ROOT=$PWD/over rrun run --rm tools id || :",
    );
    all(&host, ROOTS);
}

/// The container writes until its disk is full; that is its own error, and the next one is told.
#[test]
fn a_container_that_fills_the_disk() {
    let host = own_host();
    host.ok("mkdir -m 700 root; mount -t tmpfs -o size=60m,mode=700 none root");
    host.ok(&kit_test::pack());
    let fill = "sh -c 'head -c 90m /dev/zero >/big'";
    let (code, _, said) = host.outcome(&format!("rrun run --name full tools {fill}"));
    assert_eq!(
        (code, said.as_str()),
        (
            1,
            "head: error writing 'standard output': No space left on device\n"
        )
    );
    assert_eq!(
        host.ok("rrun wait full; rrun inspect -f '{{.State.Status}}' full"),
        "1\nexited\n"
    );
    for run in ["rrun run tools id", "rrun run --rm tools id"] {
        let (code, _, said) = host.outcome(run);
        assert_eq!(code, 125, "{run}");
        assert!(said.contains("No space left on device\nhint: ") && said.ends_with(" is full: rrun rm, rrun rmi and rrun gc make room, or BOXKIT_ROOT moves it elsewhere\n"), "{run}: {said}");
    }
    assert_eq!(
        host.ok("rrun rm full; rrun run --rm tools id -u"),
        "full\n0\n"
    );
}

/// A monitor that was killed leaves its socket: whoever comes next is not misled by it.
#[test]
fn a_stale_control_socket() {
    let host = packed_host();
    host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000; slay $(ps -o ppid= $(rrun inspect -f '{{.State.Pid}}' web)); test -S run/containers/*/monitor.sock");
    assert_eq!(host.ok("rrun exec web id -u"), "0\n");
    assert_eq!(host.ok("timeout 20 rrun stop -t 0 web"), "web\n");
    host.ok("rrun start web; pid=$(rrun inspect -f '{{.State.Pid}}' web); slay $(ps -o ppid= $pid) $pid");
    assert_eq!(
        host.outcome("rrun exec web id"),
        (1, String::new(), "rrun: executing in container \"web\": it is not running\nhint: rrun start web starts it\n".to_owned())
    );
    // What is left of that run is not in the way of the next, nor is it forgotten.
    assert_eq!(
        host.ok("set -e; timeout 20 rrun start web; rrun exec web id -u; nft -a list ruleset | grep -c '8080 : '; rrun rm -f web"),
        "web\n0\n1\nweb\n"
    );
    assert_eq!(host.ok("rrun gc >/dev/null; nft list ruleset; ls run/journals run/containers; ip -br link | cut -d' ' -f1"), "run/containers:\n\nrun/journals:\nlo\n");
}

/// Ctrl-C while an image is loaded, and the rest of it does not come: it ends at once, and nothing is kept.
#[test]
fn an_interrupt_in_the_middle_of_a_load() {
    let host = packed_host();
    host.ok("runpack save tools >tools.tar; mkdir -m 700 new; mkfifo pipe");
    let mut load = host
        .command("export BOXKIT_ROOT=$PWD/new; exec rrun load - <pipe")
        .spawn()
        .unwrap();
    let mut feeder = host
        .command("exec >pipe; head -c 1000000 tools.tar; exec sleep 60")
        .spawn()
        .unwrap();
    host.until(&format!("grep -qx sleep /proc/{}/comm", feeder.id()));
    let pid = load.id();
    host.ok(&format!("kill -INT {pid}"));
    let ended = load.wait().unwrap();
    feeder.kill().unwrap();
    feeder.wait().unwrap();
    assert!(
        ended.code() == Some(130) || ended.signal() == Some(2),
        "{ended}"
    );
    assert_eq!(host.ok("find new -type f -size +0"), "");
}
