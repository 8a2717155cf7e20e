//! Locks by flock(2) on a file that stays: they end with their descriptor, so a killed process holds none.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Who else may hold the lock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Others who share it.
    Shared,
    /// Nobody.
    Alone,
}

/// Held until it is dropped, or until the last process that inherited its descriptor has ended.
#[derive(Debug)]
#[must_use]
pub struct Lock(#[expect(dead_code, reason = "closing it unlocks")] File);

impl Lock {
    /// Waits for the lock on `path`, which is made if it is missing; its directory must exist.
    pub fn wait(path: &Path, hold: Hold) -> io::Result<Self> {
        let file = open(path)?;
        wait(&file, hold)?;
        Ok(Self(file))
    }

    /// The same where the file may be deleted, and made anew, while this waits: the lock is on the file that has the
    /// name in the end.
    pub fn wait_for_name(path: &Path, hold: Hold) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            wait(&file, hold)?;
            let held = file.metadata()?;
            let named = std::fs::symlink_metadata(path);
            if named.is_ok_and(|it| (it.dev(), it.ino()) == (held.dev(), held.ino())) {
                return Ok(Self(file));
            }
        }
    }

    /// The lock on `path`, or `None` while another process holds it.
    pub fn attempt(path: &Path, hold: Hold) -> io::Result<Option<Self>> {
        Self::attempt_on(open(path)?, hold)
    }

    /// The same for a file or directory that is open.
    pub fn attempt_on(file: File, hold: Hold) -> io::Result<Option<Self>> {
        Ok(attempt(&file, hold)?.then(|| Self(file)))
    }
}

/// Opens a lock's file. A symbolic link is refused: some of these files have fixed names outside the roots.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits() as i32);
    options.open(path)
}

/// Waits for the lock on a file whose descriptor has another use as well.
pub fn wait(file: &File, hold: Hold) -> io::Result<()> {
    Ok(flock(
        file,
        match hold {
            Hold::Shared => FlockOperation::LockShared,
            Hold::Alone => FlockOperation::LockExclusive,
        },
    )?)
}

/// Whether the lock on that file was free, and is held now.
pub fn attempt(file: &File, hold: Hold) -> io::Result<bool> {
    let how = match hold {
        Hold::Shared => FlockOperation::NonBlockingLockShared,
        Hold::Alone => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, how) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::wait(&path, Hold::Shared).unwrap();
        let second = Lock::attempt(&path, Hold::Shared).unwrap();
        assert!(second.is_some());
        assert!(Lock::attempt(&path, Hold::Alone).unwrap().is_none());
        drop((first, second));
        assert!(Lock::attempt(&path, Hold::Alone).unwrap().is_some());
    }

    #[test]
    fn a_symbolic_link_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(Lock::attempt(&path, Hold::Alone).is_err());
    }
}
