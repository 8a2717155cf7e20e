//! Locks of networks and of the guard, with this crate's errors.

use std::path::Path;

use kit_home::lock::{Hold, Lock};

use crate::BridgeError;

/// Waits for the lock on `path`, whose directory must exist. A network's is deleted with the network.
pub fn wait(path: &Path) -> Result<Lock, BridgeError> {
    Lock::wait_for_name(path, Hold::Alone).map_err(BridgeError::io("locking", path))
}
