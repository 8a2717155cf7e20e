//! Blobs: put by a writer that digests as it goes, published under the digest by a rename, never changed again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use oci_spec::image::{Descriptor, Digest, DigestAlgorithm, MediaType};

use super::Store;
use crate::digest::{MeterWriter, of_bytes};
use crate::error::StoreError;
use crate::intake::Progress;
use crate::interrupt::Interrupt;
use crate::regular;

/// Large enough that system calls do not count.
const BUFFER: usize = 256 * 1024;

/// How a layer's tar is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As it is: quickest to make and to unpack.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
}

/// A blob on its way in. Dropped without [`BlobWriter::finish`], it leaves nothing.
pub struct BlobWriter<'a> {
    store: &'a Store,
    path: PathBuf,
    file: Option<MeterWriter<File>>,
    progress: Progress,
    interrupt: Interrupt,
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.interrupt.check()?;
        let file = self.file.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let put = file.write(buf)?;
        self.progress.tell(put as u64);
        Ok(put)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl BlobWriter<'_> {
    /// Says how far it has come.
    pub(crate) fn telling(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }

    /// Publishes it; if `expected` is given and another digest came out, removes it. Returns digest and size.
    pub fn finish(mut self, expected: Option<&Digest>) -> Result<(Digest, u64), StoreError> {
        let Some(file) = self.file.take() else {
            return Err(StoreError::io("close", &self.path)(
                io::ErrorKind::BrokenPipe.into(),
            ));
        };
        let (file, meter) = file.into_parts();
        let size = meter.bytes();
        let digest = meter.digest();
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            let _ = std::fs::remove_file(&self.path);
            return Err(StoreError::Digest {
                what: "blob".to_owned(),
                expected: expected.to_string(),
                got: digest.to_string(),
            });
        }
        let target = self.store.blob_path(&digest);
        // An index that lasts through a power cut must not name one that does not.
        let published = file
            .sync_data()
            .and_then(|()| std::fs::rename(&self.path, &target));
        published.map_err(|source| {
            let _ = std::fs::remove_file(&self.path);
            StoreError::io("write", &target)(source)
        })?;
        Ok((digest, size))
    }
}

impl Store {
    /// Where a blob of that digest is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.digest())
    }

    /// Whether the store has it.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        *digest.algorithm() == DigestAlgorithm::Sha256 && self.blob_path(digest).exists()
    }

    /// That a blob is here, of that size, and is what its name says: all of it is read.
    pub(crate) fn is_whole(&self, digest: &Digest, size: u64) -> bool {
        let path = self.blob_path(digest);
        if !self.has_blob(digest) || path.metadata().map_or(0, |meta| meta.len()) != size {
            return false;
        }
        let Ok(mut file) = regular::open(&path) else {
            return false;
        };
        let mut meter = MeterWriter::new(io::sink());
        copy(&mut file, &mut meter).is_ok() && meter.into_parts().1.digest() == *digest
    }

    /// A blob to be written; it is kept from the sweeper until an image that names it is committed.
    pub fn blob_writer(&self) -> Result<BlobWriter<'_>, StoreError> {
        self.hold()?;
        let path = self.temporary();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(StoreError::io("create", &path))?;
        Ok(BlobWriter {
            store: self,
            path,
            file: Some(MeterWriter::new(file)),
            progress: Progress::default(),
            interrupt: Interrupt::new(),
        })
    }

    /// Copies a stream in. With `expected`, anything else is refused.
    pub fn put_blob(
        &self,
        mut reader: impl Read,
        media_type: MediaType,
        expected: Option<&Digest>,
    ) -> Result<Descriptor, StoreError> {
        let mut writer = self.blob_writer()?;
        let path = writer.path.clone();
        copy(&mut reader, &mut writer).map_err(|e| e.to(&path))?;
        let (digest, size) = writer.finish(expected)?;
        Ok(Descriptor::new(media_type, size, digest))
    }

    /// Puts a layer from its uncompressed tar. The second is its diff ID, for the image's configuration.
    pub fn add_layer_tar(
        &self,
        mut tar: impl Read,
        compression: Compression,
    ) -> Result<(Descriptor, Digest), StoreError> {
        let writer = self.blob_writer()?;
        let path = writer.path.clone();
        let written = StoreError::io("write", &path);
        match compression {
            Compression::None => {
                let mut writer = writer;
                copy(&mut tar, &mut writer).map_err(|e| e.to(&path))?;
                let (digest, size) = writer.finish(None)?;
                let layer = Descriptor::new(MediaType::ImageLayer, size, digest.clone());
                Ok((layer, digest))
            }
            Compression::Gzip => {
                let encoder = GzEncoder::new(writer, flate2::Compression::default());
                let mut meter = MeterWriter::new(encoder);
                copy(&mut tar, &mut meter).map_err(|e| e.to(&path))?;
                let (encoder, meter) = meter.into_parts();
                let (digest, size) = encoder.finish().map_err(written)?.finish(None)?;
                let layer = Descriptor::new(MediaType::ImageLayerGzip, size, digest);
                Ok((layer, meter.digest()))
            }
        }
    }

    /// A small blob, whole, its digest checked.
    pub fn read_blob(&self, what: &'static str, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(digest);
        let bytes = regular::read(&path).map_err(StoreError::io("read", &path))?;
        let got = of_bytes(&bytes);
        if got == *digest {
            Ok(bytes)
        } else {
            Err(StoreError::Digest {
                what: format!("{what} {}", Path::new(digest.digest()).display()),
                expected: digest.to_string(),
                got: got.to_string(),
            })
        }
    }
}

/// Why a copy stopped: whose fault decides what is said.
pub(crate) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

impl CopyError {
    fn to(self, path: &Path) -> StoreError {
        match self {
            Self::Read(error) => StoreError::Stream(error),
            Self::Write(error) => StoreError::io("write", path)(error),
        }
    }
}

pub(crate) fn copy(reader: &mut impl Read, writer: &mut impl Write) -> Result<u64, CopyError> {
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    let interrupt = Interrupt::new();
    loop {
        interrupt.check().map_err(CopyError::Read)?;
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(got) => {
                writer.write_all(&buffer[..got]).map_err(CopyError::Write)?;
                total += got as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}
