//! The members of a tar stream: tar's headers, put together with the records before them (PAX, GNU long names, GNU sparse maps).
//! The framing is ours because tar's `entries()` loses binary attributes, and copies each byte once more.

use std::io::{self, BufRead, Read};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::LayerError;
use super::pax::Pax;
use super::sparse::{Sparse, read_map};

const BLOCK: u64 = 512;
/// A record longer than this (a path, a set of attributes) is an attack.
const MAX_RECORD: u64 = 1 << 20;

/// One file of the archive.
#[derive(Debug)]
pub(super) struct Member {
    pub kind: EntryType,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    pub device: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the data goes, if not all in one piece.
    pub sparse: Option<Sparse>,
}

pub(super) struct Members<R> {
    input: R,
    /// Of the member at hand: data not read yet, and the padding after it.
    left: u64,
    padding: u64,
    global: Pax,
    any: bool,
}

impl<R: BufRead> Members<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            left: 0,
            padding: 0,
            global: Pax::default(),
            any: false,
        }
    }

    pub fn into_input(self) -> R {
        self.input
    }

    /// The next one; what was not read of the last is passed over.
    pub fn next(&mut self) -> Result<Option<Member>, LayerError> {
        let mut pax = self.global.clone();
        let (mut long_path, mut long_link) = (None, None);
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = header.entry_size().map_err(|e| self.not_tar(&e))?;
            let kind = header.entry_type();
            self.expect(size);
            match kind {
                EntryType::XHeader => add(&mut pax, &self.record(size)?)?,
                EntryType::XGlobalHeader => {
                    let record = self.record(size)?;
                    add(&mut self.global, &record)?;
                    add(&mut pax, &record)?;
                }
                EntryType::GNULongName => long_path = Some(text(self.record(size)?)),
                EntryType::GNULongLink => long_link = Some(text(self.record(size)?)),
                _ => {
                    let size = pax.size.unwrap_or(size);
                    self.expect(size);
                    let mut member = member(&header, pax, long_path, long_link)?;
                    if let Some(sparse) = &mut member.sparse {
                        self.complete(&header, sparse)?;
                    }
                    return Ok(Some(member));
                }
            }
        }
    }

    /// The rest of a sparse file's map, which may be in blocks after the header or at the head of the data.
    fn complete(&mut self, header: &Header, sparse: &mut Sparse) -> Result<(), LayerError> {
        if sparse.map_in_data {
            let taken = read_map(&mut Data { members: self }, &mut sparse.map);
            taken.map_err(LayerError::Stream)?;
        }
        let mut more = header
            .as_gnu()
            .is_some_and(|gnu| header.entry_type() == EntryType::GNUSparse && gnu.is_extended());
        while more {
            let mut block = GnuExtSparseHeader::new();
            self.input
                .read_exact(block.as_mut_bytes())
                .map_err(LayerError::Stream)?;
            sparse.add_gnu(&block.sparse)?;
            more = block.is_extended();
        }
        sparse.check(self.left)
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK;
    }

    fn header(&mut self) -> Result<Option<Header>, LayerError> {
        let mut header = Header::new_old();
        let bytes = header.as_mut_bytes();
        let mut got = 0;
        while got < bytes.len() {
            match self.input.read(&mut bytes[got..]) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) if self.any => {
                    return Err(LayerError::Stream(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(0) => {
                    return Err(LayerError::NotTar(
                        "it is shorter than one block".to_owned(),
                    ));
                }
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LayerError::Stream(error)),
            }
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // POSIX: the sum of all bytes, the field itself taken as spaces.
        let sum: u32 = bytes.iter().map(|b| u32::from(*b)).sum();
        let field: u32 = bytes[148..156].iter().map(|b| u32::from(*b)).sum();
        if header.cksum().ok() != Some(sum - field + 8 * u32::from(b' ')) {
            return Err(self.not_tar(&"a header's checksum is wrong"));
        }
        self.any = true;
        Ok(Some(header))
    }

    /// The first header decides whether it is an archive at all.
    fn not_tar(&self, reason: &dyn std::fmt::Display) -> LayerError {
        if self.any {
            LayerError::Stream(io::Error::new(
                io::ErrorKind::InvalidData,
                reason.to_string(),
            ))
        } else {
            LayerError::NotTar(reason.to_string())
        }
    }

    fn record(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        if size > MAX_RECORD {
            let error =
                io::Error::new(io::ErrorKind::InvalidData, "an extended header is too long");
            return Err(LayerError::Stream(error));
        }
        let mut record = vec![0; size as usize];
        Data { members: self }
            .read_exact(&mut record)
            .map_err(LayerError::Stream)?;
        Ok(record)
    }

    fn skip(&mut self) -> Result<(), LayerError> {
        while self.left > 0 {
            let ready = self.fill().map_err(LayerError::Stream)?.len();
            self.consume(ready);
        }
        // umoci insert ends an archive with the last file's last byte, and Go's reader takes that for an end.
        while self.padding > 0 {
            let ready = self.input.fill_buf().map_err(LayerError::Stream)?.len();
            if ready == 0 {
                self.padding = 0;
            }
            let taken = self.padding.min(ready as u64);
            self.input.consume(taken as usize);
            self.padding -= taken;
        }
        Ok(())
    }

    /// What is at hand of the member's data; an end within it is an error.
    pub fn fill(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let ready = self.input.fill_buf()?;
        if ready.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = usize::try_from(self.left).map_or(ready.len(), |left| left.min(ready.len()));
        Ok(&ready[..count])
    }

    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.left -= count as u64;
    }
}

