//! The directory being filled, by descriptors: each path of an archive is resolved by openat2(2) as if that directory were `/`, so neither
//! `..`, nor an absolute link, nor a link made a moment ago leads outside. Parents are cached, since archives come directory by directory.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fchmod, mkdirat, openat, openat2, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::LayerError;

/// Each is an open file: the usual limit is 1024.
const MAX_CACHED: usize = 128;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// A directory of which the archive has no entry.
const IMPLICIT_MODE: u32 = 0o755;

pub(super) fn open_root(path: &Path) -> Result<OwnedFd, LayerError> {
    rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(LayerError::errno("open", path))
}

/// A directory below `root`, wherever links lead there.
pub(super) fn open_dir(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let beneath = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, DIRECTORY, Mode::empty(), beneath)
}

/// The words of an archive's path; `None` if it has a `..`.
pub(super) fn normalize(path: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(path.len());
    for word in path.split(|b| *b == b'/') {
        match word {
            b"" | b"." => {}
            b".." => return None,
            word => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(word);
            }
        }
    }
    Some(clean)
}

/// The parent's path and the last word.
pub(super) fn split(path: &[u8]) -> (&[u8], &OsStr) {
    let (parent, name) = match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&b""[..], path),
    };
    (parent, OsStr::from_bytes(name))
}

pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

pub(super) struct Tree {
    root: Rc<OwnedFd>,
    cache: HashMap<Vec<u8>, Rc<OwnedFd>>,
    implicit: BTreeSet<Vec<u8>>,
}

impl Tree {
    pub fn new(root: OwnedFd) -> Self {
        Self {
            root: Rc::new(root),
            cache: HashMap::new(),
            implicit: BTreeSet::from([Vec::new()]),
        }
    }

    pub fn root(&self) -> Rc<OwnedFd> {
        Rc::clone(&self.root)
    }

    /// The archive has an entry of its own for this directory.
    pub fn explicit(&mut self, path: &[u8]) {
        self.implicit.remove(path);
    }

    pub fn implicit(&self) -> Vec<PathBuf> {
        self.implicit
            .iter()
            .map(|path| as_path(path).to_owned())
            .collect()
    }

    /// A directory that is there.
    pub fn existing(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(self.root());
        }
        if let Some(dir) = self.cache.get(path) {
            return Ok(Rc::clone(dir));
        }
        let dir = Rc::new(open_dir(self.root.as_fd(), path)?);
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        self.cache.insert(path.to_owned(), Rc::clone(&dir));
        Ok(dir)
    }

    /// A directory, made with those above it if missing.
    pub fn dir(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, LayerError> {
        let missing = match self.existing(path) {
            Ok(dir) => return Ok(dir),
            Err(errno) => errno,
        };
        let failed = LayerError::errno("openat2", as_path(path));
        if missing != Errno::NOENT {
            return Err(failed(missing));
        }
        let (parent, name) = split(path);
        let parent = self.dir(parent)?;
        match mkdirat(&*parent, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                return Err(LayerError::Entry {
                    name: OsStr::from_bytes(path).to_owned(),
                    reason: "it is a symbolic link that leads nowhere, and has files in it",
                });
            }
            Err(errno) => return Err(LayerError::errno("mkdir", as_path(path))(errno)),
        }
        self.implicit.insert(path.to_owned());
        let dir = self.existing(path).map_err(failed)?;
        fchmod(&*dir, Mode::from_raw_mode(IMPLICIT_MODE))
            .map_err(LayerError::errno("chmod", as_path(path)))?;
        Ok(dir)
    }

    /// Removes what is at `name`, so that something else can be there.
    pub fn clear(&mut self, dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
        let kind = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if matches!(kind, FileType::Directory | FileType::Symlink) {
            // What was reached through it is something else from now on.
            self.cache.clear();
        }
        if kind == FileType::Directory {
            remove_contents(dir, name, &mut |_| true)?;
            return unlinkat(dir, name, AtFlags::REMOVEDIR);
        }
        unlinkat(dir, name, AtFlags::empty())
    }
}

impl Tree {
    /// Removes a file, or a directory with nothing in it.
    pub fn clear_if_bare(&mut self, dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
        self.cache.clear();
        match unlinkat(dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => unlinkat(dir, name, AtFlags::REMOVEDIR),
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }
}

/// Removes what is in a directory, where `gone` says so; it gets each path relative to the directory. Links are never followed.
pub(super) fn remove_contents(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    gone: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), Errno> {
    sweep(parent, name, &mut Vec::new(), gone).map(drop)
}

/// Whether the directory is empty afterwards.
fn sweep(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    prefix: &mut Vec<u8>,
    gone: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<bool, Errno> {
    let dir = openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    let mut empty = true;
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if matches!(bytes, b"." | b"..") {
            continue;
        }
        let child = OsStr::from_bytes(bytes);
        let length = prefix.len();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(bytes);
        let stat = statat(&dir, child, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let bare = !is_dir || sweep(dir.as_fd(), child, prefix, gone)?;
        if bare && gone(prefix) {
            let flags = if is_dir {
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            unlinkat(&dir, child, flags)?;
        } else {
            empty = false;
        }
        prefix.truncate(length);
    }
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_never_climb() {
        assert_eq!(normalize(b"./a//b/./c/").as_deref(), Some(&b"a/b/c"[..]));
        assert_eq!(normalize(b"/abs").as_deref(), Some(&b"abs"[..]));
        assert_eq!(normalize(b"./").as_deref(), Some(&b""[..]));
        assert_eq!(normalize(b"a/../b"), None);
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], OsStr::new("c")));
        assert_eq!(split(b"c"), (&b""[..], OsStr::new("c")));
    }
}
