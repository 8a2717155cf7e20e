//! mount(2), and the new mount API.
#![allow(missing_docs)] // each is that of rustix or std, by its name

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Result;
use rustix::mount::{
    self as call, FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags,
    MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use rustix::path::Arg;

use super::{fd, flags as names, noted, told};

pub fn mount<'a>(
    source: impl Arg,
    target: impl Arg,
    kind: impl Arg,
    flags: MountFlags,
    data: impl Into<Option<&'a CStr>>,
) -> Result<()> {
    let data: Option<&CStr> = data.into();
    let text = super::is_recorded().then(|| {
        let (source, target) = (source.to_string_lossy(), target.to_string_lossy());
        let (kind, flags) = (kind.to_string_lossy(), names(flags, "MS_"));
        let data = data.map_or("NULL".to_owned(), |data| {
            format!("{:?}", data.to_string_lossy())
        });
        format!("mount({source:?}, {target:?}, {kind:?}, {flags}, {data})")
    });
    noted(text, || call::mount(source, target, kind, flags, data))
}

pub fn mount_bind(source: impl Arg, target: impl Arg) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let (source, target) = (source.to_string_lossy(), target.to_string_lossy());
        format!("mount({source:?}, {target:?}, NULL, MS_BIND, NULL)")
    });
    noted(text, || call::mount_bind(source, target))
}

pub fn mount_bind_recursive(source: impl Arg, target: impl Arg) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let (source, target) = (source.to_string_lossy(), target.to_string_lossy());
        format!("mount({source:?}, {target:?}, NULL, MS_BIND|MS_REC, NULL)")
    });
    noted(text, || call::mount_bind_recursive(source, target))
}

pub fn mount_change(target: impl Arg, flags: MountPropagationFlags) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let target = target.to_string_lossy();
        format!(
            "mount(NULL, {target:?}, NULL, {}, NULL)",
            names(flags, "MS_")
        )
    });
    noted(text, || call::mount_change(target, flags))
}

pub fn unmount(target: impl Arg, flags: UnmountFlags) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let target = target.to_string_lossy();
        format!("umount2({target:?}, {})", names(flags, "MNT_"))
    });
    noted(text, || call::unmount(target, flags))
}

pub fn fsopen(kind: impl Arg, flags: FsOpenFlags) -> Result<OwnedFd> {
    let text = super::is_recorded().then(|| {
        let kind = kind.to_string_lossy();
        format!("fsopen({kind:?}, {})", names(flags, "FSOPEN_"))
    });
    noted(text, || call::fsopen(kind, flags))
}

pub fn fsconfig_set_flag(fs: impl AsFd, key: impl Arg) -> Result<()> {
    let text = super::is_recorded()
        .then(|| format!("fsconfig(FSCONFIG_SET_FLAG, {:?})", key.to_string_lossy()));
    noted(text, || call::fsconfig_set_flag(fs, key))
}

pub fn fsconfig_set_string(fs: impl AsFd, key: impl Arg, value: impl Arg) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let (key, value) = (key.to_string_lossy(), value.to_string_lossy());
        format!("fsconfig(FSCONFIG_SET_STRING, {key:?}, {value:?})")
    });
    noted(text, || call::fsconfig_set_string(fs, key, value))
}

pub fn fsconfig_create(fs: impl AsFd) -> Result<()> {
    told(
        || "fsconfig(FSCONFIG_CMD_CREATE)".to_owned(),
        || call::fsconfig_create(fs),
    )
}

pub fn fsmount(fs: impl AsFd, flags: FsMountFlags, attrs: MountAttrFlags) -> Result<OwnedFd> {
    let text = || {
        let attrs = names(attrs, "MOUNT_ATTR_");
        format!("fsmount({}, {attrs})", names(flags, "FSMOUNT_"))
    };
    told(text, || call::fsmount(fs, flags, attrs))
}

pub fn open_tree(dir: impl AsFd, path: impl Arg, flags: OpenTreeFlags) -> Result<OwnedFd> {
    let text = || {
        let (dir, path) = (fd(&dir), path.to_string_lossy());
        format!("open_tree({dir}, {path:?}, {})", names(flags, "OPEN_TREE_"))
    };
    let text = super::is_recorded().then(text);
    noted(text, || call::open_tree(dir, path, flags))
}

pub fn move_mount(
    from: impl AsFd,
    from_path: impl Arg,
    to: impl AsFd,
    to_path: impl Arg,
    flags: MoveMountFlags,
) -> Result<()> {
    let text = || {
        // The mount that moves is attached nowhere yet, so that it has no name.
        let (to, to_path) = (fd(&to), to_path.to_string_lossy());
        let from = from_path.to_string_lossy();
        let flags = names(flags, "MOVE_MOUNT_");
        format!("move_mount(fd, {from:?}, {to}, {to_path:?}, {flags})")
    };
    let text = super::is_recorded().then(text);
    noted(text, || {
        call::move_mount(from, from_path, to, to_path, flags)
    })
}
