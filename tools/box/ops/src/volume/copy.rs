//! What the image has at a volume's place, copied into it: as cp -a would, from the layers as they are seen together.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rmount::overlay::{Overlay, OverlayOptions, detached_overlay};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};

use super::VolumeError;

/// Attributes that belong to the mount or to the host, not to the file.
const NOT_COPIED: [&str; 2] = ["trusted.overlay.", "security.selinux"];

/// The directory that an image has somewhere.
pub struct Source {
    /// Holds the layers in place while they are read.
    root: OwnedFd,
    /// Beneath it, links followed inside.
    pub inside: PathBuf,
}

/// Finds what an image of these layers, lowest first, has at `to`; `None` if that is no directory.
pub fn source(layers: &[PathBuf], to: &Path) -> Result<Option<Source>, VolumeError> {
    let root = match layers {
        [] => return Ok(None),
        [one] => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(one, flags, Mode::empty()).map_err(|e| fail(one, e.into()))?
        }
        several => detached_overlay(&Overlay {
            lowers: several.iter().rev().cloned().collect(),
            upper: None,
            options: OverlayOptions::default(),
        })
        .map_err(|e| fail(to, io::Error::other(e)))?,
    };
    let Ok(found) = rmount::inroot::find(root.as_fd(), to) else {
        return Ok(None);
    };
    let real = |fd: &OwnedFd| fs::read_link(by_number(fd)).map_err(|e| fail(to, e));
    let (top, found_at) = (real(&root)?, real(&found)?);
    let inside = found_at.strip_prefix(&top).unwrap_or(&found_at);
    let inside = inside.strip_prefix("/").unwrap_or(inside).to_owned();
    let kind = rmount::inroot::kind(&found).map_err(|e| fail(to, e.into()))?;
    Ok((kind == FileType::Directory).then_some(Source { root, inside }))
}

impl Source {
    /// Copies all of it onto the directory `to`, its owner, mode and times too.
    pub fn copy(&self, to: &Path) -> Result<(), VolumeError> {
        copy_tree(&by_number(&self.root).join(&self.inside), to)
    }
}

fn by_number(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn fail(path: &Path, source: io::Error) -> VolumeError {
    VolumeError::Io {
        doing: "filling a volume from",
        path: path.to_owned(),
        source,
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), VolumeError> {
    let entries = fs::read_dir(from).map_err(|e| fail(from, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| fail(from, e))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(|e| fail(&path, e))?;
        if kind.is_dir() {
            fs::create_dir(&target).map_err(|e| fail(&path, e))?;
            copy_tree(&path, &target)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&path).map_err(|e| fail(&path, e))?;
            std::os::unix::fs::symlink(link, &target).map_err(|e| fail(&path, e))?;
            dress(&path, &target)?;
        } else if kind.is_file() {
            fs::copy(&path, &target).map_err(|e| fail(&path, e))?;
            dress(&path, &target)?;
        } else {
            node(&path, &target).map_err(|e| fail(&path, e))?;
            dress(&path, &target)?;
        }
    }
    // Last: what was made in it has changed its times.
    dress(from, to)
}

fn node(path: &Path, target: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    let kind = FileType::from_raw_mode(meta.mode());
    let mode = Mode::from_raw_mode(meta.mode());
    Ok(rustix::fs::mknodat(CWD, target, kind, mode, meta.rdev())?)
}

/// Owner, mode, attributes and times, in the order in which one does not undo another.
fn dress(path: &Path, target: &Path) -> Result<(), VolumeError> {
    let dressed = (|| {
        let meta = fs::symlink_metadata(path)?;
        std::os::unix::fs::lchown(target, Some(meta.uid()), Some(meta.gid()))?;
        if !meta.file_type().is_symlink() {
            fs::set_permissions(target, meta.permissions())?;
        }
        copy_attributes(path, target)?;
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: meta.mtime(),
                tv_nsec: meta.mtime_nsec(),
            },
        };
        Ok(rustix::fs::utimensat(
            CWD,
            target,
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    })();
    dressed.map_err(|e: io::Error| fail(path, e))
}

fn copy_attributes(path: &Path, target: &Path) -> io::Result<()> {
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        // A filesystem without any.
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let each = names[..length].split(|byte| *byte == 0);
    for name in each.filter_map(|name| std::str::from_utf8(name).ok()) {
        if name.is_empty() || NOT_COPIED.iter().any(|other| name.starts_with(other)) {
            continue;
        }
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(target, name, &value[..length], flags)?;
    }
    Ok(())
}
