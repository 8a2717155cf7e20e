//! Copies an image's files at a volume's mount point into the volume, as cp -a would from the merged layers.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rmount::overlay::{Lowers, Overlay, OverlayOptions, detached_overlay};
use runpack::layer::{copy_file, make_alike};
use rustix::fs::{FileType, Mode, OFlags};

use super::VolumeError;

/// A directory of an image.
pub struct Source {
    /// Holds the layers in place while they are read.
    root: OwnedFd,
    /// Beneath it, links followed inside.
    pub inside: PathBuf,
}

/// Finds what an image of these layers has at `to`; `None` if that is no directory.
pub fn source(layers: &Lowers, to: &Path) -> Result<Option<Source>, VolumeError> {
    let root = match layers.only() {
        None if layers.is_empty() => return Ok(None),
        Some(one) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open(one, flags, Mode::empty()).map_err(|e| fail(one, e.into()))?
        }
        None => detached_overlay(&Overlay {
            lowers: layers.clone(),
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
        let from = by_number(&self.root).join(&self.inside);
        copy_tree(&from, to, &mut HashMap::new())
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

/// A file's device and inode, and where its first name was copied to.
type Linked = HashMap<(u64, u64), PathBuf>;

/// Files with several names keep them, and holes stay holes.
fn copy_tree(from: &Path, to: &Path, linked: &mut Linked) -> Result<(), VolumeError> {
    let open = |path: &Path| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map_err(|e| fail(path, e.into()))
    };
    let mut inside = Vec::new();
    {
        let (from_dir, to_dir) = (open(from)?, open(to)?);
        for entry in fs::read_dir(from).map_err(|e| fail(from, e))? {
            let entry = entry.map_err(|e| fail(from, e))?;
            let (path, name) = (entry.path(), entry.file_name());
            let meta = entry.metadata().map_err(|e| fail(&path, e))?;
            if meta.is_dir() {
                inside.push(name);
                continue;
            }
            let id = (meta.dev(), meta.ino());
            if let Some(first) = linked.get(&id) {
                fs::hard_link(first, to.join(&name)).map_err(|e| fail(&path, e))?;
                continue;
            }
            let copied = copy_file((from_dir.as_fd(), &name), (to_dir.as_fd(), &name));
            copied.map_err(|e| fail(&path, e))?;
            if meta.nlink() > 1 {
                linked.insert(id, to.join(&name));
            }
        }
    }
    // No directory stays open: an image may nest deeper than there are descriptors.
    for name in inside {
        let (path, target) = (from.join(&name), to.join(&name));
        fs::create_dir(&target).map_err(|e| fail(&path, e))?;
        copy_tree(&path, &target, linked)?;
    }
    // Last: what was made in it has changed its times.
    make_alike(from, to).map_err(|e| fail(from, io::Error::other(e)))
}
