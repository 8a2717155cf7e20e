//! Volumes: directories that outlive containers, under the root's `volumes/NAME/_data`.
//!
//! A new one is made and filled beside its place and renamed there, so nobody mounts a half of it; of two who make
//! the same, one finds it there.

mod copy;
mod step;

use std::path::{Path, PathBuf};
use std::{fs, io};

use kit_plan::Roots;

use crate::state::Container;

pub use step::MakeVolume;

#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("mounting {path:?}: no such file or directory on this host{}", near_text(.near.as_ref()))]
    Missing {
        path: PathBuf,
        near: Option<PathBuf>,
    },
}

fn near_text(near: Option<&PathBuf>) -> String {
    near.map(|near| format!(" (did you mean {near:?}?)"))
        .unwrap_or_default()
}

impl VolumeError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } => Some(format!(
                "mkdir it, or let -v make it: -v {}:…:create=dir",
                path.display()
            )),
            Self::Io { .. } => None,
        }
    }
}

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

/// What the making of a container left that was killed: its volumes without a name, and any half-made.
pub fn leftovers(roots: &Roots, id: &str) -> Vec<PathBuf> {
    let volumes = fs::read_dir(dir(roots)).into_iter().flatten().flatten();
    let is_its = |name: &str| {
        let nameless = name.len() == 64 && name.starts_with(own_part(id));
        nameless || name.starts_with(&format!(".{id}."))
    };
    let its = volumes.filter(|file| file.file_name().to_str().is_some_and(is_its));
    its.map(|file| file.path()).collect()
}

pub fn remove(roots: &Roots, name: &str) -> Result<(), VolumeError> {
    let path = dir(roots).join(name);
    kit_sys::tree::remove(&path).map_err(|source| VolumeError::Io {
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

/// A host path must be there: docker makes a missing one as root, and a typo becomes an empty directory.
pub fn check_source(path: &Path) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    Err(VolumeError::Missing {
        path: path.to_owned(),
        near: rmount::near::near_miss(path),
    })
}
