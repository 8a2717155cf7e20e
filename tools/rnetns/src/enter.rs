//! Entering a namespace as ip-netns(8) does: with the /sys that belongs to it, and with its own files over those of /etc.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use kit_home::mountinfo;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::thread::UnshareFlags;

use crate::{Netns, NetnsError};

/// Where ip-netns(8) looks for files of one namespace: `/etc/netns/NAME/resolv.conf`.
pub const ETC_NETNS: &str = "/etc/netns";

const SYS: &str = "/sys";

/// A file of `/etc/netns/NAME` that could not be put over the one of /etc.
#[derive(Debug, thiserror::Error)]
#[error("mounting {from:?} on {to:?}: {source}")]
#[allow(missing_docs)] // each variant is its message
pub struct LeftOut {
    pub from: PathBuf,
    pub to: PathBuf,
    pub source: Errno,
}

impl kit_plan::Fault for LeftOut {
    fn hint(&self) -> Option<String> {
        let missing = self.source == Errno::NOENT && !self.to.exists();
        let to = kit_plan::quote(&self.to);
        missing.then(|| format!("a file of /etc to mount it on: touch {to}"))
    }
}

/// Puts the calling thread into `netns`, and into a mount namespace of its own where /sys shows that one's links, and where
/// each file of `/etc/netns/NAME` stands in the place of the one of /etc. All of it ends with the namespace's last
/// process; the host's files are not written. What /etc has no place for is left out, and returned.
pub fn like_ip(netns: &Netns) -> Result<Vec<LeftOut>, NetnsError> {
    netns.enter()?;
    let failed = |doing, path: PathBuf| {
        move |errno: Errno| NetnsError::Io {
            doing,
            path,
            source: errno.into(),
        }
    };
    // A slave: what the host mounts later is seen inside, and nothing of ours outside.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    kit_sys::process::unshare(UnshareFlags::NEWNS)
        .and_then(|()| mount_change("/", slave))
        .map_err(failed("making a mount namespace for", netns.path()))?;
    // After setns: a sysfs shows the links of the namespace that its mounter is in.
    mount_sys().map_err(failed("mounting sysfs on", SYS.into()))?;
    Ok(netns.name().map(mount_etc).unwrap_or_default())
}

/// A sysfs of this network namespace in the place of the other one. What is mounted beneath, cgroups above all, stays
/// where it was: ip-netns(8) loses it.
fn mount_sys() -> Result<(), Errno> {
    let mounts = mountinfo::mounts().map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    let Some(old) = mounts.iter().rfind(|mount| mount.target == Path::new(SYS)) else {
        // A root without a /sys has none to be wrong about.
        return Ok(());
    };
    let mut beneath: Vec<(&Path, OwnedFd)> = Vec::new();
    for target in mounts.iter().map(|mount| mount.target.as_path()) {
        let inside = target.starts_with(SYS) && target != Path::new(SYS);
        if inside && !beneath.iter().any(|(upper, _)| target.starts_with(upper)) {
            beneath.push((target, tree(target)?));
        }
    }
    let read_only = if old.has_option("ro") {
        MountFlags::RDONLY
    } else {
        MountFlags::empty()
    };
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | read_only;
    // Where it cannot be taken away, in a user namespace that it was locked in, the new one covers it.
    let _ = unmount(SYS, UnmountFlags::DETACH);
    mount("sysfs", SYS, "sysfs", flags, None)?;
    for (target, tree) in beneath {
        match attach(&tree, target) {
            // A directory that this sysfs does not have.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn mount_etc(name: &str) -> Vec<LeftOut> {
    let files = std::fs::read_dir(Path::new(ETC_NETNS).join(name));
    let mut left_out = Vec::new();
    for file in files.into_iter().flatten().flatten() {
        let (from, to) = (file.path(), Path::new("/etc").join(file.file_name()));
        // On a symbolic link itself, not on where it leads: that may be missing, and others read it by its own name.
        if let Err(source) = tree(&from).and_then(|tree| attach(&tree, &to)) {
            left_out.push(LeftOut { from, to, source });
        }
    }
    left_out.sort_by(|a, b| a.to.cmp(&b.to));
    left_out
}

/// A copy of the mounts at and beneath `path`, attached nowhere yet.
fn tree(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

fn attach(tree: &OwnedFd, target: &Path) -> Result<(), Errno> {
    move_mount(
        tree,
        "",
        CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
}
