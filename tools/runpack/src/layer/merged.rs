//! What shows of a stack of layers, directory by directory, as overlayfs has it: a whiteout, a file or an opaque directory ends the look
//! below. The layer on top is the one that is being made.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rmount::whiteout::{Xattrs, is_whiteout};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fgetxattr, openat, readlinkat, statat};
use rustix::io::Errno;

use super::tree::split;

/// Descriptors that are kept for the next look.
const MAX_KEPT: usize = 256;

/// What is at a name.
pub(super) enum Seen {
    Nothing,
    /// Merged, topmost first.
    Dirs(Vec<OwnedFd>),
    /// Its target.
    Link(Vec<u8>),
    Other,
}

/// A directory as it shows.
pub(super) struct Shown {
    /// Of the layer on top.
    own: Option<OwnedFd>,
    below: Vec<OwnedFd>,
}

pub(super) struct Merged {
    own: Rc<OwnedFd>,
    below: Vec<OwnedFd>,
    known: RefCell<HashMap<Vec<u8>, Rc<Shown>>>,
    kept: Cell<usize>,
}

impl Merged {
    pub fn new(own: &Rc<OwnedFd>, below: Vec<OwnedFd>) -> Result<Self, Errno> {
        let mut merged = Self {
            own: Rc::clone(own),
            below: Vec::new(),
            known: RefCell::default(),
            kept: Cell::new(0),
        };
        for layer in below {
            let last = is_opaque(&layer)?;
            merged.below.push(layer);
            if last {
                break;
            }
        }
        merged.forget()?;
        Ok(merged)
    }

    /// The root directory of the topmost layer below.
    pub fn top(&self) -> Result<Option<OwnedFd>, Errno> {
        self.below.first().map(again).transpose()
    }

    /// The layer on top has changed.
    pub fn forget(&self) -> Result<(), Errno> {
        self.known.borrow_mut().clear();
        self.kept.set(0);
        let below: Result<_, Errno> = if is_opaque(&self.own)? {
            Ok(Vec::new())
        } else {
            self.below.iter().map(again).collect()
        };
        let root = Shown {
            own: Some(again(&self.own)?),
            below: below?,
        };
        self.known.borrow_mut().insert(Vec::new(), Rc::new(root));
        Ok(())
    }

    /// The directory at a path without links.
    pub fn at(&self, path: &[u8]) -> Result<Rc<Shown>, Errno> {
        let known = |path: &[u8]| self.known.borrow().get(path).map(Rc::clone);
        if let Some(shown) = known(path) {
            return Ok(shown);
        }
        let mut end = path.len();
        let mut shown = loop {
            end = split(&path[..end]).0.len();
            if let Some(shown) = known(&path[..end]) {
                break shown;
            }
        };
        while end < path.len() {
            let start = if end == 0 { 0 } else { end + 1 };
            let word = path[start..].iter().position(|b| *b == b'/');
            end = word.map_or(path.len(), |length| start + length);
            shown = Rc::new(shown.dir(OsStr::from_bytes(&path[start..end]))?);
            // The lowest are kept: what is asked for next is mostly in or just above them, up to a thousand levels down.
            if self.kept.get() > MAX_KEPT {
                self.forget()?;
            }
            self.kept.set(self.kept.get() + 1 + shown.below.len());
            self.known
                .borrow_mut()
                .insert(path[..end].to_vec(), Rc::clone(&shown));
        }
        Ok(shown)
    }
}

impl Shown {
    /// The layer on top has this directory.
    pub fn own(&self) -> Option<&OwnedFd> {
        self.own.as_ref()
    }

    /// The directory that the layer on top has at a name.
    pub fn own_dir(&self, name: &OsStr) -> Result<Option<OwnedFd>, Errno> {
        let Some(own) = &self.own else {
            return Ok(None);
        };
        match open(own, name) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The directory of the layer below whose entry of that name shows.
    pub fn below_in(&self, name: &OsStr) -> Result<Option<&OwnedFd>, Errno> {
        for dir in &self.below {
            match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
                Ok(_) if is_whiteout(dir.as_fd(), name)? => return Ok(None),
                Ok(_) => return Ok(Some(dir)),
            }
        }
        Ok(None)
    }

    /// What is below at a name.
    pub fn below(&self, name: &OsStr) -> Result<Seen, Errno> {
        look(self.below.iter(), name)
    }

    /// What shows at a name.
    pub fn child(&self, name: &OsStr) -> Result<Seen, Errno> {
        look(self.own.iter().chain(&self.below), name)
    }

    fn dir(&self, name: &OsStr) -> Result<Self, Errno> {
        let own = self
            .own
            .as_ref()
            .map(|own| look([own].into_iter(), name))
            .transpose()?;
        let (own, hidden) = match own {
            None | Some(Seen::Nothing) => (
                None,
                self.own
                    .as_ref()
                    .map_or(Ok(false), |own| is_whiteout(own.as_fd(), name))?,
            ),
            Some(Seen::Dirs(mut dirs)) => {
                let own = dirs.pop();
                let opaque = own.as_ref().map_or(Ok(false), is_opaque)?;
                (own, opaque)
            }
            Some(Seen::Link(_) | Seen::Other) => (None, true),
        };
        let below = match if hidden {
            Seen::Nothing
        } else {
            self.below(name)?
        } {
            Seen::Dirs(dirs) => dirs,
            _ => Vec::new(),
        };
        Ok(Self { own, below })
    }
}

fn look<'a>(dirs: impl Iterator<Item = &'a OwnedFd>, name: &OsStr) -> Result<Seen, Errno> {
    let mut found = Vec::new();
    for dir in dirs {
        match open(dir, name) {
            Ok(dir) => {
                let last = is_opaque(&dir)?;
                found.push(dir);
                if last {
                    break;
                }
            }
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) if !found.is_empty() => break,
            Err(Errno::NOTDIR | Errno::LOOP) => return other(dir, name),
            Err(errno) => return Err(errno),
        }
    }
    Ok(if found.is_empty() {
        Seen::Nothing
    } else {
        Seen::Dirs(found)
    })
}

fn other(dir: &OwnedFd, name: &OsStr) -> Result<Seen, Errno> {
    let kind = FileType::from_raw_mode(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    Ok(if kind == FileType::Symlink {
        Seen::Link(readlinkat(dir, name, Vec::new())?.into_bytes())
    } else if is_whiteout(dir.as_fd(), name)? {
        Seen::Nothing
    } else {
        Seen::Other
    })
}

fn open(dir: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

fn again(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(dir, 0)
}

/// Of a directory of a layer of ours.
pub(super) fn is_opaque(dir: &OwnedFd) -> Result<bool, Errno> {
    let mut value = [0; 2];
    match fgetxattr(dir, Xattrs::Trusted.name("opaque"), &mut value) {
        Ok(length) => Ok(&value[..length] == b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Of layers, topmost first, those of which something shows.
pub(crate) fn shown(mut layers: Vec<PathBuf>) -> Vec<PathBuf> {
    let last = layers.iter().position(|layer| is_opaque_layer(layer));
    layers.truncate(last.map_or(layers.len(), |last| last + 1));
    layers
}

/// Nothing below this layer shows. The kernel merges the roots of layers whatever they say.
pub(crate) fn is_opaque_layer(fs: &Path) -> bool {
    let root = rustix::fs::open(
        fs,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    root.and_then(|root| is_opaque(&root)).unwrap_or(false)
}
