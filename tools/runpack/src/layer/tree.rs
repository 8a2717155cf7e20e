//! The directory being filled, by descriptors: each path of an archive is resolved by openat2(2) as if that directory were `/`, so neither
//! `..`, nor an absolute link, nor a link made a moment ago leads outside. Parents are cached, since archives come directory by directory.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rmount::whiteout::{Xattrs, is_whiteout, write_opaque};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, mkdirat, readlinkat, statat, unlinkat};
use rustix::io::Errno;

use super::{Form, LayerError};
use crate::interrupt::Interrupt;

/// Each is an open file: the usual limit is 1024.
const MAX_CACHED: usize = 128;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// As many links as the kernel follows in a path.
pub(super) const MAX_LINKS: usize = 40;
/// A directory of which the archive has no entry.
const IMPLICIT_MODE: u32 = 0o755;

/// What is said of a directory on the way to an entry.
const OPEN: &str = "open directory";
const MAKE: &str = "make directory";
const LOOK: &str = "look at";

/// A directory and where it is in the tree, without links; `None` if that cannot be told.
type Placed<'a> = (&'a OwnedFd, Option<Vec<u8>>);
type Made = (Rc<OwnedFd>, Option<Vec<u8>>);

pub(super) fn open_root(path: &Path) -> Result<OwnedFd, LayerError> {
    rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(LayerError::errno("open", path))
}

/// A directory below `root`, wherever links lead there.
pub(super) fn open_dir(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    kit_sys::file::open_in_root(root, path, DIRECTORY)
}

