//! Detached mounts: made with their options, attached, and their propagation set. See fsopen(2), mount_setattr(2).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kit_sys::calls::mount::{fsconfig_set_string, fsopen};
use kit_sys::mount::{MountAttr, set_attr};
use rmount::attr::Travel;
use rmount::bind::move_to;
use rmount::inroot;
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::mount::{FsOpenFlags, MountAttrFlags};

use super::Options;
use crate::rootfs::finish;

/// A new filesystem, unattached; an error has the option that was refused, if it was one.
pub(super) fn new_tree<'a>(
    kind: &str,
    source: &str,
    options: &'a Options,
) -> Result<OwnedFd, (Errno, Option<&'a str>)> {
    let whole = |errno| (errno, None);
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(whole)?;
    fsconfig_set_string(&fs, "source", source).map_err(whole)?;
    finish(&fs, &options.data, attr_flags(options))
}

/// The attributes that a new mount gets.
pub(crate) fn attr_flags(options: &Options) -> MountAttrFlags {
    let bits = u32::try_from(options.attributes.set()).unwrap_or_default();
    MountAttrFlags::from_bits_retain(bits)
}

/// Opens the mount point for `tree`, and makes a directory or a file there if it does not exist.
pub(super) fn place_for(root: BorrowedFd<'_>, tree: &OwnedFd, to: &Path) -> Result<OwnedFd, Errno> {
    match inroot::kind(tree)? {
        FileType::Directory => inroot::make_dir(root, to),
        _ => inroot::make_file(root, to),
    }
}

/// Attaches a cloned mount at `to`. Its attributes are set before, while no path leads to it.
pub(crate) fn bind_tree(
    root: BorrowedFd<'_>,
    tree: &OwnedFd,
    to: &Path,
    options: &Options,
) -> Result<(), Errno> {
    let target = place_for(root, tree, to)?;
    attach(tree, &target, options)
}

/// Attaches a cloned tree at `target` with the attributes of `options`.
pub(super) fn attach(tree: &OwnedFd, target: &OwnedFd, options: &Options) -> Result<(), Errno> {
    // Private unless asked otherwise: what the container mounts below stays there.
    let propagation = if options.travel.is_empty() {
        Travel::Private.bits()
    } else {
        0
    };
    let attr = MountAttr {
        set: options.attributes.set(),
        clear: options.attributes.clear(),
        propagation,
        ..MountAttr::default()
    };
    set_attr(tree.as_fd(), &attr, true)?;
    move_and_travel(tree, target, &options.travel)
}

/// Attaches a tree and sets its propagation: before it can be seen, but after it where it becomes unbindable, since such a
/// mount cannot be moved to a shared one.
pub(crate) fn move_and_travel(
    tree: &OwnedFd,
    target: &OwnedFd,
    travel: &[(Travel, bool)],
) -> Result<(), Errno> {
    let (before, after) = match travel.split_last() {
        Some((last, before)) if last.0 == Travel::Unbindable => {
            (before, std::slice::from_ref(last))
        }
        _ => (travel, [].as_slice()),
    };
    set_travel(tree, before)?;
    move_to(tree.as_fd(), target.as_fd())?;
    set_travel(tree, after)
}

/// Sets propagation word by word; the last holds, and a shared mount that becomes a slave keeps its master.
pub(crate) fn set_travel(tree: &OwnedFd, travel: &[(Travel, bool)]) -> Result<(), Errno> {
    for (travel, whole) in travel {
        let attr = MountAttr {
            propagation: travel.bits(),
            ..MountAttr::default()
        };
        set_attr(tree.as_fd(), &attr, *whole)?;
    }
    Ok(())
}
