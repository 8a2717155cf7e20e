//! A blob read, digested, decompressed and digested again, in a thread of its own, so that files are made meanwhile.
//! The thread ends with the scope it was started in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use oci_spec::image::{Digest, MediaType};

use super::LayerError;
use crate::digest::Meter;
use crate::interrupt::Interrupt;

const CHUNK: usize = 256 * 1024;
/// Chunks on their way: enough to ride out a burst of small files.
const AHEAD: usize = 8;

/// Of which digest an error speaks.
pub(crate) const BLOB_DIGEST: &str = "blob's digest";

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A blob on its way in: where it comes from, where it is kept as it passes, and what it must turn out to be.
pub struct LayerStream<'a> {
    /// Where it is read from.
    pub blob: Box<dyn Read + Send + 'a>,
    /// Where it is kept as it is read.
    pub keep: Option<Keep>,
    /// What it must have as it is.
    pub digest: Option<Digest>,
    /// What it must have decompressed.
    pub diff_id: Option<Digest>,
    /// Told how many bytes of the blob have come; an error of its ends the stream.
    pub watch: &'a (dyn Fn(usize) -> io::Result<()> + Sync),
}

/// The file a blob is written to as it passes; on the disk when its digests are known to be right.
pub struct Keep {
    /// Open for writing.
    pub file: File,
    /// Its name, for messages.
    pub path: PathBuf,
}

impl<'a> LayerStream<'a> {
    /// One that is only read.
    pub fn new(blob: Box<dyn Read + Send + 'a>, digest: Digest, diff_id: Digest) -> Self {
        Self {
            blob,
            keep: None,
            digest: Some(digest),
            diff_id: Some(diff_id),
            watch: &|_| Ok(()),
        }
    }
}

/// What a blob turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// As it is.
    pub digest: Digest,
    /// In bytes, as it is.
    pub size: u64,
    /// Decompressed.
    pub diff_id: Digest,
    /// How it is compressed.
    pub coding: Coding,
}

/// How a stream is compressed: told by its first bytes, never by a name or a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// By its first bytes.
    pub fn of(start: &[u8]) -> Self {
        match start {
            _ if start.starts_with(GZIP) => Self::Gzip,
            _ if start.starts_with(ZSTD) => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// The OCI type of a layer that is compressed so.
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Plain => MediaType::ImageLayer,
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
        }
    }
}

/// The decompressed bytes of a stream, and how they were compressed.
pub(crate) fn decoder<'a, R: BufRead + 'a>(
    mut reader: R,
) -> io::Result<(Box<dyn Read + 'a>, Coding)> {
    let coding = Coding::of(reader.fill_buf()?);
    let decoded: Box<dyn Read + 'a> = match coding {
        Coding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Coding::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
        Coding::Plain => Box::new(reader),
    };
    Ok((decoded, coding))
}

/// Some of the content, and how it was compressed.
type Chunk = (Vec<u8>, Coding);

/// The reading end. The content is digested here: decompressing keeps the other thread busier than making files does this one.
pub(super) struct Pipe<'scope> {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    content: Meter,
    diff_id: Option<Digest>,
    promises_nothing: bool,
    worker: ScopedJoinHandle<'scope, Result<Blob, LayerError>>,
}

impl<'scope> Pipe<'scope> {
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stream: LayerStream<'env>,
    ) -> Result<Self, LayerError> {
        let (full_in, full) = sync_channel(AHEAD);
        let (empty, empty_out) = channel();
        let diff_id = stream.diff_id.clone();
        let promises_nothing = stream.digest.is_none() && diff_id.is_none();
        let worker = Builder::new()
            .spawn_scoped(scope, move || produce(stream, &full_in, &empty_out))
            .map_err(LayerError::Thread)?;
        Ok(Self {
            full,
            empty,
            chunk: Vec::new(),
            at: 0,
            content: Meter::default(),
            diff_id,
            promises_nothing,
            worker,
        })
    }

    /// Reads what is left, so that the digests are of the whole, and says what went wrong on the way. With nothing promised there is
    /// nothing to compare, and who has `given_up` need not wait for an end.
    pub fn finish(mut self, given_up: bool) -> Result<Sums, LayerError> {
        if !(given_up && self.promises_nothing) {
            while self.next() {}
        }
        drop(self.full);
        let blob = match self.worker.join() {
            Ok(came_to) => came_to?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let diff_id = match blob.coding {
            Coding::Plain => blob.digest.clone(),
            _ => self.content.digest(),
        };
        compare("content's digest", self.diff_id.as_ref(), &diff_id)?;
        Ok(Sums {
            digest: blob.digest,
            size: blob.size,
            diff_id,
            coding: blob.coding,
        })
    }

    /// The next chunk in place of the last one; false at the end.
    fn next(&mut self) -> bool {
        let used = std::mem::take(&mut self.chunk);
        // The other end may have finished.
        let _ = self.empty.send(used);
        self.at = 0;
        // An error of the producer's ends the stream here, and is what finish() returns.
        let Ok((chunk, coding)) = self.full.recv() else {
            return false;
        };
        // What is not compressed is the blob itself, which is digested as it is read.
        if coding != Coding::Plain {
            self.content.update(&chunk);
        }
        self.chunk = chunk;
        true
    }
}

