//! A container's lock: held by its monitor for life, and by a verb that changes a container without one.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Containers, StateError};

/// Held until dropped, or until the last process that inherited it is gone.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// `None` if somebody else holds it.
    pub fn try_take(containers: &Containers, id: &str) -> Result<Option<Self>, StateError> {
        let file = containers.open_lock(id)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => {
                let path = containers.run_dir(id).join("lock");
                Err(StateError::Io {
                    doing: "locking",
                    path,
                    source: errno.into(),
                })
            }
        }
    }
}
