//! Making a volume: it is made and filled under a temporary name and then renamed, so that no container mounts an
//! incomplete one. If two commands make the same volume, one of them finds it made.

mod copy;
mod fill;
pub mod remove;
mod step;

use std::io;
use std::path::{Path, PathBuf};

use kit_plan::Fault;

pub use box_state::volume::{anonymous, anonymous_name, data, dir, is_anonymous_of, leftovers};
pub use fill::{FillVolume, is_empty};
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
    #[error("mounting {path:?}: {file:?} is a file, not a directory")]
    NotDirectory { path: PathBuf, file: PathBuf },
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
            Self::NotDirectory { path, file } => {
                let is_it = path.parent() == file.parent() && path.file_name() == file.file_name();
                is_it.then(|| {
                    format!(
                        "without the slash at its end it is the file: -v {}:…",
                        kit_plan::quote(file)
                    )
                })
            }
            Self::Io { .. } => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Missing { .. } | Self::NotDirectory { .. } => None,
        }
    }
}

/// Refuses a source on the host that does not exist. docker makes it, and so a typo becomes an empty directory of root's.
///
/// # Errors
/// [`VolumeError::NotDirectory`], or [`VolumeError::Missing`] with a near path if there is one.
pub fn check_source(path: &Path) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    // `file/` and `file/x`: a parent that exists is no directory. Components leave the slash at the end out.
    let plain: PathBuf = path.components().collect();
    if let Some(file) = plain.ancestors().find(|part| part.exists())
        && !file.is_dir()
    {
        let (path, file) = (path.to_owned(), file.to_owned());
        return Err(VolumeError::NotDirectory { path, file });
    }
    Err(VolumeError::Missing {
        path: path.to_owned(),
        near: rmount::near::near_miss(path),
    })
}
