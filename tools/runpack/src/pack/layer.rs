//! The tree written as one layer: a tar archive that is the same, byte for byte, whenever the files are. Everything is root's, has one
//! time, and comes in the order of its path.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tar::{Builder, EntryType, Header};

use super::error::{Call, PackError};
use super::host::Host;
use super::tree::{Entry, Source, Tree};

/// Where file capabilities are kept (capabilities(7)), and the PAX record that tar, docker and podman keep them in.
const CAPABILITY: &str = "security.capability";
const PAX_CAPABILITY: &str = "SCHILY.xattr.security.capability";

/// Writes the archive; `mtime` is every entry's, in seconds since 1970.
pub fn write_layer<W: Write>(host: &Host, tree: &Tree, mtime: u64, out: W) -> Result<W, PackError> {
    let mut layer = Layer {
        host,
        mtime,
        tar: Builder::new(out),
        first_names: HashMap::new(),
    };
    for (path, entry) in tree.entries() {
        layer.append(path, entry)?;
    }
    layer.tar.into_inner().map_err(writing(Path::new("layer")))
}

struct Layer<'a, W: Write> {
    host: &'a Host,
    mtime: u64,
    tar: Builder<W>,
    /// The first name of each file that has several.
    first_names: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Layer<'_, W> {
    fn append(&mut self, path: &Path, entry: &Entry) -> Result<(), PackError> {
        let name = path.strip_prefix("/").unwrap_or(path);
        let done = match entry {
            Entry::Dir { mode } => {
                let mut header = self.header(EntryType::Directory, *mode, 0);
                self.tar
                    .append_data(&mut header, name.join(""), io::empty())
            }
            Entry::Link { target } => {
                let mut header = self.header(EntryType::Symlink, 0o777, 0);
                self.tar.append_link(&mut header, name, target)
            }
            Entry::Text { bytes, mode } => {
                let mut header = self.header(EntryType::Regular, *mode, bytes.len() as u64);
                self.tar.append_data(&mut header, name, bytes.as_slice())
            }
            Entry::File(source) => return self.append_file(name, source),
        };
        done.map_err(writing(path))
    }

    fn append_file(&mut self, name: &Path, source: &Source) -> Result<(), PackError> {
        if let Some(first) = source.linked.and_then(|id| self.first_names.get(&id)) {
            let first = first.clone();
            let mut header = self.header(EntryType::Link, source.mode, 0);
            return self
                .tar
                .append_link(&mut header, name, first)
                .map_err(writing(name));
        }
        let file = open(&self.host.at(&source.path))?;
        let len = file
            .metadata()
            .map_err(|e| PackError::io(Call::Stat, &source.path, e))?
            .len();
        let mut capability = [0; 64];
        // A capability not kept would be a program that works here and not there: ping(8) on some distributions.
        if let Ok(n) = rustix::fs::fgetxattr(&file, CAPABILITY, &mut capability) {
            let record = [(PAX_CAPABILITY, &capability[..n])];
            self.tar
                .append_pax_extensions(record)
                .map_err(writing(name))?;
        }
        let mut header = self.header(EntryType::Regular, source.mode, len);
        // The header promised a length: a file that grows or shrinks meanwhile must not shift all that follows.
        let mut data = file.take(len);
        self.tar
            .append_data(&mut header, name, &mut data)
            .map_err(writing(name))?;
        if data.limit() != 0 {
            let path = source.path.clone();
            return Err(PackError::Changed { path });
        }
        if let Some(id) = source.linked {
            self.first_names.insert(id, name.to_owned());
        }
        Ok(())
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(self.mtime);
        header.set_uid(0);
        header.set_gid(0);
        header
    }
}

/// Links were resolved when the tree was made: one found now was put there since.
fn open(path: &Path) -> Result<File, PackError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|e| PackError::io(Call::Open, path, e.into()))
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> PackError {
    move |source| PackError::io(Call::Write, path, source)
}
