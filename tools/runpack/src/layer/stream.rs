//! A blob read, digested, decompressed and digested again, in a thread of its own, so that files are made meanwhile.
//! The thread ends with the scope it was started in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use oci_spec::image::Digest;

use super::LayerError;
use crate::digest::{Meter, MeterReader};
use crate::interrupt::Interrupt;

const CHUNK: usize = 256 * 1024;
/// Chunks on their way: enough to ride out a burst of small files.
const AHEAD: usize = 8;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What a blob must turn out to be.
pub(super) struct Check {
    pub digest: Digest,
    pub diff_id: Digest,
}

/// The decompressed bytes of a stream, and whether they were compressed: told by its first bytes, never by a name or a media type.
pub(crate) fn decoder<'a, R: BufRead + 'a>(
    mut reader: R,
) -> io::Result<(Box<dyn Read + 'a>, bool)> {
    let start = reader.fill_buf()?;
    if start.starts_with(GZIP) {
        return Ok((Box::new(flate2::bufread::MultiGzDecoder::new(reader)), true));
    }
    if start.starts_with(ZSTD) {
        return Ok((
            Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
            true,
        ));
    }
    Ok((Box::new(reader), false))
}

/// The reading end.
pub(super) struct Pipe<'scope> {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    worker: ScopedJoinHandle<'scope, Result<(), LayerError>>,
}

impl<'scope> Pipe<'scope> {
    pub fn start<'env>(scope: &'scope Scope<'scope, 'env>, blob: File, check: Check) -> Self {
        let (full_in, full) = sync_channel(AHEAD);
        let (empty, empty_out) = channel();
        let worker = scope.spawn(move || produce(blob, &check, &full_in, &empty_out));
        Self {
            full,
            empty,
            chunk: Vec::new(),
            at: 0,
            worker,
        }
    }

    /// Reads what is left, so that the digests are of the whole, and says what went wrong on the way.
    pub fn finish(self) -> Result<(), LayerError> {
        let Self {
            full,
            empty,
            worker,
            ..
        } = self;
        for chunk in &full {
            let _ = empty.send(chunk);
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

fn produce(
    blob: File,
    check: &Check,
    full: &SyncSender<Vec<u8>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<(), LayerError> {
    let mut raw = BufReader::with_capacity(CHUNK, MeterReader::new(blob));
    let (mut decoded, compressed) = decoder(&mut raw).map_err(LayerError::Stream)?;
    let mut content = Meter::default();
    let interrupt = Interrupt::new();
    let failed = loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let filled = interrupt
            .check()
            .and_then(|()| fill(&mut decoded, &mut chunk));
        let got = match filled {
            Ok(got) => got,
            Err(error) => break Some(error),
        };
        chunk.truncate(got);
        if compressed {
            content.update(&chunk);
        }
        // A reader that gave up drops its end; its own error says why.
        if got == 0 || full.send(chunk).is_err() {
            break None;
        }
    };
    drop(decoded);
    // What follows the compressed stream belongs to the blob as well.
    io::copy(&mut raw, &mut io::sink()).map_err(LayerError::Stream)?;
    let blob = raw.into_inner().meter.digest();
    if let Some(error) = failed {
        // A blob that is not the one that was promised explains why it does not decompress.
        compare("blob's digest", &check.digest, blob)?;
        return Err(LayerError::Stream(error));
    }
    let content = if compressed {
        content.digest()
    } else {
        blob.clone()
    };
    compare("blob's digest", &check.digest, blob)?;
    compare("content's digest", &check.diff_id, content)
}

fn compare(what: &'static str, expected: &Digest, got: Digest) -> Result<(), LayerError> {
    if got == *expected {
        return Ok(());
    }
    Err(LayerError::Digest {
        what,
        expected: expected.clone(),
        got,
    })
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
