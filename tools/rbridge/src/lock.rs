//! Locks that last as long as the value: flock(2) on a file that stays.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::BridgeError;

#[must_use]
pub struct Lock(#[expect(dead_code, reason = "closing it unlocks")] File);

impl Lock {
    /// Waits for the lock on `path`, whose directory must be there. A symlink is refused: some of these files
    /// have fixed names outside the roots.
    pub fn wait(path: &Path) -> Result<Self, BridgeError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits() as i32);
        let file = options
            .open(path)
            .map_err(BridgeError::io("opening lock", path))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|e| BridgeError::io("locking", path)(e.into()))?;
        Ok(Self(file))
    }
}
