//! Files and directories, by inode.
//!
//! An intended record has no inode. Such a path is removed only because its name is one that nobody else
//! makes: it holds the plan's ID, or it is a lease or pin that link(2) published for this plan.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kit_plan::{FileId, UndoError, Undone};

use crate::not_ours;

pub fn unlink(path: &Path, id: Option<FileId>, done: bool) -> Result<Undone, UndoError> {
    let doing = || format!("removing {path:?}");
    match FileId::of(path) {
        Err(e) if gone(&e) => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(doing(), e)),
        Ok(there) if id.is_some_and(|id| id != there) => {
            return Ok(not_ours("another file has that name now"));
        }
        // Done, and yet its inode could not be read then: nothing says that this one is ours.
        Ok(_) if done && id.is_none() => return Ok(not_ours("its identity was never known")),
        Ok(_) => {}
    }
    match std::fs::remove_file(path) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if gone(&e) => Ok(Undone::Absent),
        Err(e) => Err(UndoError::new(doing(), e)),
    }
}

pub fn rmdir(path: &Path, id: Option<FileId>) -> Result<Undone, UndoError> {
    let doing = || format!("removing directory {path:?}");
    match FileId::of(path) {
        Err(e) if gone(&e) => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(doing(), e)),
        Ok(there) if id.is_some_and(|id| id != there) => {
            return Ok(not_ours("another directory has that name now"));
        }
        Ok(_) => {}
    }
    match std::fs::remove_dir(path) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if gone(&e) => Ok(Undone::Absent),
        // Somebody put something there, and that is theirs.
        Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => Ok(not_ours("it is not empty")),
        Err(e) => Err(UndoError::new(doing(), e)),
    }
}

pub fn remove_tree(path: &Path, id: Option<FileId>, done: bool) -> Result<Undone, UndoError> {
    let doing = || format!("removing {path:?} and all in it");
    let meta = match std::fs::symlink_metadata(path) {
        Err(e) if gone(&e) => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(doing(), e)),
        Ok(meta) => meta,
    };
    let there = FileId {
        dev: meta.dev(),
        ino: meta.ino(),
    };
    if id.is_some_and(|id| id != there) {
        return Ok(not_ours("another directory has that name now"));
    }
    if done && id.is_none() {
        return Ok(not_ours("its identity was never known"));
    }
    // A mount inside is somebody's living filesystem: a removal that walked into it would empty a volume.
    match mounted_inside(path) {
        Ok(None) => {}
        Ok(Some(inside)) => {
            return Err(UndoError::new(
                doing(),
                format!("{inside:?} is mounted inside"),
            ));
        }
        Err(e) if gone(&e) => return Ok(Undone::Absent),
        // Nothing says that there is none.
        Err(e) => {
            return Err(UndoError::new(
                format!("{}: looking for mounts", doing()),
                e,
            ));
        }
    }
    match kit_sys::tree::remove(path) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if gone(&e) => Ok(Undone::Absent),
        Err(e) => Err(UndoError::new(doing(), e)),
    }
}

/// The first mount point at or below `path`.
fn mounted_inside(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let path = std::fs::canonicalize(path)?;
    // Whatever is wrong with that, it is not that `path` is gone.
    let mounts = kit_home::mountinfo::mounts().map_err(std::io::Error::other)?;
    let mut points = mounts.into_iter().map(|mount| mount.target);
    Ok(points.find(|at| at.starts_with(&path)))
}

fn gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
