//! Making a volume: it is made and filled under a temporary name and then renamed, so that no container mounts an
//! incomplete one. If two commands make the same volume, one of them finds it made.

mod copy;
mod fill;
pub mod remove;
mod step;

use std::io;
use std::path::{Path, PathBuf};

use box_engine::source;
use kit_plan::Fault;
use rmount::Dangling;

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
    #[error("mounting {path:?}: {dangling}")]
    Dangling { path: PathBuf, dangling: Dangling },
    #[error("mounting {path:?}: {file:?} is a file, not a directory")]
    NotDirectory { path: PathBuf, file: PathBuf },
    /// Nothing would travel from a mount that is private.
    #[error("mounting {path:?} as {word}: it is on the mount {on:?}, which is private")]
    Private {
        path: PathBuf,
        on: PathBuf,
        word: &'static str,
    },
}

fn near_text(near: Option<&PathBuf>) -> String {
    near.map(|near| format!(" (did you mean {near:?}?)"))
        .unwrap_or_default()
}

impl Fault for VolumeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } | Self::Dangling { path, .. } => source::ways(path),
            Self::NotDirectory { path, file } => {
                let is_it = path.parent() == file.parent() && path.file_name() == file.file_name();
                is_it.then(|| {
                    format!(
                        "without the slash at its end it is the file: -v {}:…",
                        kit_plan::quote(file)
                    )
                })
            }
            Self::Private { on, .. } => {
                Some(format!("mount --make-rshared {}", kit_plan::quote(on)))
            }
            Self::Io { .. } => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Missing { .. }
            | Self::Dangling { .. }
            | Self::NotDirectory { .. }
            | Self::Private { .. } => None,
        }
    }
}

/// Refuses a source on the host that does not exist. docker makes it, and so a typo becomes an empty directory of root's.
///
/// # Errors
/// [`VolumeError::Dangling`], [`VolumeError::NotDirectory`], or [`VolumeError::Missing`] with a near path if there is
/// one.
pub fn check_source(path: &Path) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    if let Some(dangling) = Dangling::on(path) {
        let path = path.to_owned();
        return Err(VolumeError::Dangling { path, dangling });
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

/// Refuses a source whose mounts would not travel as `word` (mount_namespaces(7)) says. docker does so too.
///
/// # Errors
/// [`VolumeError::Private`].
pub fn check_propagation(path: &Path, word: &'static str) -> Result<(), VolumeError> {
    let takes_slaves = match word {
        "shared" | "rshared" => false,
        "slave" | "rslave" => true,
        _ => return Ok(()),
    };
    // Where none can be read, nothing is known.
    let mounts = rmount::mountinfo::mounts().unwrap_or_default();
    let Some(mount) = rmount::mountinfo::mount_of(path, &mounts) else {
        return Ok(());
    };
    let known = &mount.propagation;
    if known.shared.is_some() || takes_slaves && known.master.is_some() {
        return Ok(());
    }
    Err(VolumeError::Private {
        path: path.to_owned(),
        on: mount.target.clone(),
        word,
    })
}
