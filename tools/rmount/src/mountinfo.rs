//! What is mounted: [`kit_home::mountinfo`], with this crate's errors.

use std::path::Path;

pub use kit_home::mountinfo::{Mount, Propagation, at, parse, tree, unescape};

use crate::error::MountError;

/// What is mounted in the calling thread's mount namespace, in the kernel's order: a parent before its children.
pub fn mounts() -> Result<Vec<Mount>, MountError> {
    let path = Path::new(kit_home::mountinfo::OWN);
    kit_home::mountinfo::read(path).map_err(|error| MountError::io("reading", path, &error))
}

/// The one of these that `path` is on.
pub fn mount_of<'a>(path: &Path, mounts: &'a [Mount]) -> Option<&'a Mount> {
    let id = crate::umount::mount_id(path)?;
    mounts.iter().find(|mount| mount.id == id)
}
