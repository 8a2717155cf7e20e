//! `rrun doctor`: what this kernel can do, found out by doing it in throw-away children.

use std::os::fd::AsFd;

use kit_cli::{Output, Result, Row};
use kit_net::rtnetlink::{LinkBridge, LinkVeth};
use kit_net::{Batch, NetError, Netlink, Nft};
use rcgroup::{Hierarchies, Mode};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::Serialize;

use crate::state::Containers;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub output: Output,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Finding {
    schema: u32,
    kind: &'static str,
    name: &'static str,
    ok: bool,
    /// Without it not even a plain `rrun run` works.
    essential: bool,
    needed_by: &'static str,
    /// What to do about it.
    way_out: &'static str,
}

impl Row for Finding {
    const HEAD: &'static [&'static str] = &["", "WHAT", "NEEDED BY", "WAY OUT"];

    fn cells(&self) -> Vec<String> {
        let way_out = if self.ok { "" } else { self.way_out };
        let state = if self.ok { "ok" } else { "missing" };
        [state, self.name, self.needed_by, way_out]
            .map(str::to_owned)
            .to_vec()
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let mut findings = for_any_run(containers);
    findings.extend(for_limits());
    findings.extend(for_networks());
    args.output.list(&findings)?;
    Ok(u8::from(
        findings
            .iter()
            .any(|finding| finding.essential && !finding.ok),
    ))
}

const OWN: &str = "a kernel with it, and a sandbox that allows it";

fn find(name: &'static str, ok: bool, needed_by: &'static str, way_out: &'static str) -> Finding {
    Finding {
        schema: 1,
        kind: "capability",
        name,
        ok,
        essential: false,
        needed_by,
        way_out,
    }
}

fn for_any_run(containers: &Containers) -> Vec<Finding> {
    let all = libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWPID;
    let disk = "modprobe overlay; a BOXKIT_ROOT on ext4, xfs or tmpfs";
    let mut found = vec![
        find(
            "mount, UTS, IPC and PID namespaces",
            in_child(all, || true),
            "rrun run",
            OWN,
        ),
        find(
            "network namespaces",
            in_child(libc::CLONE_NEWNET, || true),
            "rrun run",
            OWN,
        ),
        find(
            "cgroup namespaces",
            in_child(0, unshare_cgroup),
            "rrun run",
            OWN,
        ),
        find(
            "overlay on BOXKIT_ROOT",
            overlay(containers),
            "rrun run IMAGE",
            disk,
        ),
        find(
            "new mount API",
            in_child(libc::CLONE_NEWNS, new_mounts),
            "rrun run",
            "Linux 5.12",
        ),
        find(
            "cgroups",
            Hierarchies::detect().is_ok(),
            "rrun run",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        ),
    ];
    for finding in &mut found {
        finding.essential = true;
    }
    found
}

fn for_limits() -> Vec<Finding> {
    let host = Hierarchies::detect().ok();
    let has = |controller: &str| {
        host.as_ref()
            .is_some_and(|host| has_controller(host, controller))
    };
    let swap = |host: &Hierarchies| {
        let memory = host.v1.get("memory");
        memory.is_none_or(|dir| dir.join("memory.memsw.limit_in_bytes").exists())
    };
    let swap = host.as_ref().is_some_and(swap);
    let boot = "cgroup_enable=memory on the kernel's command line";
    vec![
        find("memory controller", has("memory"), "rrun run -m", boot),
        find(
            "swap accounting",
            swap,
            "rrun run --memory-swap",
            "swapaccount=1 on the kernel's command line",
        ),
        find("cpu controller", has("cpu"), "rrun run --cpus", OWN),
        find("pids controller", has("pids"), "rrun run --pids-limit", OWN),
        find(
            "CAP_SYS_RESOURCE",
            has_sys_resource(),
            "--ulimit above the hard limit",
            "run outside the sandbox that took it away",
        ),
    ]
}

fn for_networks() -> Vec<Finding> {
    let cables = in_child(libc::CLONE_NEWNET, || cable().is_ok());
    let tables = in_child(libc::CLONE_NEWNET, || table().is_ok());
    let filters = std::path::Path::new("/proc/sys/kernel/seccomp/actions_avail").exists();
    let needed = "rrun run with a network, and -p";
    vec![
        find(
            "veth and bridge",
            cables,
            needed,
            "modprobe veth bridge; or --net none, --net host",
        ),
        find(
            "nftables",
            tables,
            needed,
            "modprobe nf_tables nft_chain_nat nft_masq; or --net none",
        ),
        find(
            "seccomp filters",
            filters,
            "the default profile",
            "--security-opt seccomp=unconfined",
        ),
    ]
}

/// Whether a child in new namespaces says so.
fn in_child(flags: i32, body: impl FnOnce() -> bool) -> bool {
    let cloned = kit_sys::clone::clone_into(flags as u64, None, || i32::from(!body()));
    let Ok(child) = cloned else { return false };
    let status = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
    status
        .ok()
        .flatten()
        .and_then(|status| status.exit_status())
        == Some(0)
}

fn unshare_cgroup() -> bool {
    kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWCGROUP).is_ok()
}

fn new_mounts() -> bool {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    let tree = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).and_then(|fs| {
        fsconfig_create(&fs)?;
        fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
    });
    let attr = kit_sys::mount::MountAttr {
        set: kit_sys::mount::MOUNT_ATTR_RDONLY,
        ..Default::default()
    };
    tree.is_ok_and(|tree| kit_sys::mount::set_attr(tree.as_fd(), &attr, true).is_ok())
}

/// A real overlay on directories of the root, in a mount namespace of its own.
fn overlay(containers: &Containers) -> bool {
    let place = containers
        .roots
        .root
        .join(format!(".doctor-{}", std::process::id()));
    let dirs = ["lower", "upper", "work", "merged"].map(|name| place.join(name));
    let made = dirs.iter().all(|dir| std::fs::create_dir_all(dir).is_ok());
    let mounted = made
        && in_child(libc::CLONE_NEWNS, || {
            use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
            let private = mount_change(
                "/",
                MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
            );
            let [lower, upper, work, merged] = &dirs;
            let options = format!(
                "lowerdir={},upperdir={},workdir={}",
                lower.display(),
                upper.display(),
                work.display()
            );
            let Ok(options) = std::ffi::CString::new(options) else {
                return false;
            };
            private.is_ok()
                && mount(
                    "overlay",
                    merged,
                    "overlay",
                    MountFlags::empty(),
                    Some(options.as_c_str()),
                )
                .is_ok()
        });
    let _ = std::fs::remove_dir_all(place);
    mounted
}

fn has_controller(host: &Hierarchies, controller: &str) -> bool {
    match (host.mode, &host.v2) {
        (Mode::V2, Some(root)) => {
            let there =
                std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            there.split_whitespace().any(|name| name == controller)
        }
        _ => host.v1.contains_key(controller),
    }
}

fn cable() -> std::result::Result<(), NetError> {
    let nl = Netlink::open()?;
    nl.add_link(LinkBridge::new("br0").build())?;
    nl.add_link(LinkVeth::new("a0", "b0").build())
}

fn table() -> std::result::Result<(), NetError> {
    let nft = Nft::open()?;
    let mut batch = Batch::new();
    batch.create_table(&kit_net::nft::Table::new(
        kit_net::nft::Family::Ip,
        "doctor",
    ));
    nft.commit(batch)
}

fn has_sys_resource() -> bool {
    caps::has_cap(
        None,
        caps::CapSet::Effective,
        caps::Capability::CAP_SYS_RESOURCE,
    )
    .unwrap_or(false)
}
