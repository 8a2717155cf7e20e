//! Paths that a container sees but may not read (masked) or may not write (read-only). Child-side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError, run};
use rmount::bind::{copy, move_to};
use rmount::inroot;
use rustix::fs::{FileType, fstatfs};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::dev::host_null;
use super::error::fail;
use super::rootfs::{ROOT, new_filesystem};
use crate::says;

pub(super) const PROC_SUPER_MAGIC: i64 = 0x9fa0;
const SYSFS_MAGIC: i64 = 0x6265_6572;

/// Hides the paths of `masked` and makes those of `readonly` read-only; a path that does not exist is left out.
pub struct Mask {
    pub masked: Vec<PathBuf>,
    pub readonly: Vec<PathBuf>,
    pub at: PathBuf,
}

impl Step for Mask {
    fn meta(&self) -> Meta {
        let in_root = |path: &PathBuf| self.at.join(path.strip_prefix("/").unwrap_or(path));
        let hide = self.masked.iter().map(|path| {
            let path = in_root(path);
            let script = "if [ -d \"$1\" ]; then mount -t tmpfs -o ro,nosuid,nodev,noexec,size=0 tmpfs \"$1\"; \
                          elif [ -e \"$1\" ]; then mount --bind /dev/null \"$1\"; fi";
            run!["sh", "-c", script, "sh", path]
        });
        let freeze = self.readonly.iter().map(|path| {
            let path = in_root(path);
            let script = "if [ -e \"$1\" ]; then mount --rbind \"$1\" \"$1\"; \
                          mount -o remount,bind,ro,nosuid,nodev,noexec \"$1\"; fi";
            run!["sh", "-c", script, "sh", path]
        });
        let lines: Vec<Line> = hide.chain(freeze).collect();
        Meta::new("mount.mask", says::mask(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let root = cx.fd(ROOT)?;
        let null = host_null()?;
        for path in &self.masked {
            let Some(target) = target(root, path)? else {
                continue;
            };
            hide(&target, &null).map_err(fail(format!("masking {path:?}")))?;
        }
        for path in &self.readonly {
            let Some(target) = target(root, path)? else {
                continue;
            };
            freeze(&target).map_err(fail(format!("making {path:?} read-only")))?;
        }
        Ok(Done::nothing())
    }
}

/// Opens `path`; `None` if it does not exist. A path below /proc or /sys must be in procfs or sysfs: a mask over a copy of
/// /proc in the image would leave the real one open.
fn target(root: BorrowedFd<'_>, path: &Path) -> Result<Option<OwnedFd>, StepError> {
    let doing = || format!("finding {path:?}");
    let found = match inroot::find(root, path) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(fail(doing())(errno)),
    };
    let wanted = if path.starts_with("/proc") {
        PROC_SUPER_MAGIC
    } else if path.starts_with("/sys") {
        SYSFS_MAGIC
    } else {
        return Ok(Some(found));
    };
    match fstatfs(&found) {
        Ok(stat) if stat.f_type == wanted => Ok(Some(found)),
        Ok(_) => Err(StepError::new(doing(), "it is not the kernel's")),
        Err(errno) => Err(fail(doing())(errno)),
    }
}

/// The attributes of what is mounted over a path.
const SAFE: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

fn hide(target: &OwnedFd, null: &OwnedFd) -> Result<(), Errno> {
    let tree = if inroot::kind(target)? == FileType::Directory {
        new_filesystem("tmpfs", "tmpfs", &["size=0".to_owned()], SAFE)?
    } else {
        copy(null.as_fd(), false)?
    };
    move_to(tree.as_fd(), target.as_fd())
}

fn freeze(target: &OwnedFd) -> Result<(), Errno> {
    let tree = copy(target.as_fd(), true)?;
    let attr = kit_sys::mount::MountAttr {
        set: u64::from(SAFE.bits()),
        ..Default::default()
    };
    kit_sys::mount::set_attr(tree.as_fd(), &attr, true)?;
    move_to(tree.as_fd(), target.as_fd())
}
