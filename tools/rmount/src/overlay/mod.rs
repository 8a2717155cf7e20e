//! Overlay mounts: read-only lowers, a writable upper on top. See Documentation/filesystems/overlayfs.rst.
//!
//! By mount(2), or by the new mount API where the options would not fit its one page. If the kernel refuses, its
//! errno says little and often the wrong thing, so `fault` looks for the true cause.

mod fault;
mod lowers;
mod options;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_sys::calls::mount::{
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, move_mount,
};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

pub use fault::{OverlayFault, Role, preflight};
pub use lowers::Lowers;
pub use options::{escaped, fits_mount2, layers_of};

use crate::attr::Flags;
use crate::error::MountError;

/// The most lowers that the kernel stacks (`OVL_MAX_STACK`).
pub const MAX_LOWERS: usize = 500;

/// The writable part: two directories on one mount; `work` is the kernel's own, empty at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upper {
    /// Where what is changed goes.
    pub upper: PathBuf,
    /// The kernel's own, on the same mount; empty at first.
    pub work: PathBuf,
}

/// Options of an overlay; `None` leaves the kernel's default, which differs between distributions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverlayOptions {
    /// Renaming a directory of a lower: recorded in the upper (`true`) or refused with EXDEV (`false`).
    pub redirect_dir: Option<bool>,
    /// Changing only a file's owner or mode copies up no content.
    pub metacopy: Option<bool>,
    /// Keeps hard links whole across copy-up, and refuses an upper that is in use; but then an upper can never
    /// again be mounted over other lowers. Off unless asked for, as docker and podman do it.
    pub index: bool,
    /// `user.overlay.*` attributes instead of `trusted.overlay.*`: for a user namespace.
    pub userxattr: bool,
    /// No fsync ever: fast, and after a crash the upper is refused.
    pub volatile: bool,
    /// Of the mount.
    pub flags: Flags,
}

/// An overlay to be mounted. Paths are absolute; whatever characters are in them is taken care of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Read-only.
    pub lowers: Lowers,
    /// `None` for a read-only one, which then needs two lowers.
    pub upper: Option<Upper>,
    /// What the kernel is told besides.
    pub options: OverlayOptions,
}

/// The name in the first column of mount(8).
const SOURCE: &str = "overlay";

/// Mounts an overlay on the directory `target`: mount(2) if its options fit a page, else the new mount API.
/// On failure the true cause is looked for, which costs nothing when it succeeds.
pub fn mount_overlay(overlay: &Overlay, target: &Path) -> Result<(), MountError> {
    let data = overlay.data();
    let mounted = if fits_mount2(&data) {
        let flags = overlay.options.flags.mount_flags();
        mount(SOURCE, target, "overlay", flags, data.as_c_str())
    } else {
        open_detached(overlay).and_then(|tree| {
            move_mount(
                tree.as_fd(),
                "",
                rustix::fs::CWD,
                target,
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
            )
        })
    };
    mounted.map_err(|errno| MountError::Overlay {
        target: target.to_owned(),
        fault: fault::diagnose(overlay, target, errno),
    })
}

/// The overlay as a detached mount, by the new mount API (Linux 6.5 for its `lowerdir+`): it can be attached to
/// a descriptor with [`crate::bind::attach`], and holds any number of lowers up to [`MAX_LOWERS`].
pub fn detached_overlay(overlay: &Overlay) -> Result<OwnedFd, MountError> {
    open_detached(overlay).map_err(|errno| MountError::Overlay {
        target: PathBuf::from("(detached)"),
        fault: fault::diagnose(overlay, Path::new("/"), errno),
    })
}

fn open_detached(overlay: &Overlay) -> Result<OwnedFd, Errno> {
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let fs = fs.as_fd();
    fsconfig_set_string(fs, "source", SOURCE)?;
    // One parameter a layer: neither a page's limit nor anything to escape. Of upper and work the kernel still takes
    // the backslashes away.
    for lower in &overlay.lowers {
        fsconfig_set_string(fs, "lowerdir+", lower.as_path())?;
    }
    if let Some(Upper { upper, work }) = &overlay.upper {
        fsconfig_set_string(fs, "upperdir", escaped(upper))?;
        fsconfig_set_string(fs, "workdir", escaped(work))?;
    }
    for (key, value) in overlay.switches() {
        match value {
            Some(value) => fsconfig_set_string(fs, key, value)?,
            None => fsconfig_set_flag(fs, key)?,
        }
    }
    fsconfig_create(fs)?;
    let attributes = MountAttrFlags::from_bits_retain(overlay.options.flags.attr_bits() as u32);
    fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
