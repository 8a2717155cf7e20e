//! A layer's archive becoming a directory. [`LayerUnpacker`] is the way it is done; [`Extraction`] is the one there is.
//! However hostile the archive, nothing outside the directory is written: see `tree`.

mod attributes;
mod bare;
mod copied;
mod extract;
mod implicit;
mod linked;
mod members;
mod merged;
mod moved;
mod pax;
mod sparse;
mod stream;
mod tree;
mod whiteouts;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use kit_plan::Fault;

use oci_spec::image::Digest;
use rustix::io::Errno;

pub use copied::copy as copy_file;
pub use implicit::settle;
pub(crate) use merged::{is_opaque_layer, shown};
pub(crate) use stream::{BLOB_DIGEST, decoder};
pub use stream::{Coding, Keep, LayerStream, Sums};

use crate::error::{NO_THREAD, io_hint};
use extract::Extractor;
use stream::Pipe;

/// Whiteouts: as overlay's own forms, in a directory of the layer's own, or carried out on the layers below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As overlayfs has it: a whiteout is a device, 0:0.
    Overlay,
    /// Carried out: what a whiteout names is removed.
    Flat,
}

/// What a layer came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerReport {
    /// In its files.
    pub bytes: u64,
    /// Of all kinds.
    pub files: u64,
    /// Directories that the archive has only as parts of paths, parents first.
    pub implicit: Vec<PathBuf>,
    /// Hard links, and the files that they are to, which a layer below has.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Whiteouts and opaque directories that it asks for.
    pub whiteouts: u64,
}

/// How a layer becomes a directory.
pub trait LayerUnpacker {
    /// Into the directory `into`, which is empty or has the layers below (`Form::Flat`). After an error the directory's contents are of no use.
    fn unpack(
        &self,
        layer: LayerStream<'_>,
        into: &Path,
        form: Form,
    ) -> Result<(LayerReport, Sums), LayerError>;
}

/// By making each file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extraction {}

impl LayerUnpacker for Extraction {
    fn unpack(
        &self,
        layer: LayerStream<'_>,
        into: &Path,
        form: Form,
    ) -> Result<(LayerReport, Sums), LayerError> {
        let root = tree::open_root(into)?;
        std::thread::scope(|scope| {
            let pipe = Pipe::start(scope, layer)?;
            let mut extractor = Extractor::new(root, form, pipe);
            let extracted = extractor.all();
            // What went wrong with the stream explains what the extractor made of it.
            let sums = extractor.into_stream().finish(extracted.is_err())?;
            Ok((extracted?, sums))
        })
    }
}

/// Checks and keeps a blob whose files are here already.
pub(crate) fn pass(layer: LayerStream<'_>) -> Result<Sums, LayerError> {
    std::thread::scope(|scope| Pipe::start(scope, layer)?.finish(false))
}

/// Gives a directory the owner, mode, attributes and times of another.
pub fn make_alike(from: &Path, to: &Path) -> Result<(), LayerError> {
    let (from_dir, to_dir) = (tree::open_root(from)?, tree::open_root(to)?);
    implicit::copy(&from_dir, &to_dir).map_err(LayerError::errno("copy attributes of", from))
}

/// Unpacks a tar stream of which nothing is known beforehand.
pub fn unpack_stream(
    tar: impl io::BufRead,
    into: &Path,
    form: Form,
) -> Result<LayerReport, LayerError> {
    Extractor::new(tree::open_root(into)?, form, tar).all()
}

/// What [`LayerError::Io`] says of a device or a pipe.
const MAKE_NODE: &str = "make device or pipe";

/// Why a layer is not unpacked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum LayerError {
    #[error("{call} {path:?}: {source}")]
    Io {
        call: Cow<'static, str>,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the {what} is {got}, expected {expected}")]
    Digest {
        what: &'static str,
        expected: Digest,
        got: Digest,
    },
    #[error("reading the archive: {0}")]
    Stream(#[source] io::Error),
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("it is not a tar archive: {0}")]
    NotTar(String),
    #[error("entry {name:?}: {reason}")]
    Entry {
        name: OsString,
        reason: &'static str,
    },
}

impl LayerError {
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

    fn errno<'a>(
        call: impl Into<Cow<'static, str>> + 'a,
        path: &'a Path,
    ) -> impl FnOnce(Errno) -> Self + 'a {
        move |errno| Self::io(call, path)(errno.into())
    }
}

impl Fault for LayerError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { call, source, .. } => {
                let refused = source.kind() == io::ErrorKind::PermissionDenied;
                if call == MAKE_NODE && refused {
                    Some("device files need CAP_MKNOD: run it as root of the host".to_owned())
                } else {
                    io_hint(source)
                }
            }
            Self::Digest { .. } => Some("the content is damaged; fetch the image again".to_owned()),
            Self::Stream(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Some("the archive is cut off; fetch it again".to_owned())
            }
            Self::Entry { .. } => {
                Some("nothing was kept; do not trust where it came from".to_owned())
            }
            Self::Thread(_) => Some(NO_THREAD.to_owned()),
            Self::Stream(_) | Self::NotTar(_) => None,
        }
    }

    /// Where it is written, if that is known: an entry's own name says nothing of the disk.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path).filter(|path| path.is_absolute()).map(|p| &**p),
            _ => None,
        }
    }
}
