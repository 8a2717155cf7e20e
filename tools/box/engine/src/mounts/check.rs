//! Mounts that are refused: by their words before anything is made, and by where they lead.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use kit_plan::StepError;
use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, StatxFlags, statx};
use rustix::io::Errno;

use super::{Options, is_bind};
use crate::EngineError;
use crate::error::fail;

/// Refuses mounts that cannot be made as they are asked for: a kernel ignores unknown options of a bind mount, and they
/// would seem to be in force.
pub fn check(mounts: &[Mount]) -> Result<(), EngineError> {
    for mount in mounts {
        let parsed = Options::parse(mount.options().as_deref().unwrap_or_default());
        let is_cgroup = mount.typ().as_deref() == Some("cgroup");
        let kind = if is_bind(mount) { "bind" } else { "cgroup" };
        if let (true, Some(option)) = (is_bind(mount) || is_cgroup, parsed.data.first()) {
            let reason = format!(
                "{option:?} is no option of a {kind} mount, at {:?}",
                mount.destination()
            );
            return Err(EngineError::unsupported("mounts.options", reason));
        }
        let source = mount.source().as_ref();
        if is_bind(mount) && source.is_none_or(|source| source.as_os_str().is_empty()) {
            let reason = format!("the bind mount at {:?} has none", mount.destination());
            return Err(EngineError::invalid("mounts.source", reason));
        }
        if !mount.destination().is_absolute() {
            let reason = format!("{:?} does not begin with a slash", mount.destination());
            return Err(EngineError::invalid("mounts.destination", reason));
        }
        if is_root(mount.destination()) {
            let reason = format!("{:?} is the root itself", mount.destination());
            return Err(EngineError::invalid("mounts.destination", reason));
        }
    }
    Ok(())
}

/// Whether an absolute path has no name in it: above the root is the root (path_resolution(7)).
pub fn is_root(path: &Path) -> bool {
    let mut parts = path.components();
    !parts.any(|part| matches!(part, Component::Normal(_)))
}

/// Refuses a path that leads to the root by `..` or by a link of the image's: the program would be started in the root beneath,
/// and never see the mount.
pub fn not_root(root: BorrowedFd<'_>, to: &Path, target: &OwnedFd) -> Result<(), StepError> {
    let doing = || format!("mounting at {to:?}");
    let is_root = is_same(root, target.as_fd()).map_err(fail(doing()))?;
    if is_root {
        return Err(StepError::new(doing(), "it leads to the root itself"));
    }
    Ok(())
}

/// One file of one mount: the root may be bound elsewhere too.
fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<bool, Errno> {
    let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
    let id = |fd| {
        let stat = statx(fd, "", AtFlags::EMPTY_PATH, wanted)?;
        let device = (stat.stx_dev_major, stat.stx_dev_minor);
        Ok::<_, Errno>((stat.stx_mnt_id, device, stat.stx_ino))
    };
    Ok(id(one)? == id(other)?)
}
