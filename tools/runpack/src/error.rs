//! What can go wrong with the store and what is in it. Each variant names the object; [`StoreError::hint`] says the way out.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use kit_home::JsonError;
use kit_plan::{FAILED, Fault, USAGE, quote};

use crate::layer::LayerError;
use crate::reference::ReferenceError;
use crate::source::SourceError;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum StoreError {
    #[error("{call} {path:?}: {source}")]
    Io {
        call: Cow<'static, str>,
        path: PathBuf,
        source: io::Error,
    },
    /// An unpacked layer's facts.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// What was to be put could not be read.
    #[error("reading the content: {0}")]
    Stream(#[source] io::Error),
    #[error("finding image {name:?}: not in the store")]
    Unknown { name: String, near: Option<String> },
    #[error("finding image {name:?}: it is the beginning of {count} images' IDs")]
    Ambiguous { name: String, count: usize },
    #[error("reading {what} {digest}: {reason}")]
    Malformed {
        what: &'static str,
        digest: String,
        reason: String,
    },
    #[error("reading index {path:?}: {reason}")]
    Index { path: PathBuf, reason: String },
    #[error("checking {what}: expected {expected}, got {got}")]
    Digest {
        what: String,
        expected: String,
        got: String,
    },
    #[error("removing image {name:?}: it is used by {}", user(owner, container.as_deref()))]
    Pinned {
        name: String,
        owner: String,
        /// The owner's name, if it is a container.
        container: Option<String>,
    },
    #[error("removing image {name:?}: it has {count} names")]
    ManyNames { name: String, count: usize },
    #[error("pinning image {id}: it has just been removed")]
    Gone { id: String },
    #[error("using {name:?} as a pin's owner: not a plain file name")]
    Owner { name: String },
    #[error("unpacking layer {number} of {total} ({digest}): {source}")]
    Layer {
        number: usize,
        total: usize,
        digest: String,
        source: Box<LayerError>,
    },
    #[error("it has {count} layers, and overlayfs stacks no more than {MAX_LAYERS}")]
    Deep { count: usize },
    #[error("invalid filter {text:?}: {reason}")]
    Filter { text: String, reason: &'static str },
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

fn user(owner: &str, container: Option<&str>) -> String {
    match container {
        Some(name) => format!("container {name:?}"),
        None => format!("{owner:?}"),
    }
}

pub(crate) const NO_THREAD: &str =
    "the limit of processes is reached: see ulimit -u, and pids.max of the cgroup";

/// `OVL_MAX_STACK` of the kernel's fs/overlayfs/params.h.
pub(crate) const MAX_LAYERS: usize = 500;

/// That so many layers can be mounted.
pub(crate) fn check_depth(count: usize) -> Result<(), StoreError> {
    if count > MAX_LAYERS {
        return Err(StoreError::Deep { count });
    }
    Ok(())
}

impl StoreError {
    pub(crate) fn io<'a>(
        call: impl Into<Cow<'static, str>> + 'a,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            call: call.into(),
            path: path.to_owned(),
            source,
        }
    }

    /// Of a blob in the store that was read as a source's are.
    pub(crate) fn from_source(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => error,
            SourceError::Io { call, path, source } => Self::Io { call, path, source },
            other => Self::Stream(io::Error::other(other)),
        }
    }
}

impl Fault for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } | Self::Stream(source) => io_hint(source),
            Self::Json(error) => error.hint().map(str::to_owned),
            Self::Deep { .. } => Some(
                "unpack it with runpack unpack, and make one layer of it: tar -C DIR -c . | runpack import - NAME"
                    .to_owned(),
            ),
            Self::Filter { .. } => Some(
                "reference=PATTERN, dangling=true, label=KEY[=VALUE], before=IMAGE or since=IMAGE"
                    .to_owned(),
            ),
            Self::Thread(_) => Some(NO_THREAD.to_owned()),
            Self::Unknown { near, .. } => Some(match near {
                Some(near) => format!("did you mean {near:?}? the store's names: runpack images"),
                None => "runpack load FILE puts one there; runpack images lists them".to_owned(),
            }),
            Self::Ambiguous { .. } => Some("give more characters of the ID".to_owned()),
            Self::Malformed { .. } => Some("the file is damaged; load the image again".to_owned()),
            Self::Index { path, .. } => {
                let path = quote(path);
                Some(format!(
                    "the file is damaged: mv {path} {path}.bad, then load the images again"
                ))
            }
            Self::Digest { .. } => {
                Some("the content is not what its name promises; fetch the image again".to_owned())
            }
            Self::Pinned {
                container: Some(name),
                ..
            } => Some(format!(
                "rrun rm -f {name} removes it; or --force, which takes the image's name alone"
            )),
            Self::Pinned { owner, .. } => Some(format!(
                "remove {owner} first, or --force to drop the name alone"
            )),
            Self::ManyNames { .. } => {
                Some("remove the names one by one, or all with --force".to_owned())
            }
            Self::Layer { source, .. } => source.hint(),
            Self::Reference(error) => error.hint(),
            Self::Gone { .. } | Self::Owner { .. } => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Reference(error) => error.exit(),
            Self::Filter { .. } => USAGE,
            _ => FAILED,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Layer { source, .. } => source.path(),
            _ => None,
        }
    }
}

/// The errnos whose own text does not say what to do.
pub(crate) fn io_hint(error: &io::Error) -> Option<String> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Some("it is cut off; fetch it again".to_owned());
    }
    None
}