/// The data of the member at hand.
pub(super) struct Data<'a, R> {
    pub members: &'a mut Members<R>,
}

impl<R: BufRead> Read for Data<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ready = self.members.fill()?;
        let count = ready.len().min(buf.len());
        buf[..count].copy_from_slice(&ready[..count]);
        self.members.consume(count);
        Ok(count)
    }
}

fn add(pax: &mut Pax, record: &[u8]) -> Result<(), LayerError> {
    pax.add(record).ok_or_else(|| {
        LayerError::Stream(io::Error::new(
            io::ErrorKind::InvalidData,
            "a PAX record is malformed",
        ))
    })
}

/// Up to the NUL that ends it.
fn text(mut record: Vec<u8>) -> Vec<u8> {
    let end = record.iter().position(|b| *b == 0).unwrap_or(record.len());
    record.truncate(end);
    record
}

fn member(
    header: &Header,
    pax: Pax,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
) -> Result<Member, LayerError> {
    let bad = |error: io::Error| LayerError::Stream(error);
    let sparse = Sparse::of(header, &pax)?;
    let own_path = || header.path_bytes().into_owned();
    let path = pax
        .sparse
        .name
        .or(pax.path)
        .or(long_path)
        .unwrap_or_else(own_path);
    let own_link = || {
        header
            .link_name_bytes()
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default()
    };
    // What does not fit is refused with the member's name: the last number is none that a file can have.
    let owner = |pax: Option<u64>, own: io::Result<u64>| {
        let id = pax.map_or(own, Ok).map_err(bad)?;
        Ok::<_, LayerError>(u32::try_from(id).unwrap_or(u32::MAX))
    };
    let device = |part: io::Result<Option<u32>>| part.ok().flatten().unwrap_or(0);
    Ok(Member {
        kind: header.entry_type(),
        path,
        link: pax.link.or(long_link).unwrap_or_else(own_link),
        mode: header.mode().map_err(bad)? & 0o7777,
        uid: owner(pax.uid, header.uid())?,
        gid: owner(pax.gid, header.gid())?,
        mtime: pax
            .mtime
            .unwrap_or_else(|| (header.mtime().unwrap_or(0) as i64, 0)),
        device: (device(header.device_major()), device(header.device_minor())),
        xattrs: pax.xattrs,
        sparse,
    })
}
