//! A directory or a tar archive as a set of named files. A compressed archive, or one from a stream, is first written to a file without a
//! name, so that every file of it can be read when it is needed, whatever their order.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use kit_plan::quote;
use rustix::fs::{MemfdFlags, Mode, OFlags};

use super::SourceError;
use crate::intake::Progress;
use crate::interrupt::Patient;
use crate::layer::{Coding, decoder};
use crate::regular::{self, MAX_SMALL};
use crate::store::{CopyError, copy};

const BUFFER: usize = 256 * 1024;

pub(crate) enum Container {
    Dir(PathBuf),
    Tar(Tar),
}

pub(crate) struct Tar {
    path: PathBuf,
    file: File,
    /// Offset and length of each regular file.
    files: HashMap<String, (u64, u64)>,
    links: HashMap<String, String>,
    /// Directories, as they are or as parts of a path.
    dirs: HashSet<String>,
}

impl Container {
    /// `-` is standard input.
    pub fn open(near: &Path, path: &Path, progress: &Progress) -> Result<Self, SourceError> {
        if path.is_dir() {
            return Ok(Self::Dir(path.to_owned()));
        }
        let file = if path == Path::new("-") {
            let stdin = Patient::stdin().map_err(SourceError::io("open", path))?;
            spool(near, path, stdin, progress)?
        } else {
            // A pipe, as of `<(curl …)`, is read like standard input.
            let is_pipe = path.metadata().is_ok_and(|meta| meta.file_type().is_fifo());
            let file = if is_pipe {
                let pipe = Patient::open(path).map_err(SourceError::io("open", path))?;
                spool(near, path, pipe, progress)?
            } else {
                regular::open(path).map_err(SourceError::io("open", path))?
            };
            let mut start = [0; 4];
            let got = file
                .read_at(&mut start, 0)
                .map_err(SourceError::io("read", path))?;
            if Coding::of(&start[..got]) == Coding::Plain {
                file
            } else {
                spool(near, path, file, progress)?
            }
        };
        Ok(Self::Tar(Tar::index(path, file)?))
    }

    pub fn is_dir(&self) -> bool {
        matches!(self, Self::Dir(_))
    }

    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Dir(dir) => dir.join(plain_below(name)).is_file(),
            Self::Tar(tar) => tar.find(name).is_some(),
        }
    }

    pub fn has_dir(&self, name: &str) -> bool {
        match self {
            Self::Dir(dir) => dir.join(name).is_dir(),
            Self::Tar(tar) => tar.dirs.contains(name) || tar.links.contains_key(name),
        }
    }

    /// Where a file of it is, if it is a directory.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Dir(dir) => Some(dir.join(plain_below(name))),
            Self::Tar(_) => None,
        }
    }

    pub fn size(&self, name: &str) -> u64 {
        match self {
            Self::Dir(dir) => {
                let meta = dir.join(plain_below(name)).metadata();
                meta.map_or(0, |meta| meta.len())
            }
            Self::Tar(tar) => tar.find(name).map_or(0, |(_, length)| length),
        }
    }

    pub fn reader(&self, name: &str) -> Result<Box<dyn Read + Send + '_>, SourceError> {
        match self {
            Self::Dir(dir) => {
                let path = dir.join(plain_below(name));
                let file = regular::open(&path).map_err(SourceError::io("open", &path))?;
                Ok(Box::new(file))
            }
            Self::Tar(tar) => {
                let missing =
                    || io::Error::new(io::ErrorKind::NotFound, format!("it has no {name:?}"));
                let (at, length) = tar
                    .find(name)
                    .ok_or_else(|| SourceError::io("read", &tar.path)(missing()))?;
                let slice = Slice {
                    file: &tar.file,
                    at,
                    end: at + length,
                };
                Ok(Box::new(slice))
            }
        }
    }

    /// A small file, whole.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        let reader = self.reader(name)?;
        let path = Path::new(name);
        if self.size(name) > MAX_SMALL {
            return Err(SourceError::io("read", path)(kit_home::too_large(
                MAX_SMALL,
            )));
        }
        reader
            .take(MAX_SMALL)
            .read_to_end(&mut bytes)
            .map_err(SourceError::io("read", path))?;
        Ok(bytes)
    }
}

