//! What a layer has in a directory that is a symbolic link below goes to where the link leads. A file that is at both stays as it is there;
//! a whiteout gives way to a file, and makes a directory opaque, as in the archive.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rmount::whiteout::{Xattrs, is_whiteout, write_opaque};
use rustix::fs::{
    AtFlags, Dir, FileType, RenameFlags, Stat, fstat, futimens, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::implicit::{replace, times};
use super::merged::is_opaque;
use super::tree::{Tree, as_path, join, open_dir, remove_contents, split};
use super::{Form, LayerError};

/// What a move found and made, by places.
pub(super) struct Moved {
    /// Directories that had to be made for it.
    pub fresh: BTreeSet<Vec<u8>>,
    /// Directories at both places of which the archive has an entry, by one path or the other: they are as that entry says.
    pub explicit: BTreeSet<Vec<u8>>,
}

/// `is_implicit` says of a place that the archive has no entry of the directory there.
pub(super) fn contents(
    root: &OwnedFd,
    (from, to): (&[u8], &[u8]),
    is_implicit: &dyn Fn(&[u8]) -> bool,
) -> Result<Moved, LayerError> {
    let failed = || LayerError::errno("move what is in", as_path(from));
    let mut tree = Tree::new(rustix::io::dup(root).map_err(failed())?, Form::Overlay);
    tree.keep_root();
    let parents = [Kept::of(root, split(from).0).map_err(failed())?];
    let above = Kept::above(root, to).map_err(failed())?;
    tree.dir(to)?;
    let mut explicit = BTreeSet::new();
    let mut todo = vec![(from.to_vec(), to.to_vec())];
    while let Some((from, to)) = todo.pop() {
        let (from_dir, to_dir) = (open_dir(root.as_fd(), &from), open_dir(root.as_fd(), &to));
        let (from_dir, to_dir) = (from_dir.map_err(failed())?, to_dir.map_err(failed())?);
        let stat = fstat(&to_dir).map_err(failed())?;
        let both = one(&from_dir, &to_dir).map_err(failed())?;
        futimens(&to_dir, &times(&stat)).map_err(failed())?;
        for name in both {
            let (from, to) = (join(&from, &name), join(&to, &name));
            match (is_implicit(&from), is_implicit(&to)) {
                (true, true) => {}
                (_, false) => _ = explicit.insert(to.clone()),
                (false, true) => {
                    let dir = |parent: &OwnedFd| open_dir(parent.as_fd(), &name);
                    dir(&from_dir)
                        .and_then(|from| replace(&from, &dir(&to_dir)?))
                        .map_err(failed())?;
                    explicit.insert(to.clone());
                }
            }
            todo.push((from, to));
        }
    }
    remove(root, from).map_err(failed())?;
    for kept in parents.into_iter().chain([above]) {
        kept.restore().map_err(failed())?;
    }
    let fresh = tree.take_implicit_places();
    Ok(Moved { fresh, explicit })
}

/// A directory's times, which a rename in it changes.
pub(super) struct Kept(OwnedFd, Stat);

impl Kept {
    pub fn of(root: &OwnedFd, path: &[u8]) -> Result<Self, Errno> {
        let dir = open_dir(root.as_fd(), path)?;
        let stat = fstat(&dir)?;
        Ok(Self(dir, stat))
    }

    /// Of the directory, or of the nearest that there is above it, which changes when it is made.
    pub fn above(root: &OwnedFd, path: &[u8]) -> Result<Self, Errno> {
        let mut path = path;
        loop {
            match Self::of(root, path) {
                Err(Errno::NOENT | Errno::NOTDIR) if !path.is_empty() => path = split(path).0,
                kept => return kept,
            }
        }
    }

    pub fn restore(self) -> Result<(), Errno> {
        futimens(&self.0, &times(&self.1))
    }
}

/// The names of the directories that are in both.
fn one(from: &OwnedFd, to: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    if is_opaque(from)? {
        write_opaque(to.as_fd(), Xattrs::Trusted)?;
    }
    let mut both = Vec::new();
    let names: Result<Vec<_>, Errno> = Dir::read_from(from)?
        .map(|entry| Ok(entry?.file_name().to_owned()))
        .collect();
    for name in names? {
        let name = OsStr::from_bytes(name.to_bytes());
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        let rename = || renameat_with(from, name, to, name, RenameFlags::NOREPLACE);
        match rename() {
            Err(Errno::EXIST) => {}
            done => {
                done?;
                continue;
            }
        }
        let (gone, hidden) = (
            is_whiteout(from.as_fd(), name)?,
            is_whiteout(to.as_fd(), name)?,
        );
        match (is_dir(from, name)?, is_dir(to, name)?) {
            (true, true) => both.push(name.as_bytes().to_vec()),
            (false, true) if gone => write_opaque(
                open_dir(to.as_fd(), name.as_bytes())?.as_fd(),
                Xattrs::Trusted,
            )?,
            (is_dir, false) if hidden && !gone => {
                unlinkat(to, name, AtFlags::empty())?;
                rename()?;
                if is_dir {
                    write_opaque(
                        open_dir(to.as_fd(), name.as_bytes())?.as_fd(),
                        Xattrs::Trusted,
                    )?;
                }
            }
            _ => {}
        }
    }
    Ok(both)
}

fn is_dir(dir: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn remove(root: &OwnedFd, path: &[u8]) -> Result<(), Errno> {
    let (parent, name) = split(path);
    let parent = open_dir(root.as_fd(), parent)?;
    remove_contents(parent.as_fd(), name, &mut |_| true)?;
    unlinkat(&parent, name, AtFlags::REMOVEDIR)
}
