//! One layer on its way in: read once, digested, decompressed, digested again, its blob kept and its files made, all beside their places.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kit_plan::Line;
use oci_spec::image::{Digest, MediaType};

use crate::layer::{
    Extraction, Form, Keep, LayerError, LayerReport, LayerStream, LayerUnpacker, Sums, pass,
};
use crate::regular;
use crate::source::{Container, SourceError};

/// Where a layer's blob is read from.
pub(crate) enum Origin {
    Member {
        container: Arc<Container>,
        name: String,
    },
    /// In the store already, but not unpacked.
    Blob(PathBuf),
    /// What can be read but once.
    Stream(Mutex<Option<Box<dyn Read + Send>>>),
}

impl Origin {
    pub fn open(&self) -> Result<Box<dyn Read + Send + '_>, SourceError> {
        match self {
            Self::Member { container, name } => container.reader(name),
            Self::Blob(path) => {
                let file = regular::open(path).map_err(SourceError::io("open", path))?;
                Ok(Box::new(file))
            }
            Self::Stream(stream) => {
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                let read_twice = || io::Error::other("it has been read already");
                stream
                    .take()
                    .ok_or_else(|| SourceError::io("read", Path::new("-"))(read_twice()))
            }
        }
    }

    /// The path, where it is a file of its own.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Member { container, name } => container.path(name),
            Self::Blob(path) => Some(path.clone()),
            Self::Stream(_) => None,
        }
    }
}

/// How an image's maker explains what went wrong with a layer.
pub(crate) type Explain = Box<dyn Fn(LayerError) -> SourceError + Send + Sync>;

pub(crate) struct Job {
    /// `layer 2 of 5`, and of what.
    pub title: String,
    pub origin: Origin,
    /// What it must turn out to be.
    pub digest: Option<Digest>,
    pub diff_id: Option<Digest>,
    /// Of the layers below it in its image.
    pub below: Vec<Digest>,
    /// `None`: as its content says.
    pub media_type: Option<MediaType>,
    /// Where the blob is written, unless the store has it.
    pub keep: Option<PathBuf>,
    /// Where it is unpacked, unless the store has that: `fs` in here.
    pub unpack: Option<PathBuf>,
    pub explain: Explain,
}

/// What a job came to.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub sums: Sums,
    pub report: Option<LayerReport>,
}

impl Job {
    pub fn take(
        &self,
        watch: &(dyn Fn(usize) -> io::Result<()> + Sync),
    ) -> Result<Taken, SourceError> {
        let keep = self.keep.as_deref().map(create).transpose()?;
        let stream = LayerStream {
            blob: self.origin.open()?,
            keep,
            digest: self.digest.clone(),
            diff_id: self.diff_id.clone(),
            watch,
        };
        let Some(dir) = &self.unpack else {
            let sums = pass(stream).map_err(&self.explain)?;
            return Ok(Taken { sums, report: None });
        };
        let fs = dir.join("fs");
        std::fs::create_dir_all(&fs).map_err(SourceError::io("make directory", &fs))?;
        let unpacked = Extraction::default().unpack(stream, &fs, Form::Overlay);
        let (report, sums) = unpacked.map_err(|error| SourceError::Below {
            error: Box::new((self.explain)(error)),
            dir: fs,
        })?;
        Ok(Taken {
            sums,
            report: Some(report),
        })
    }

    /// The first of the two checks, in sh, where the blob is a file.
    pub fn check_line(&self) -> Vec<Line> {
        let (Some(digest), Some(path)) = (&self.digest, self.origin.path()) else {
            return Vec::new();
        };
        vec![Line::Feed {
            argv: kit_plan::words!["sha256sum", "--check", "--quiet"],
            text: kit_plan::Value::Cat(vec![
                format!("{}  ", digest.digest()).into(),
                path.as_path().into(),
            ]),
        }]
    }
}

fn create(path: &Path) -> Result<Keep, SourceError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    Ok(Keep {
        file: file.map_err(SourceError::io("create", path))?,
        path: path.to_owned(),
    })
}
