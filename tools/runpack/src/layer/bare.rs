//! What shows of a layer and should not. Overlayfs hides a whiteout where it merges directories, and lists it where it does not: in a
//! directory that is new, or opaque. So a whiteout of nothing goes, and with it the directories that the layer has for it alone.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rmount::whiteout::is_whiteout;
use rustix::fs::{AtFlags, Dir, FileType, unlinkat};
use rustix::io::Errno;

use super::LayerError;
use super::implicit::Adoption;
use super::merged::{Merged, Seen, is_opaque};
use super::moved::Kept;
use super::tree::{as_path, join, open_dir, split};

/// Removes the whiteouts under which nothing shows.
pub(super) fn whiteouts(adoption: &Adoption) -> Result<(), LayerError> {
    let mut todo = vec![Vec::new()];
    while let Some(path) = todo.pop() {
        let failed = || LayerError::errno("look at", as_path(&path));
        heed(adoption).map_err(failed())?;
        let inside = in_one(&adoption.root, &adoption.merged, &path);
        let inside = inside.map_err(failed())?;
        todo.extend(inside.iter().map(|name| join(&path, name)));
    }
    Ok(())
}

/// An error if a signal is pending: there may be a hundred thousand directories.
fn heed(adoption: &Adoption) -> Result<(), Errno> {
    adoption.interrupt.check().map_err(|_| Errno::INTR)
}

/// The names of the directories in it.
fn in_one(root: &OwnedFd, merged: &Merged, path: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
    let dir = open_dir(root.as_fd(), path)?;
    let (mut inside, mut devices) = (Vec::new(), Vec::new());
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes().to_vec();
        match entry.file_type() {
            _ if matches!(&name[..], b"." | b"..") => {}
            FileType::Directory => inside.push(name),
            // A file system that does not say what they are.
            FileType::Unknown if open_dir(dir.as_fd(), &name).is_ok() => inside.push(name),
            FileType::CharacterDevice | FileType::Unknown => devices.push(name),
            _ => {}
        }
    }
    let mut kept = None;
    for name in devices {
        let name = OsStr::from_bytes(&name);
        if !is_whiteout(dir.as_fd(), name)? {
            continue;
        }
        if let Seen::Nothing = merged.at(path)?.below(name)? {
            kept = Some(kept.map_or_else(|| Kept::of(root, path), Ok)?);
            unlinkat(&dir, name, AtFlags::empty())?;
        }
    }
    kept.map_or(Ok(()), Kept::restore)?;
    Ok(inside)
}

/// Of the directories that the archive had no entry of: an empty one that nothing below is like goes; one where a file is below is an error.
pub(super) fn directories(adoption: &Adoption) -> Result<(), LayerError> {
    // What is in a directory comes after it.
    for path in adoption.settled.iter().rev() {
        let failed = || LayerError::errno("look at", as_path(path));
        heed(adoption).map_err(failed())?;
        let (parent, name) = split(path);
        let shown = adoption.merged.at(parent).map_err(failed())?;
        let Some(dir) = shown.own_dir(name).map_err(failed())? else {
            continue;
        };
        let below = shown.below(name).map_err(failed())?;
        if matches!(below, Seen::Dirs(_)) {
            continue;
        }
        let opaque = is_opaque(&dir).map_err(failed())?;
        if is_empty(&dir).map_err(failed())? {
            let kept = Kept::of(&adoption.root, parent).map_err(failed())?;
            let own = shown.own().ok_or(Errno::NOENT).map_err(failed())?;
            unlinkat(own, name, AtFlags::REMOVEDIR).map_err(failed())?;
            kept.restore().map_err(failed())?;
        } else if matches!(below, Seen::Other) && !opaque {
            return Err(LayerError::Entry {
                name: OsStr::from_bytes(path).to_owned(),
                reason: "it has files in it, and is itself a file in a layer below",
            });
        }
    }
    Ok(())
}

fn is_empty(dir: &OwnedFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(dir)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
