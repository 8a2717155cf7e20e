//! Directories that a layer has only as parts of paths. In an overlay they would show, with whatever owner and mode we gave them, in place of
//! the same directories below; so they take on what those have. Where there is a symbolic link below, the archive means the directory that it
//! leads to, and what the layer has in it goes there: see `merged` for what shows, and `moved` for the going.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, flistxattr, fstat,
    futimens, lgetxattr, llistxattr, lremovexattr, lsetxattr,
};
use rustix::io::Errno;

use super::linked::Linking;
use super::merged::{Merged, Seen};
use super::tree::{MAX_LINKS, as_path, join, open_root, split};
use super::{LayerError, LayerReport, bare, moved};
use crate::interrupt::Interrupt;

/// Does to an unpacked layer what depends on those underneath, `below`, topmost first. Returns how many bytes it took from them.
pub fn settle(fs: &Path, report: &LayerReport, below: &[PathBuf]) -> Result<u64, LayerError> {
    let has_nothing = report.links.is_empty() && report.whiteouts == 0;
    if has_nothing && (report.implicit.is_empty() || below.is_empty()) {
        return Ok(0);
    }
    let root = Rc::new(open_root(fs)?);
    let below: Result<Vec<OwnedFd>, _> = below.iter().map(|layer| open_root(layer)).collect();
    let mut adoption = Adoption {
        merged: Merged::new(&root, below?).map_err(LayerError::errno("open", fs))?,
        root,
        todo: BTreeSet::new(),
        settled: BTreeSet::new(),
        interrupt: Interrupt::new(),
    };
    let implicit = report.implicit.iter();
    adoption.all(implicit.map(|path| path.as_os_str().as_bytes().to_vec()))?;
    let mut bytes = 0;
    let mut linking = Linking::default();
    for (path, target) in &report.links {
        let bytes_of = |path: &Path| path.as_os_str().as_bytes().to_vec();
        bytes += linking.one(&mut adoption, &bytes_of(path), &bytes_of(target))?;
    }
    if report.whiteouts > 0 {
        bare::whiteouts(&adoption)?;
    }
    bare::directories(&adoption)?;
    Ok(bytes)
}

pub(super) struct Adoption {
    pub root: Rc<OwnedFd>,
    pub merged: Merged,
    todo: BTreeSet<Vec<u8>>,
    /// Where the directories are that the archive had no entry of.
    pub settled: BTreeSet<Vec<u8>>,
    pub interrupt: Interrupt,
}

impl Adoption {
    /// Directories that the archive has no entry of, or that were made since.
    pub fn all(&mut self, paths: impl IntoIterator<Item = Vec<u8>>) -> Result<(), LayerError> {
        self.todo.extend(paths);
        // Parents first: where they are is known by then.
        while let Some(path) = self.todo.pop_first() {
            // A small archive may have a hundred thousand of them.
            let interrupted =
                |_| LayerError::errno("copy attributes of", as_path(&path))(Errno::INTR);
            self.interrupt.check().map_err(interrupted)?;
            self.one(&path)?;
        }
        Ok(())
    }

    fn one(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let failed = || LayerError::errno("copy attributes of", as_path(path));
        if path.is_empty() {
            let top = self.merged.top().map_err(failed())?;
            return top
                .map_or(Ok(()), |from| copy(&from, &self.root))
                .map_err(failed());
        }
        self.settled.insert(path.to_vec());
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
                self.settled.remove(path);
                let failed = LayerError::errno("move what is in", as_path(path));
                let is_implicit = |place: &[u8]| {
                    place == path || self.todo.contains(place) || self.settled.contains(place)
                };
                let moved = moved::contents(&self.root, (path, &place), &is_implicit)?;
                let inside = [path, b"/"].concat();
                let todo = std::mem::take(&mut self.todo).into_iter();
                self.todo = todo
                    .map(|path| match path.strip_prefix(&inside[..]) {
                        Some(rest) => join(&place, rest),
                        None => path,
                    })
                    .chain(moved.fresh)
                    .filter(|path| !moved.explicit.contains(path))
                    .collect();
                self.settled.retain(|path| !moved.explicit.contains(path));
                self.merged.forget().map_err(failed)
            }
            Seen::Nothing | Seen::Other => Ok(()),
        }
    }

    /// The directory that the path leads to in what shows, without links.
    pub fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, LayerError> {
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
                // What is missing is made, as umoci makes it.
                Seen::Dirs(_) | Seen::Nothing => place = here,
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
                Seen::Other => return Err(failed()(Errno::NOTDIR)),
            }
        }
        Ok(place.join(&b'/'))
    }
}

/// As [`copy`], where `to` may have taken on the attributes of a directory below.
pub(super) fn replace(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let to_path = PathBuf::from(format!("/proc/self/fd/{}/.", to.as_raw_fd()));
    for name in attributes(&to_path)? {
        lremovexattr(&to_path, &name[..])?;
    }
    copy(from, to)
}

pub(super) fn copy(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let stat = fstat(from)?;
    fchown(
        to,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    // Most have none, and to ask so is cheap.
    let mut none: [u8; 0] = [];
    if flistxattr(from, &mut none[..]) != Ok(0) {
        let path = |dir: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}/.", dir.as_raw_fd()));
        copy_attributes(&path(from), &path(to))?;
    }
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

/// All but those of the layer and of the host: overlayfs's own, and a security module's label. Links are not followed.
pub(super) fn copy_attributes(from: &Path, to: &Path) -> Result<(), Errno> {
    for name in attributes(from)? {
        let mut value = vec![0; 64 * 1024];
        let length = lgetxattr(from, &name[..], &mut value)?;
        lsetxattr(to, &name[..], &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

/// The names of the attributes that [`copy_attributes`] copies.
fn attributes(path: &Path) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = vec![0; 64 * 1024];
    let length = match llistxattr(path, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(errno) => return Err(errno),
    };
    let left_out = [
        &b"trusted.overlay."[..],
        b"user.overlay.",
        b"security.selinux",
    ];
    let names = names[..length].split(|b| *b == 0);
    let kept = names
        .filter(|name| !name.is_empty() && !left_out.iter().any(|begin| name.starts_with(begin)));
    Ok(kept.map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigSet, Signal, raise};
    use nix::sys::signalfd::SignalFd;

    use super::*;

    /// As one arrives while a plan is applied, which has them blocked.
    #[test]
    fn a_signal_ends_it() {
        let (own, below) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(own.path().join("a")).unwrap();
        let report = LayerReport {
            implicit: vec!["a".into()],
            ..LayerReport::default()
        };
        let settled = || settle(own.path(), &report, &[below.path().to_owned()]);
        let signals = SigSet::from_iter([Signal::SIGTERM]);
        signals.thread_block().unwrap();
        let before = settled();
        raise(Signal::SIGTERM).unwrap();
        let pending = settled();
        let taken = SignalFd::new(&signals).unwrap().read_signal().unwrap();
        signals.thread_unblock().unwrap();
        assert!(taken.is_some());
        assert_eq!(before.unwrap(), 0);
        let said = pending.unwrap_err().to_string();
        assert!(said.contains("Interrupted system call"), "{said}");
    }
}
