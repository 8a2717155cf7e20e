//! Directories that a layer has only as parts of paths. In an overlay they would show, with whatever owner and mode we gave them, in place of
//! the same directories below; so they take on what those have. Where there is a symbolic link below, the archive means the directory that it
//! leads to, and what the layer has in it goes there: see `merged` for what shows, and `moved` for the going.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    flistxattr, fsetxattr, fstat, futimens,
};
use rustix::io::Errno;

use super::LayerError;
use super::merged::{Merged, Seen};
use super::moved;
use super::tree::{as_path, leads_nowhere, open_root, split};

/// As many links as the kernel follows in a path.
const MAX_LINKS: usize = 40;

/// `below`: the layers underneath, topmost first.
pub fn adopt_implicit(
    fs: &Path,
    implicit: &[PathBuf],
    below: &[PathBuf],
) -> Result<(), LayerError> {
    if implicit.is_empty() || below.is_empty() {
        return Ok(());
    }
    let root = Rc::new(open_root(fs)?);
    let below: Result<Vec<OwnedFd>, _> = below.iter().map(|layer| open_root(layer)).collect();
    let paths = implicit
        .iter()
        .map(|path| path.as_os_str().as_bytes().to_vec());
    let mut adoption = Adoption {
        merged: Merged::new(&root, below?).map_err(LayerError::errno("open", fs))?,
        root,
        todo: paths.collect(),
    };
    // Parents first: where they are is known by then.
    while let Some(path) = adoption.todo.pop_first() {
        adoption.settle(&path)?;
    }
    Ok(())
}

struct Adoption {
    root: Rc<OwnedFd>,
    merged: Merged,
    todo: BTreeSet<Vec<u8>>,
}

impl Adoption {
    fn settle(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let failed = || LayerError::errno("copy attributes of", as_path(path));
        if path.is_empty() {
            let top = self.merged.top().map_err(failed())?;
            return top
                .map_or(Ok(()), |from| copy(&from, &self.root))
                .map_err(failed());
        }
        let (parent, name) = split(path);
        let parent = self.merged.at(parent).map_err(failed())?;
        // It may have been replaced since.
        let Some(to) = parent.own_dir(name).map_err(failed())? else {
            return Ok(());
        };
        match parent.below(name).map_err(failed())? {
            Seen::Dirs(from) => from
                .first()
                .map_or(Ok(()), |from| copy(from, &to))
                .map_err(failed()),
            Seen::Link(_) => {
                let place = self.resolve(path)?;
                let failed = LayerError::errno("move what is in", as_path(path));
                let fresh = moved::contents(&self.root, path, &place)?;
                let inside = [path, b"/"].concat();
                let todo = std::mem::take(&mut self.todo);
                self.todo = todo
                    .into_iter()
                    .map(|path| match path.strip_prefix(&inside[..]) {
                        Some(rest) => [&place, &b"/"[..], rest].concat(),
                        None => path,
                    })
                    .collect();
                self.todo.extend(fresh);
                self.merged.forget().map_err(failed)
            }
            Seen::Nothing | Seen::Other => Ok(()),
        }
    }

    /// The directory that the path leads to in what shows, without links.
    fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, LayerError> {
        let failed = || LayerError::errno("resolve", as_path(path));
        let words = |path: &[u8]| {
            path.split(|b| *b == b'/')
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        let mut left: VecDeque<Vec<u8>> = words(path).into();
        let mut place: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(word) = left.pop_front() {
            match &word[..] {
                b"" | b"." => continue,
                b".." => {
                    place.pop();
                    continue;
                }
                _ => {}
            }
            let parent = self.merged.at(&place.join(&b'/')).map_err(failed())?;
            let name = OsStr::from_bytes(&word);
            let mut here = place.clone();
            here.push(word.clone());
            // One that is still to be settled may be a link below, whatever it is here.
            let unsettled = here.join(&b'/') == path || self.todo.contains(&here.join(&b'/'));
            let mut seen = if unsettled {
                parent.below(name)
            } else {
                parent.child(name)
            };
            if unsettled && !matches!(seen, Ok(Seen::Link(_))) {
                seen = parent.child(name);
            }
            match seen.map_err(failed())? {
                Seen::Dirs(_) => place = here,
                Seen::Link(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(failed()(Errno::LOOP));
                    }
                    if target.starts_with(b"/") {
                        place.clear();
                    }
                    for word in words(&target).into_iter().rev() {
                        left.push_front(word);
                    }
                }
                Seen::Nothing => return Err(leads_nowhere(path)),
                Seen::Other => return Err(failed()(Errno::NOTDIR)),
            }
        }
        Ok(place.join(&b'/'))
    }
}

pub(super) fn copy(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let stat = fstat(from)?;
    debug_assert_eq!(FileType::from_raw_mode(stat.st_mode), FileType::Directory);
    fchown(
        to,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    copy_attributes(from, to)?;
    futimens(to, &times(&stat))
}

pub(super) fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanos| Timespec {
        tv_sec: seconds,
        tv_nsec: nanos,
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as i64),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as i64),
    }
}

fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = vec![0; 64 * 1024];
    let length = match flistxattr(from, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    for name in names[..length]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
    {
        // Opaqueness is of the layer, not of the directory.
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0; 64 * 1024];
        let length = fgetxattr(from, name, &mut value)?;
        fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}
