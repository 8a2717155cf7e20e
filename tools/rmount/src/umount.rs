//! Unmounting, exactly; and who is in the way when it is busy. See umount(2).

use std::fmt;
use std::path::{Path, PathBuf};

use kit_sys::calls::mount::unmount;
use rustix::fs::{AtFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::error::MountError;
use crate::mountinfo;

/// A process that keeps a mount busy, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// Its command name, from `/proc/PID/comm`.
    pub comm: String,
    /// `cwd`, `root`, `exe`, `fd 7` or `map`.
    pub how: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comm: String = self.comm.chars().flat_map(char::escape_default).collect();
        write!(f, "process {} \"{comm}\" ({})", self.pid, self.how)
    }
}

/// Unmounts what is on top at `target`; with `lazy` it vanishes at once and is let go when its last user leaves.
pub fn umount(target: &Path, lazy: bool) -> Result<(), MountError> {
    let mut flags = UnmountFlags::NOFOLLOW;
    flags.set(UnmountFlags::DETACH, lazy);
    match unmount(target, flags) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL) => Err(MountError::NotMounted {
            path: target.to_owned(),
        }),
        Err(Errno::BUSY) => Err(busy(target)),
        Err(Errno::NOENT) => Err(crate::bind::missing(target, "unmounting")),
        Err(errno) => Err(MountError::call("unmounting", target, errno)),
    }
}

fn busy(target: &Path) -> MountError {
    let mut beneath = Vec::new();
    if let (Ok(mounts), Ok(at)) = (mountinfo::mounts(), std::fs::canonicalize(target))
        && let Some(top) = mountinfo::at(&mounts, &at)
    {
        let children = mounts.iter().filter(|mount| mount.parent == top.id);
        beneath = children.map(|mount| mount.target.clone()).collect();
    }
    MountError::Busy {
        path: target.to_owned(),
        holders: holders(target),
        beneath,
    }
}

/// What to unmount, and in which order, to take down the mount at `target` with all beneath it.
pub fn tree_of(target: &Path) -> Result<Vec<PathBuf>, MountError> {
    let mounts = mountinfo::mounts()?;
    let top = mountinfo::at(&mounts, target).ok_or_else(|| MountError::NotMounted {
        path: target.to_owned(),
    })?;
    Ok(mountinfo::tree(&mounts, top)
        .iter()
        .rev()
        .map(|m| m.target.clone())
        .collect())
}

/// The processes that use the mount on top at `target`.
pub fn holders(target: &Path) -> Vec<Holder> {
    let Some(mount) = mount_id(target) else {
        return Vec::new();
    };
    let Ok(proc) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = proc
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        // We are about to end.
        .filter(|pid| *pid != std::process::id() as i32);
    let mut found: Vec<Holder> = pids.filter_map(|pid| held_by(pid, mount)).collect();
    found.sort_by_key(|holder| holder.pid);
    found
}

fn held_by(pid: i32, mount: u64) -> Option<Holder> {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let how = how_held(&dir, mount)?;
    let comm = std::fs::read_to_string(dir.join("comm")).unwrap_or_default();
    Some(Holder {
        pid,
        comm: comm.trim_end().to_owned(),
        how,
    })
}

fn how_held(proc_pid: &Path, mount: u64) -> Option<String> {
    for link in ["cwd", "root", "exe"] {
        if mount_id(&proc_pid.join(link)) == Some(mount) {
            return Some(link.to_owned());
        }
    }
    // A process may end, or not be ours to look into, at any moment: then it holds nothing that we can name.
    let entries = |dir: &str| {
        std::fs::read_dir(proc_pid.join(dir))
            .into_iter()
            .flatten()
            .flatten()
    };
    if let Some(fd) = entries("fd").find(|fd| mount_id(&fd.path()) == Some(mount)) {
        return Some(format!("fd {}", fd.file_name().to_string_lossy()));
    }
    entries("map_files")
        .any(|map| mount_id(&map.path()) == Some(mount))
        .then(|| "map".to_owned())
}

/// The ID of the mount that `path` is on, through a magic link of /proc even where no path leads there.
pub(crate) fn mount_id(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statx(
        rustix::fs::CWD,
        path,
        AtFlags::NO_AUTOMOUNT,
        StatxFlags::MNT_ID,
    )
    .ok()?;
    (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id)
}