/// An archive's path without its dots, by its words alone as docker cleans it; `None` if it climbs out of the root.
pub(super) fn normalize(path: &[u8]) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(path.len());
    for word in path.split(|b| *b == b'/') {
        match word {
            b"" | b"." => {}
            b".." if clean.is_empty() => return None,
            b".." => {
                let slash = clean.iter().rposition(|byte| *byte == b'/');
                clean.truncate(slash.unwrap_or(0));
            }
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

/// A name in a directory.
pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() {
        return name.to_vec();
    }
    [dir, b"/", name].concat()
}

pub(super) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

pub(super) struct Tree {
    root: Rc<OwnedFd>,
    form: Form,
    cache: HashMap<Vec<u8>, Rc<OwnedFd>>,
    /// Directories that the archive has no entry of, by their places in the tree without links: behind a link, the archive
    /// may name one directory by several paths, and an entry by any of them ends this.
    implicit: BTreeSet<Vec<u8>>,
    /// Symbolic links being followed.
    links: usize,
    interrupt: Interrupt,
}

impl Tree {
    pub fn new(root: OwnedFd, form: Form) -> Self {
        Self {
            root: Rc::new(root),
            form,
            cache: HashMap::new(),
            implicit: BTreeSet::from([Vec::new()]),
            links: 0,
            interrupt: Interrupt::new(),
        }
    }

    pub fn root(&self) -> Rc<OwnedFd> {
        Rc::clone(&self.root)
    }

    /// The archive has an entry of its own for the directory `dir`, by the path `path`, which may lead through links.
    pub fn explicit(&mut self, path: &[u8], dir: &OwnedFd) {
        // The kernel is asked for the place only if that place may be a listed one.
        if self.implicit.iter().any(|place| !place.is_empty()) {
            let place = self.place(dir).unwrap_or_else(|| path.to_owned());
            self.implicit.remove(&place);
        } else {
            self.implicit.remove(path);
        }
    }

    /// The root directory is as it was before.
    pub fn keep_root(&mut self) {
        self.implicit.remove(&b""[..]);
    }

    pub fn take_implicit(&mut self) -> Vec<PathBuf> {
        let places = self.take_implicit_places().into_iter();
        places.map(|path| OsString::from_vec(path).into()).collect()
    }

    /// Parents first.
    pub fn take_implicit_places(&mut self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut self.implicit)
    }

    /// Opens a directory that exists.
    pub fn existing(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(self.root());
        }
        if let Some(dir) = self.cache.get(path) {
            return Ok(Rc::clone(dir));
        }
        let dir = open_dir(self.root.as_fd(), path)?;
        Ok(self.keep(path, dir))
    }

    /// Directories were removed: those that are kept may be among them.
    pub fn forget(&mut self) {
        self.cache.clear();
    }

    /// Keeps a directory for the entries that come next.
    pub fn keep(&mut self, path: &[u8], dir: OwnedFd) -> Rc<OwnedFd> {
        let dir = Rc::new(dir);
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        self.cache.insert(path.to_owned(), Rc::clone(&dir));
        dir
    }

    /// A directory, made with those above it if missing.
    pub fn dir(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, LayerError> {
        let absent = |errno| matches!(errno, Errno::NOENT | Errno::NOTDIR);
        let failed = |errno| LayerError::errno(OPEN, as_path(path))(errno);
        match self.existing(path) {
            Err(errno) if absent(errno) => {}
            found => return found.map_err(failed),
        }
        let mut end = path.len();
        let mut dir = loop {
            end = split(&path[..end]).0.len();
            match self.existing(&path[..end]) {
                Err(errno) if absent(errno) => {}
                found => break found.map_err(failed)?,
            }
        };
        // Of each directory that is made it is known: to ask the kernel takes as long as the path is.
        let mut place = self.place(&dir);
        while end < path.len() {
            // One entry may have a thousand directories above it.
            let interrupted = |_| LayerError::errno(MAKE, as_path(path))(Errno::INTR);
            self.interrupt.check().map_err(interrupted)?;
            let start = if end == 0 { 0 } else { end + 1 };
            let word = path[start..].iter().position(|b| *b == b'/');
            end = word.map_or(path.len(), |length| start + length);
            (dir, place) = self.made((&dir, place), &path[..end])?;
        }
        Ok(dir)
    }

    /// In a directory that has none, whose place is given; with its own place.
    fn made(&mut self, (parent, place): Placed<'_>, path: &[u8]) -> Result<Made, LayerError> {
        let name = split(path).1;
        let failed = |call| LayerError::errno(call, as_path(path));
        let make = || mkdirat(parent, name, Mode::from_raw_mode(0o700));
        let mut whited_out = false;
        match make() {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
                if FileType::from_raw_mode(stat.map_err(failed(LOOK))?.st_mode) == FileType::Symlink
                {
                    let dir = self.behind_link(parent, place, path)?;
                    let place = self.place(&dir);
                    return Ok((dir, place));
                }
                whited_out = self.form == Form::Overlay
                    && is_whiteout(parent.as_fd(), name).map_err(failed(LOOK))?;
                if !whited_out {
                    return Err(failed(OPEN)(Errno::NOTDIR));
                }
                unlinkat(parent, name, AtFlags::empty())
                    .and_then(|()| make())
                    .map_err(failed(MAKE))?;
            }
            Err(errno) => return Err(failed(MAKE)(errno)),
        }
        let place = place.map(|above| join(&above, name.as_bytes()));
        let dir = open_dir(parent.as_fd(), name.as_bytes()).map_err(failed(OPEN))?;
        let dir = self.keep(path, dir);
        fchmod(&*dir, Mode::from_raw_mode(IMPLICIT_MODE)).map_err(failed("set mode of"))?;
        if whited_out {
            // It is a new one: nothing of what was below shows in it, nor is it like that.
            let opaque = write_opaque(dir.as_fd(), Xattrs::Trusted);
            opaque.map_err(failed("make opaque"))?;
        } else {
            let place = place.clone().unwrap_or_else(|| path.to_owned());
            self.implicit.insert(place);
        }
        Ok((dir, place))
    }

    /// The directory that a symbolic link in `parent` leads to, made where it is missing: a layer below may have it.
    fn behind_link(
        &mut self,
        parent: &OwnedFd,
        place: Option<Vec<u8>>,
        path: &[u8],
    ) -> Result<Rc<OwnedFd>, LayerError> {
        let failed = |errno| LayerError::errno(OPEN, as_path(path))(errno);
        if self.links == MAX_LINKS {
            return Err(failed(Errno::LOOP));
        }
        let target = readlinkat(parent, split(path).1, Vec::new()).map_err(failed)?;
        let target = target.into_bytes();
        let mut place = match target.first() {
            Some(b'/') => Vec::new(),
            _ => place.ok_or_else(|| failed(Errno::NOENT))?,
        };
        self.links += 1;
        for word in target.split(|b| *b == b'/') {
            match word {
                b"" | b"." => {}
                b".." => place.truncate(split(&place).0.len()),
                word => {
                    let next = join(&place, word);
                    let dir = self.dir(&next)?;
                    place = self.place(&dir).unwrap_or(next);
                }
            }
        }
        self.links -= 1;
        self.existing(&place).map_err(failed)
    }

    /// Where it is in the tree, without links.
    fn place(&self, dir: impl AsFd) -> Option<Vec<u8>> {
        let path =
            |fd: BorrowedFd<'_>| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let (root, dir) = (path(self.root.as_fd()).ok()?, path(dir.as_fd()).ok()?);
        let below = dir.strip_prefix(root).ok()?.to_owned();
        Some(below.into_os_string().into_encoded_bytes())
    }

    /// Removes what is at `path`, in the directory `dir`, so that something else can be there.
    pub fn clear(&mut self, dir: BorrowedFd<'_>, path: &[u8]) -> Result<(), Errno> {
        let name = split(path).1;
        let kind = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if matches!(kind, FileType::Directory | FileType::Symlink) {
            // What was reached through it is something else from now on.
            self.forget();
        }
        if kind == FileType::Directory {
            let above = self.place(dir);
            let place =
                above.map_or_else(|| path.to_owned(), |above| join(&above, name.as_bytes()));
            let inside = [&place[..], b"/"].concat();
            self.implicit
                .retain(|path| *path != place && !path.starts_with(&inside));
            remove_contents(dir, name, &mut |_| true)?;
            return unlinkat(dir, name, AtFlags::REMOVEDIR);
        }
        unlinkat(dir, name, AtFlags::empty())
    }
}

impl Tree {
    /// Removes a file, or a directory with nothing in it.
    pub fn clear_if_bare(&mut self, dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
        self.forget();
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
    kit_sys::tree::sweep(parent, name, gone).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_never_climb() {
        assert_eq!(normalize(b"./a//b/./c/").as_deref(), Some(&b"a/b/c"[..]));
        assert_eq!(normalize(b"/abs").as_deref(), Some(&b"abs"[..]));
        assert_eq!(normalize(b"./").as_deref(), Some(&b""[..]));
        assert_eq!(normalize(b"a/../b").as_deref(), Some(&b"b"[..]));
        assert_eq!(normalize(b"a/b/../../c").as_deref(), Some(&b"c"[..]));
        assert_eq!(normalize(b"a/../../b"), None);
        assert_eq!(normalize(b"../b"), None);
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], OsStr::new("c")));
        assert_eq!(split(b"c"), (&b""[..], OsStr::new("c")));
    }
}
