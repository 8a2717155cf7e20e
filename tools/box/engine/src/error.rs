//! Why a bundle is refused, and a short way to make a step's error.

use std::path::{Path, PathBuf};

use kit_plan::{Fault, StepError};
use kit_seccomp::SeccompError;
use rcgroup::CgroupError;

/// Why a bundle has no plan.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum EngineError {
    #[error("reading {path:?}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("reading {path:?}: {source}")]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A field that this engine, or this kernel, does not carry out. No step was done.
    #[error("carrying out \"{field}\" of config.json: {reason}")]
    Unsupported { field: String, reason: String },
    /// A field whose value the specification or the kernel does not allow.
    #[error("reading \"{field}\" of config.json: {reason}")]
    Invalid { field: String, reason: String },
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

impl EngineError {
    pub(crate) fn unsupported(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            field: field.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

impl Fault for EngineError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => Some("a bundle is a directory with config.json in it".to_owned()),
            Self::Unsupported { .. } => {
                Some("docs/oci.md has every field and what becomes of it".to_owned())
            }
            Self::Cgroup(error) => error.hint(),
            _ => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// `doing what to "object"` for a call that failed with an errno.
pub(super) fn fail<E>(doing: impl Into<String>) -> impl FnOnce(E) -> StepError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let doing = doing.into();
    move |error| StepError::new(doing, error)
}
