//! Roots that are mounted on the host as those of OCI bundles: two overlays on one upper directory would corrupt it, and
//! nothing may be deleted beneath an overlay.

use std::path::{Path, PathBuf};

use rmount::mountinfo::{Mount, mounts};

use super::MonitorError;
use box_state::{Container, Containers};

/// Where the root of a container is mounted as a bundle's; `None` if it is not. It is found in this mount namespace by its
/// upper directory: a running container's root is mounted in a namespace of its own and not seen here.
pub fn bundled_at(containers: &Containers, container: &Container) -> Option<PathBuf> {
    container.image.as_ref()?;
    let upper = containers.layer(&container.id).join("upper");
    let upper = std::fs::canonicalize(upper).ok()?;
    let is_its = |mount: &Mount| {
        let uppers = mount.super_values("upperdir");
        uppers.iter().any(|dir| Path::new(dir) == upper)
    };
    mounts()
        .ok()?
        .into_iter()
        .find(is_its)
        .map(|mount| mount.target)
}

/// Refuses a container whose root is mounted as a bundle's. Without the container's lock a bundle may be made a moment later.
///
/// # Errors
/// [`MonitorError::Bundled`].
pub fn refuse_bundled(
    doing: &'static str,
    containers: &Containers,
    container: &Container,
) -> Result<(), MonitorError> {
    match bundled_at(containers, container) {
        None => Ok(()),
        Some(at) => Err(MonitorError::Bundled {
            doing,
            name: container.name.clone(),
            at,
        }),
    }
}
