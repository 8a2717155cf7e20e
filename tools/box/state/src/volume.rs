//! Volumes: directories that outlive containers, under the root's `volumes/NAME/_data`.
//!
//! This module knows their paths and to which container an anonymous one belongs; a step of `box_ops` makes them.

use std::fs;
use std::path::PathBuf;

use kit_plan::Roots;

use crate::{Container, Containers, StateError};

/// The directory of all volumes, `ROOT/volumes`.
pub fn dir(roots: &Roots) -> PathBuf {
    roots.root.join("volumes")
}

/// The directory of a volume's files, the one that is mounted: `ROOT/volumes/NAME/_data`.
pub fn data(roots: &Roots, name: &str) -> PathBuf {
    dir(roots).join(name).join("_data")
}

/// The name of the `nth` anonymous volume of container `id`: the first 62 digits of the ID, then two decimal digits, so
/// that it is as long as an ID and gc knows its container.
pub fn anonymous_name(id: &str, nth: usize) -> String {
    format!("{}{nth:02}", own_part(id))
}

fn own_part(id: &str) -> &str {
    id.get(..62).unwrap_or(id)
}

/// Whether `name` is that of an anonymous volume of container `id`.
pub fn is_anonymous_of(name: &str, id: &str) -> bool {
    name.len() == 64 && name.starts_with(own_part(id))
}

/// The directories of volumes that a killed `create` or `run` has left for container `id`: anonymous ones, and those under
/// a temporary name.
pub fn leftovers(roots: &Roots, id: &str) -> Vec<PathBuf> {
    let volumes = fs::read_dir(dir(roots)).into_iter().flatten().flatten();
    let is_its = |name: &str| is_anonymous_of(name, id) || name.starts_with(&format!(".{id}."));
    let its = volumes.filter(|file| file.file_name().to_str().is_some_and(is_its));
    its.map(|file| file.path()).collect()
}

/// Deletes a volume with all its files. Whether a container uses it is for the caller to know.
///
/// # Errors
/// [`StateError::Io`] with the errno of the first file that cannot be deleted.
pub fn remove(roots: &Roots, name: &str) -> Result<(), StateError> {
    let path = dir(roots).join(name);
    kit_sys::tree::remove(&path).map_err(|source| StateError::Io {
        doing: "removing volume",
        path,
        source,
    })
}

/// Whether a container mounts the volume.
pub fn is_used_by(name: &str, container: &Container) -> bool {
    let mut points = container.mounts.iter();
    points.any(|point| point.kind == "volume" && point.name == name)
}

/// The names of a container's anonymous volumes, which are removed with it. One that another container mounts too stays,
/// as with docker.
pub fn anonymous(containers: &Containers, container: &Container) -> Vec<String> {
    let own = own_part(&container.id);
    let points = container
        .mounts
        .iter()
        .filter(|point| point.kind == "volume" && point.name.starts_with(own));
    let mut names: Vec<String> = points.map(|point| point.name.clone()).collect();
    if names.is_empty() {
        return names;
    }
    let all = containers.both().into_iter().flat_map(|of| of.list());
    for other in all.filter(|other| other.id != container.id) {
        names.retain(|name| !is_used_by(name, &other));
    }
    names
}
