//! A mount's attributes and propagation: read-only for a whole tree, private before a container is built.
//!
//! Through `mount_setattr(2)`, all of a tree or none: `mount(8)` of Debian 12 takes `ro=recursive` and ignores it.

use std::os::fd::BorrowedFd;
use std::path::Path;

use kit_sys::calls::mount::mount_change;
use kit_sys::mount::{self, MountAttr};
use rustix::mount::MountPropagationFlags;

use crate::error::MountError;

/// How mounts and unmounts in a tree shall travel. See `mount_namespaces(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// Neither way.
    Private,
    /// From its master to it.
    Slave,
    /// Both ways.
    Shared,
    /// Neither way, and it cannot be bound elsewhere.
    Unbindable,
}

impl Travel {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Private, Self::Slave, Self::Shared, Self::Unbindable];

    /// The option's name in `mount(8)`, without `make-`; an `r` before it means the whole tree.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Slave => "slave",
            Self::Shared => "shared",
            Self::Unbindable => "unbindable",
        }
    }

    /// The `MS_*` value, for mount(2) and mount_setattr(2).
    pub fn bits(self) -> u64 {
        const UNBINDABLE: u64 = 1 << 17;
        match self {
            Self::Private => mount::MS_PRIVATE,
            Self::Slave => mount::MS_SLAVE,
            Self::Shared => mount::MS_SHARED,
            Self::Unbindable => UNBINDABLE,
        }
    }
}

/// Switches of a mount, named as the options of `mount(8)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // four independent kernel flags
pub struct Flags {
    /// Nothing can be written.
    pub ro: bool,
    /// Set-user-ID programs do not change their user.
    pub nosuid: bool,
    /// Device files open nothing.
    pub nodev: bool,
    /// No program is executed.
    pub noexec: bool,
}

impl Flags {
    /// None of them.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The words of `mount(8)` and of mountinfo.
    pub fn words(self) -> Vec<&'static str> {
        let all = [
            (self.ro, "ro"),
            (self.nosuid, "nosuid"),
            (self.nodev, "nodev"),
            (self.noexec, "noexec"),
        ];
        all.into_iter()
            .filter_map(|(on, word)| on.then_some(word))
            .collect()
    }

    pub(crate) fn attr_bits(self) -> u64 {
        let all = [
            (self.ro, mount::MOUNT_ATTR_RDONLY),
            (self.nosuid, mount::MOUNT_ATTR_NOSUID),
            (self.nodev, mount::MOUNT_ATTR_NODEV),
            (self.noexec, mount::MOUNT_ATTR_NOEXEC),
        ];
        all.into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, bit)| bit)
            .sum()
    }

    pub(crate) fn mount_flags(self) -> rustix::mount::MountFlags {
        use rustix::mount::MountFlags;
        let all = [
            (self.ro, MountFlags::RDONLY),
            (self.nosuid, MountFlags::NOSUID),
            (self.nodev, MountFlags::NODEV),
            (self.noexec, MountFlags::NOEXEC),
        ];
        all.into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, flag)| flag)
            .collect()
    }
}

/// Makes the mount that `tree` refers to (its root, or a detached one) and all below it read-only.
pub fn set_readonly_recursive(tree: BorrowedFd<'_>) -> Result<(), MountError> {
    set_flags(
        tree,
        Flags {
            ro: true,
            ..Flags::default()
        },
        true,
    )
}

/// Sets the given flags on a mount, or with `recursive` on its whole tree; clears none.
pub fn set_flags(tree: BorrowedFd<'_>, flags: Flags, recursive: bool) -> Result<(), MountError> {
    let attr = MountAttr {
        set: flags.attr_bits(),
        ..MountAttr::default()
    };
    mount::set_attr(tree, &attr, recursive)
        .map_err(|errno| MountError::call("setting attributes of a mount", &fd_path(tree), errno))
}

/// Sets how the mounts of a tree travel.
pub fn set_travel(tree: BorrowedFd<'_>, travel: Travel, recursive: bool) -> Result<(), MountError> {
    let attr = MountAttr {
        propagation: travel.bits(),
        ..MountAttr::default()
    };
    mount::set_attr(tree, &attr, recursive)
        .map_err(|errno| MountError::call("setting propagation of a mount", &fd_path(tree), errno))
}

/// Makes `path` and every mount below it private: what is mounted here from now on stays in this namespace.
/// The first thing to do in a new mount namespace. By `mount(2)`, one call.
pub fn make_private(path: &Path) -> Result<(), MountError> {
    let how = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(path, how)
        .map_err(|errno| MountError::call("making mounts private at", path, errno))
}

/// What a descriptor stands for, for messages; and a path to it for calls that take only paths.
pub(crate) fn fd_path(fd: BorrowedFd<'_>) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    std::fs::read_link(&link).unwrap_or_else(|_| link.into())
}
