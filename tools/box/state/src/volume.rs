//! Volumes: directories that outlive containers, under the root's `volumes/NAME/_data`.
//!
//! Here is where they are and whose; they are made by a step of those who create containers.

use std::fs;
use std::path::PathBuf;

use kit_plan::Roots;

use crate::{Container, StateError};

/// Where volumes are.
pub fn dir(roots: &Roots) -> PathBuf {
    roots.root.join("volumes")
}

/// Where a volume's files are.
pub fn data(roots: &Roots, name: &str) -> PathBuf {
    dir(roots).join(name).join("_data")
}

/// The name of a container's `nth` volume without a name: as long as an ID, and its beginning.
pub fn anonymous_name(id: &str, nth: usize) -> String {
    format!("{}{nth:02}", own_part(id))
}

fn own_part(id: &str) -> &str {
    id.get(..62).unwrap_or(id)
}

/// Whether a volume of this name is one without a name of container `id`.
pub fn is_anonymous_of(name: &str, id: &str) -> bool {
    name.len() == 64 && name.starts_with(own_part(id))
}

/// What the making of a container left that was killed: its volumes without a name, and any half-made.
pub fn leftovers(roots: &Roots, id: &str) -> Vec<PathBuf> {
    let volumes = fs::read_dir(dir(roots)).into_iter().flatten().flatten();
    let is_its = |name: &str| is_anonymous_of(name, id) || name.starts_with(&format!(".{id}."));
    let its = volumes.filter(|file| file.file_name().to_str().is_some_and(is_its));
    its.map(|file| file.path()).collect()
}

pub fn remove(roots: &Roots, name: &str) -> Result<(), StateError> {
    let path = dir(roots).join(name);
    kit_sys::tree::remove(&path).map_err(|source| StateError::Io {
        doing: "removing volume",
        path,
        source,
    })
}

/// The names of a container's volumes that have none: its ID, numbered.
pub fn anonymous(container: &Container) -> Vec<String> {
    let own = own_part(&container.id);
    let points = container
        .mounts
        .iter()
        .filter(|point| point.kind == "volume" && point.name.starts_with(own));
    points.map(|point| point.name.clone()).collect()
}
