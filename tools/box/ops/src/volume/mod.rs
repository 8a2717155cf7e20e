//! Making a volume: it is made and filled under a temporary name and then renamed, so that no container mounts an
//! incomplete one. If two commands make the same volume, one of them finds it made.

mod copy;
pub mod remove;
mod step;

use std::io;
use std::path::{Path, PathBuf};

use kit_plan::Fault;

pub use box_state::volume::{anonymous, anonymous_name, data, dir, is_anonymous_of, leftovers};
pub use step::MakeVolume;

/// Why a volume cannot be made, filled or mounted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
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

impl Fault for VolumeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } => {
                Some(format!("mkdir -p {} makes it", kit_plan::quote(path)))
            }
            Self::Io { .. } => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Missing { .. } => None,
        }
    }
}

/// Refuses a source on the host that does not exist. docker makes it, and so a typo becomes an empty directory of root's.
///
/// # Errors
/// [`VolumeError::Missing`], with a near path if there is one.
pub fn check_source(path: &Path) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    Err(VolumeError::Missing {
        path: path.to_owned(),
        near: rmount::near::near_miss(path),
    })
}
