//! Mounts. There is no mark to set on one, so only a done record is undone, by mount ID and root.

use std::path::Path;

use kit_plan::{MountId, UndoError, Undone};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount as umount2};

use crate::not_ours;

pub fn unmount(path: &Path, id: Option<MountId>) -> Result<Undone, UndoError> {
    let Some(id) = id else {
        return Ok(Undone::Absent);
    };
    let doing = || format!("unmounting {path:?}");
    match MountId::of(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(doing(), e)),
        Ok(there) if there != id => return Ok(not_ours("another mount, or none, is there now")),
        Ok(_) => {}
    }
    match umount2(path, UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(Undone::Removed),
        Err(Errno::INVAL) => Ok(Undone::Absent),
        // Somebody works in there. Detached, it goes when the last of them leaves.
        Err(Errno::BUSY) => match umount2(path, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH) {
            Ok(()) => Ok(Undone::Removed),
            Err(e) => Err(UndoError::new(doing(), e)),
        },
        Err(e) => Err(UndoError::new(doing(), e)),
    }
}