impl Tar {
    fn index(path: &Path, mut file: File) -> Result<Self, SourceError> {
        let failed = || SourceError::io("read", path);
        let mut start = [0; 512];
        let got = file.read_at(&mut start, 0).map_err(failed())?;
        if let Some((by, program)) = foreign_coding(&start[..got]) {
            return Err(SourceError::NotImage {
                source_name: path.into(),
                reason: format!("it is compressed by {by}, which is not read here"),
                hint: format!(
                    "an archive is taken as it is, or by gzip or zstd: {program} -dc {} | runpack load -",
                    quote(path.as_os_str())
                ),
            });
        }
        if let Some(reason) = no_archive(&start[..got]) {
            return Err(SourceError::NotImage {
                source_name: path.into(),
                reason: reason.to_owned(),
                hint: "an image is an archive of skopeo, podman save or docker save".to_owned(),
            });
        }
        let mut tar = Self {
            path: path.to_owned(),
            file: file.try_clone().map_err(failed())?,
            files: HashMap::new(),
            links: HashMap::new(),
            dirs: HashSet::new(),
        };
        // One that was just written is at its end.
        file.rewind().map_err(failed())?;
        let end = file.metadata().map_err(failed())?.len();
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek().map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = plain(&String::from_utf8_lossy(&entry.path_bytes()));
            for (slash, _) in name.match_indices('/') {
                tar.dirs.insert(name[..slash].to_owned());
            }
            let kind = entry.header().entry_type();
            if kind.is_file() {
                let (at, length) = (entry.raw_file_position(), entry.size());
                // Seeking past the end is no error: a member that is cut off would look whole.
                if at.saturating_add(length) > end {
                    return Err(failed()(io::ErrorKind::UnexpectedEof.into()));
                }
                tar.files.insert(name, (at, length));
            } else if kind.is_dir() {
                tar.dirs.insert(name);
            } else if let Some(target) = entry.link_name_bytes() {
                let target = String::from_utf8_lossy(&target).into_owned();
                let target = if kind.is_symlink() {
                    beside(&name, &target)
                } else {
                    plain(&target)
                };
                tar.links.insert(name, target);
            }
        }
        Ok(tar)
    }

    /// Old `docker save` writes a layer once, and links to it.
    fn find(&self, name: &str) -> Option<(u64, u64)> {
        let mut name = &plain(name);
        for _ in 0..8 {
            if let Some(place) = self.files.get(name) {
                return Some(*place);
            }
            name = self.links.get(name)?;
        }
        None
    }
}

/// A part of a file.
struct Slice<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Slice<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        let got = self.file.read_at(&mut buf[..wanted], self.at)?;
        if got == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += got as u64;
        Ok(got)
    }
}

/// A stream, decompressed, as a file without a name.
fn spool(
    near: &Path,
    path: &Path,
    stream: impl Read,
    progress: &Progress,
) -> Result<File, SourceError> {
    let (mut file, dir) = nameless(near)?;
    let stream = Told { stream, progress };
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let start = stream.fill_buf().map_err(SourceError::io("read", path))?;
    if start.is_empty() {
        return Ok(file);
    }
    let (mut decoded, _) = decoder(stream).map_err(SourceError::io("read", path))?;
    copy(&mut decoded, &mut file).map_err(|error| match error {
        CopyError::Read(error) => SourceError::io("read", path)(error),
        CopyError::Write(error) => SourceError::io("write", &dir)(error),
    })?;
    Ok(file)
}

/// A file that never has a name, on the disk that `near` is on, or will be; where that is not to be written, in the temporary directory.
fn nameless(near: &Path) -> Result<(File, PathBuf), SourceError> {
    let open = |dir: &Path| {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::open(dir, flags, Mode::from_raw_mode(0o600))
    };
    let there = near.ancestors().find(|dir| dir.is_dir());
    let temporary = std::env::temp_dir();
    for dir in there.into_iter().chain([temporary.as_path()]) {
        if let Ok(file) = open(dir) {
            return Ok((file.into(), dir.to_owned()));
        }
    }
    let memory = rustix::fs::memfd_create("images", MemfdFlags::CLOEXEC);
    let memory = memory.map_err(|errno| SourceError::io("create", &temporary)(errno.into()))?;
    Ok((memory.into(), temporary))
}

/// A stream that tells how far it has come.
struct Told<'a, R> {
    stream: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.stream.read(buf)?;
        self.progress.tell(got as u64);
        Ok(got)
    }
}

/// By what a stream is compressed that is not decompressed here, and the program that does.
pub(crate) fn foreign_coding(start: &[u8]) -> Option<(&'static str, &'static str)> {
    match start {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(("xz", "xz")),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(("bzip2", "bzip2")),
        _ => None,
    }
}

/// What a file is that is no tar archive.
fn no_archive(start: &[u8]) -> Option<&'static str> {
    let text = start.trim_ascii_start().to_ascii_lowercase();
    if start.is_empty() {
        return Some("it is empty");
    }
    if text.starts_with(b"<!doctype") || text.starts_with(b"<html") {
        return Some("it is an HTML page, not an archive");
    }
    if start.len() < 512 {
        return Some("it is too short for an archive");
    }
    let sum: u32 = start.iter().map(|b| u32::from(*b)).sum();
    let field: u32 = start[148..156].iter().map(|b| u32::from(*b)).sum();
    let digits = String::from_utf8_lossy(&start[148..156]);
    let wanted = u32::from_str_radix(digits.trim_matches(['\0', ' ']), 8);
    if sum == 0 {
        return Some("it is an archive with nothing in it");
    }
    (wanted != Ok(sum - field + 256)).then_some("it is not a tar archive")
}

fn plain(name: &str) -> String {
    let words = name.split('/').filter(|word| !matches!(*word, "" | "."));
    words.collect::<Vec<_>>().join("/")
}

/// A name that never leaves the directory.
fn plain_below(name: &str) -> String {
    beside("", name)
}

/// A relative link's target, seen from the archive's root.
fn beside(name: &str, target: &str) -> String {
    let mut words: Vec<&str> = name.split('/').collect();
    words.pop();
    for word in target.split('/') {
        match word {
            "" | "." => {}
            ".." => {
                words.pop();
            }
            word => words.push(word),
        }
    }
    words.join("/")
}
