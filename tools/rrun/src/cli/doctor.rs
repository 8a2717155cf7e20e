//! `rrun doctor`: what this kernel can do, found out by trying it in throw-away children.

mod limits;
mod networks;

use std::os::fd::{AsFd, BorrowedFd};

use kit_cli::{Output, Result, Row};
use serde::Serialize;

use box_state::Containers;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub output: Output,
}

/// The result of one try.
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
    way_out: String,
}

impl Finding {
    fn essential(mut self) -> Self {
        self.essential = true;
        self
    }
}

impl Row for Finding {
    const HEAD: &'static [&'static str] = &["", "WHAT", "NEEDED BY", "WAY OUT"];

    fn cells(&self) -> Vec<String> {
        let way_out = if self.ok { "" } else { &self.way_out };
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
    let mut findings = vec![root()];
    findings.extend(for_any_run(containers));
    findings.extend(limits::probe(containers));
    findings.extend(networks::probe(containers));
    args.output.list(&findings)?;
    Ok(u8::from(
        findings
            .iter()
            .any(|finding| finding.essential && !finding.ok),
    ))
}

const OWN: &str = "a kernel with it, and a sandbox that allows it";

fn find(
    name: &'static str,
    ok: bool,
    needed_by: &'static str,
    way_out: impl Into<String>,
) -> Finding {
    Finding {
        schema: 1,
        kind: "capability",
        name,
        ok,
        essential: false,
        needed_by,
        way_out: way_out.into(),
    }
}

/// Without root most other rows are "missing" too.
fn root() -> Finding {
    let user = rustix::process::geteuid();
    let way_out = format!(
        "sudo rrun doctor: user {} may do little of what is tried here",
        user.as_raw()
    );
    find("root", user.is_root(), "every verb but version", way_out).essential()
}

fn for_any_run(containers: &Containers) -> Vec<Finding> {
    let all = libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWPID;
    let disk = if is_on_overlay(containers) {
        "BOXKIT_ROOT is itself on an overlay: put it on a volume, or on ext4, xfs or tmpfs"
    } else {
        "modprobe overlay; a BOXKIT_ROOT on ext4, xfs or tmpfs"
    };
    let found = vec![
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
            "Linux 5.2",
        ),
        find(
            "attributes of whole mount trees",
            in_child(libc::CLONE_NEWNS, mount_attributes),
            "rrun run",
            "Linux 5.12",
        ),
        find(
            "seccomp filters",
            in_child(0, filter),
            "rrun run",
            "CONFIG_SECCOMP_FILTER; or --security-opt seccomp=unconfined",
        ),
    ];
    found.into_iter().map(Finding::essential).collect()
}

/// Whether `body` returns true in a child in new namespaces.
fn in_child(flags: i32, body: impl FnOnce() -> bool) -> bool {
    in_child_of(flags, None, body)
}

/// The same, with the child cloned into a cgroup.
fn in_child_of(flags: i32, cgroup: Option<BorrowedFd<'_>>, body: impl FnOnce() -> bool) -> bool {
    let cloned = kit_sys::clone::clone_into(flags as u64, cgroup, || i32::from(!body()));
    let Ok(child) = cloned else { return false };
    child.wait().is_ok_and(|ended| ended.success())
}

fn unshare_cgroup() -> bool {
    kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWCGROUP).is_ok()
}

fn tmpfs() -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&fs)?;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn new_mounts() -> bool {
    tmpfs().is_ok()
}

fn mount_attributes() -> bool {
    let attr = kit_sys::mount::MountAttr {
        set: kit_sys::mount::MOUNT_ATTR_RDONLY,
        ..Default::default()
    };
    tmpfs().is_ok_and(|tree| kit_sys::mount::set_attr(tree.as_fd(), &attr, true).is_ok())
}

/// Loads the shortest filter: all calls are allowed.
fn filter() -> bool {
    let allow = kit_sys::seccomp::Instruction {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    kit_sys::seccomp::load(&[allow], 0).is_ok()
}

fn is_on_overlay(containers: &Containers) -> bool {
    let stat = rustix::fs::statfs(&containers.roots.root);
    stat.is_ok_and(|stat| stat.f_type == libc::OVERLAYFS_SUPER_MAGIC)
}

/// Mounts an overlay of directories below BOXKIT_ROOT, in a mount namespace of its own.
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