impl BufRead for Pipe<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            self.next();
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(buf.len());
        buf[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// The blob, digested, counted and kept as it is read.
struct Tee<'a> {
    stream: LayerStream<'a>,
    meter: Meter,
    interrupt: Interrupt,
    /// It could not be written.
    lost: bool,
}

impl Read for Tee<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupt.check()?;
        let got = self.stream.blob.read(buf)?;
        (self.stream.watch)(got)?;
        self.meter.update(&buf[..got]);
        if let Some(keep) = &mut self.stream.keep {
            let written = keep.file.write_all(&buf[..got]);
            self.lost = written.is_err();
            written?;
        }
        Ok(got)
    }
}

impl Tee<'_> {
    /// Whose fault it is decides what is said.
    fn fault(&self, error: io::Error) -> LayerError {
        match &self.stream.keep {
            Some(keep) if self.lost => LayerError::io("write", &keep.path)(error),
            _ => LayerError::Stream(error),
        }
    }
}

/// What the blob turned out to be.
struct Blob {
    digest: Digest,
    size: u64,
    coding: Coding,
}

/// What the decoder came to.
struct Decoded {
    coding: Coding,
    /// Nobody reads any more.
    unread: bool,
}

fn produce(
    stream: LayerStream<'_>,
    full: &SyncSender<Chunk>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Blob, LayerError> {
    let promised = stream.digest.is_some() || stream.diff_id.is_some();
    let mut raw = BufReader::with_capacity(
        CHUNK,
        Tee {
            stream,
            meter: Meter::default(),
            interrupt: Interrupt::new(),
            lost: false,
        },
    );
    let content = decode(&mut raw, full, empty);
    let whole = content.as_ref().is_ok_and(|content| !content.unread);
    if (whole || promised) && !raw.get_ref().lost {
        // What follows the compressed stream belongs to the blob as well.
        let rest = io::copy(&mut raw, &mut io::sink());
        rest.map_err(|error| raw.get_ref().fault(error))?;
    }
    let content = match content {
        Err(error) if !promised || raw.get_ref().lost => return Err(raw.get_ref().fault(error)),
        content => content,
    };
    let Tee { stream, meter, .. } = raw.into_inner();
    let size = meter.bytes();
    let digest = meter.digest();
    // A blob that is not the one that was promised explains why it does not decompress.
    compare(BLOB_DIGEST, stream.digest.as_ref(), &digest)?;
    let coding = content.map_err(LayerError::Stream)?.coding;
    if let Some(Keep { file, path }) = &stream.keep {
        file.sync_data().map_err(LayerError::io("sync", path))?;
    }
    Ok(Blob {
        digest,
        size,
        coding,
    })
}

fn decode(
    raw: &mut BufReader<Tee<'_>>,
    full: &SyncSender<Chunk>,
    empty: &Receiver<Vec<u8>>,
) -> io::Result<Decoded> {
    let interrupt = Interrupt::new();
    let (mut decoded, coding) = decoder(raw)?;
    let unread = loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        interrupt.check()?;
        let got = fill(&mut decoded, &mut chunk)?;
        if got == 0 {
            break false;
        }
        chunk.truncate(got);
        // A reader that gave up drops its end; its own error says why.
        if full.send((chunk, coding)).is_err() {
            break true;
        }
    };
    Ok(Decoded { coding, unread })
}

fn compare(what: &'static str, expected: Option<&Digest>, got: &Digest) -> Result<(), LayerError> {
    match expected {
        Some(expected) if expected != got => Err(LayerError::Digest {
            what,
            expected: expected.clone(),
            got: got.clone(),
        }),
        _ => Ok(()),
    }
}

/// As much as fits, less only at the end.
fn fill(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buf.len() {
        match reader.read(&mut buf[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
