//! A blob read, digested, decompressed and digested again, in a thread of its own, so that files are made meanwhile.
//! The thread ends with the scope it was started in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

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
    pub blob: Box<dyn Read + Send + 'a>,
    pub keep: Option<Keep>,
    pub digest: Option<Digest>,
    pub diff_id: Option<Digest>,
    /// Told how many bytes of the blob have come; an error of its ends the stream.
    pub watch: &'a (dyn Fn(usize) -> io::Result<()> + Sync),
}

/// The file a blob is written to as it passes; on the disk when its digests are known to be right.
pub struct Keep {
    pub file: File,
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
    pub digest: Digest,
    pub size: u64,
    pub diff_id: Digest,
    pub coding: Coding,
}

/// How a stream is compressed: told by its first bytes, never by a name or a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    Gzip,
    Zstd,
}

impl Coding {
    pub fn of(start: &[u8]) -> Self {
        match start {
            _ if start.starts_with(GZIP) => Self::Gzip,
            _ if start.starts_with(ZSTD) => Self::Zstd,
            _ => Self::Plain,
        }
    }

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

/// The reading end.
pub(super) struct Pipe<'scope> {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    promises_nothing: bool,
    worker: ScopedJoinHandle<'scope, Result<Sums, LayerError>>,
}

impl<'scope> Pipe<'scope> {
    pub fn start<'env>(scope: &'scope Scope<'scope, 'env>, stream: LayerStream<'env>) -> Self {
        let (full_in, full) = sync_channel(AHEAD);
        let (empty, empty_out) = channel();
        let promises_nothing = stream.digest.is_none() && stream.diff_id.is_none();
        let worker = scope.spawn(move || produce(stream, &full_in, &empty_out));
        Self {
            full,
            empty,
            chunk: Vec::new(),
            at: 0,
            promises_nothing,
            worker,
        }
    }

    /// Reads what is left, so that the digests are of the whole, and says what went wrong on the way. With nothing promised there is
    /// nothing to compare, and who has `given_up` need not wait for an end.
    pub fn finish(self, given_up: bool) -> Result<Sums, LayerError> {
        let Self {
            full,
            empty,
            worker,
            ..
        } = self;
        if !(given_up && self.promises_nothing) {
            for chunk in &full {
                let _ = empty.send(chunk);
            }
        }
        drop(full);
        match worker.join() {
            Ok(came_to) => came_to,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl BufRead for Pipe<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.chunk.len() {
            let used = std::mem::take(&mut self.chunk);
            // The other end may have finished.
            let _ = self.empty.send(used);
            self.at = 0;
            // An error of the producer's ends the stream here, and is what finish() returns.
            self.chunk = self.full.recv().unwrap_or_default();
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

/// What came out of the decoder.
struct Content {
    coding: Coding,
    meter: Meter,
    /// Nobody reads any more.
    unread: bool,
}

fn produce(
    stream: LayerStream<'_>,
    full: &SyncSender<Vec<u8>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Sums, LayerError> {
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
    let content = content.map_err(LayerError::Stream)?;
    let diff_id = match content.coding {
        Coding::Plain => digest.clone(),
        _ => content.meter.digest(),
    };
    compare("content's digest", stream.diff_id.as_ref(), &diff_id)?;
    if let Some(Keep { file, path }) = &stream.keep {
        file.sync_data().map_err(LayerError::io("sync", path))?;
    }
    Ok(Sums {
        digest,
        size,
        diff_id,
        coding: content.coding,
    })
}

fn decode(
    raw: &mut BufReader<Tee<'_>>,
    full: &SyncSender<Vec<u8>>,
    empty: &Receiver<Vec<u8>>,
) -> io::Result<Content> {
    let interrupt = Interrupt::new();
    let (mut decoded, coding) = decoder(raw)?;
    let mut meter = Meter::default();
    let unread = loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        interrupt.check()?;
        let got = fill(&mut decoded, &mut chunk)?;
        if got == 0 {
            break false;
        }
        chunk.truncate(got);
        if coding != Coding::Plain {
            meter.update(&chunk);
        }
        // A reader that gave up drops its end; its own error says why.
        if full.send(chunk).is_err() {
            break true;
        }
    };
    Ok(Content {
        coding,
        meter,
        unread,
    })
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
