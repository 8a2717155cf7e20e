//! Locks of networks and of the guard, with this crate's errors.

use std::path::Path;

use kit_home::lock::{Hold, Lock};

use crate::BridgeError;

/// Waits for the lock on `path`, whose directory must exist.
pub fn wait(path: &Path) -> Result<Lock, BridgeError> {
    Lock::wait(path, Hold::Alone).map_err(BridgeError::io("locking", path))
}
