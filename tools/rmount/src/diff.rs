//! What an overlay's upper changed: added, changed, deleted, as docker diff(1) has it.
//!
//! Reads whiteouts, opaque directories and redirects (renamed directories) in the upper, and in lowers that were
//! uppers once. Without lowers, what was copied up is told by the attribute `overlay.origin`, where the
//! filesystem can hold it: everything else counts as added.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use crate::error::MountError;
use crate::overlay::Lowers;
use crate::whiteout::{attribute, is_opaque, is_whiteout};

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Kind {
    /// No lower has it.
    #[serde(rename = "added")]
    Added,
    /// A lower has it otherwise.
    #[serde(rename = "changed")]
    Changed,
    /// A lower has it, and the upper hides it.
    #[serde(rename = "deleted")]
    Deleted,
}

impl Kind {
    /// docker's letter.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Deleted => 'D',
        }
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened to it.
    pub kind: Kind,
    /// From the overlay's root: `/etc/hosts`.
    pub path: PathBuf,
    /// `file`, `dir`, `link`: what it is now, or was.
    pub file_type: &'static str,
    /// Only its owner, mode or times changed; its content is still the lower's.
    pub metadata_only: bool,
    /// A renamed directory: where its content lies in the lowers.
    pub redirect: Option<PathBuf>,
}

/// A directory as the lowers show it: its parts, topmost first, each a layer's number and an open directory.
type Merged = Vec<(usize, OwnedFd)>;

/// What a name is in the lowers.
enum Found {
    Nothing,
    File,
    Dir(Merged),
}

/// Reads what `upper` changed against `lowers`. Sorted as a walk: a directory before its content.
pub fn diff(upper: &Path, lowers: &Lowers) -> Result<Vec<Change>, MountError> {
    let roots = lowers
        .iter()
        .map(|path| open_root(path))
        .collect::<Result<Vec<_>, _>>()?;
    let mut walk = Walk {
        roots: &roots,
        known: !lowers.is_empty(),
        changes: Vec::new(),
    };
    let top = open_root(upper)?;
    let merged = walk
        .all_roots()
        .map_err(|e| MountError::call("reading changes of", upper, e))?;
    walk.dir(top.as_fd(), Some(&merged), Path::new("/"))?;
    Ok(walk.changes)
}

/// As [`diff`] of a mounted overlay; `None` if it has no upper.
pub fn diff_mounted(mount: &crate::mountinfo::Mount) -> Result<Option<Vec<Change>>, MountError> {
    match crate::overlay::layers_of(mount) {
        Some((lowers, Some(upper))) => diff(&upper.upper, &lowers).map(Some),
        _ => Ok(None),
    }
}

struct Walk<'a> {
    roots: &'a [OwnedFd],
    /// Whether there are lowers to compare with.
    known: bool,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn all_roots(&self) -> Result<Merged, Errno> {
        self.roots
            .iter()
            .enumerate()
            .map(|(layer, fd)| Ok((layer, fcntl_dupfd_cloexec(fd, 0)?)))
            .collect()
    }

    /// One directory of the upper, over what the lowers show there (`None`: nothing, all in it is new).
    fn dir(
        &mut self,
        upper: BorrowedFd<'_>,
        lower: Option<&Merged>,
        at: &Path,
    ) -> Result<(), MountError> {
        let failed = |errno| MountError::call("reading changes of", at, errno);
        for name in names(upper).map_err(failed)? {
            let path = at.join(&name);
            let found = lower
                .as_ref()
                .map_or(Ok(Found::Nothing), |l| lookup(self.roots, l, &name))
                .map_err(failed)?;
            self.entry(upper, &name, path, found, lower.is_some())?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        upper: BorrowedFd<'_>,
        name: &OsStr,
        path: PathBuf,
        found: Found,
        over: bool,
    ) -> Result<(), MountError> {
        let failed = |errno| MountError::call("reading changes of", &path, errno);
        if is_whiteout(upper, name).map_err(failed)? {
            // A whiteout of what is in no lower hides nothing.
            if over && (!self.known || !matches!(found, Found::Nothing)) {
                self.push(Kind::Deleted, path, "whiteout");
            }
            return Ok(());
        }
        let stat = rustix::fs::statat(upper, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let redirect = attribute(upper, name, "redirect").map_err(failed)?;
        let was_there = match &found {
            Found::Nothing if !self.known && over && redirect.is_none() => {
                attribute(upper, name, "origin").map_err(failed)?.is_some()
            }
            Found::Nothing => false,
            _ => true,
        };
        let kind = if was_there {
            Kind::Changed
        } else {
            Kind::Added
        };
        self.push(kind, path.clone(), type_name(file_type));
        if !file_type.is_dir() {
            if let Some(last) = self.changes.last_mut() {
                last.metadata_only = was_there
                    && attribute(upper, name, "metacopy")
                        .map_err(failed)?
                        .is_some();
            }
            return Ok(());
        }
        let dir = open_dir(upper, name, &path)?;
        let from = redirect.map(|target| renamed_from(&path, OsStr::from_bytes(&target)));
        // One that was renamed and renamed back has a redirect to where it is.
        if let Some(from) = from.filter(|from| self.known && *from != path) {
            return self.renamed(dir, &path, &from);
        }
        match found {
            Found::Dir(merged) if is_opaque(upper, name).map_err(failed)? => {
                self.opaque(dir.as_fd(), &merged, &path)
            }
            Found::Dir(merged) => self.dir(dir.as_fd(), Some(&merged), &path),
            Found::Nothing if was_there => self.dir(dir.as_fd(), Some(&Merged::new()), &path),
            _ => self.dir(dir.as_fd(), None, &path),
        }
    }

    /// A directory that was made anew: what the lowers had and it has not is deleted.
    fn opaque(
        &mut self,
        upper: BorrowedFd<'_>,
        lower: &Merged,
        at: &Path,
    ) -> Result<(), MountError> {
        let failed = |errno| MountError::call("reading changes of", at, errno);
        let own = names(upper).map_err(failed)?;
        for name in merged_names(self.roots, lower).map_err(failed)? {
            if !own.contains(&name) {
                self.push(Kind::Deleted, at.join(name), "whiteout");
            }
        }
        self.dir(upper, Some(lower), at)
    }

    /// A directory renamed with its content still in the lowers: all of it is new at this place.
    fn renamed(&mut self, upper: OwnedFd, at: &Path, from: &Path) -> Result<(), MountError> {
        let failed = |errno| MountError::call("following the redirect of", at, errno);
        if let Some(last) = self.changes.last_mut() {
            last.redirect = Some(from.to_owned());
        }
        let mut whole: Merged = vec![(usize::MAX, upper)];
        whole.extend(from_root(self.roots, 0, from).map_err(failed)?);
        self.all_new(&whole, at)
    }

    fn all_new(&mut self, merged: &Merged, at: &Path) -> Result<(), MountError> {
        let failed = |errno| MountError::call("reading changes of", at, errno);
        for name in merged_names(self.roots, merged).map_err(failed)? {
            let path = at.join(&name);
            match lookup(self.roots, merged, &name).map_err(failed)? {
                Found::Nothing => {}
                Found::File => self.push(Kind::Added, path, "file"),
                Found::Dir(inner) => {
                    self.push(Kind::Added, path.clone(), "directory");
                    self.all_new(&inner, &path)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, path: PathBuf, file_type: &'static str) {
        self.changes.push(Change {
            kind,
            path,
            file_type,
            metadata_only: false,
            redirect: None,
        });
    }
}

/// Where the content of the directory `at` lies in the lowers: relative to the directory that it is in, or from the
/// root. overlayfs writes both.
fn renamed_from(at: &Path, target: &OsStr) -> PathBuf {
    match target.as_bytes().first() {
        Some(b'/') => PathBuf::from(target),
        _ => at.parent().unwrap_or(Path::new("/")).join(target),
    }
}

/// What `name` is in a merged directory: the topmost part that has it decides, and directories go on downwards
/// until a whiteout, a file or an opaque one ends them.
fn lookup(roots: &[OwnedFd], merged: &Merged, name: &OsStr) -> Result<Found, Errno> {
    let mut parts = Merged::new();
    for (position, (layer, dir)) in merged.iter().enumerate() {
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno),
        };
        if is_whiteout(dir.as_fd(), name)? {
            break;
        }
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Ok(if parts.is_empty() {
                Found::File
            } else {
                Found::Dir(parts)
            });
        }
        parts.push((*layer, open_raw(dir.as_fd(), name)?));
        if is_opaque(dir.as_fd(), name)? {
            break;
        }
        // Renamed to here, in the upper or in a lower that was an upper once: below it, another name goes on.
        // The upper's number wraps round to the first lower.
        if let Some(target) = attribute(dir.as_fd(), name, "redirect")? {
            parts.extend(redirected(
                roots,
                &merged[position..],
                Path::new(OsStr::from_bytes(&target)),
            )?);
            break;
        }
    }
    Ok(if parts.is_empty() {
        Found::Nothing
    } else {
        Found::Dir(parts)
    })
}

/// What a redirect found in the first of `parts` leads to below that part: from the root, or, if it is a single
/// name, in the same directory.
fn redirected(
    roots: &[OwnedFd],
    parts: &[(usize, OwnedFd)],
    target: &Path,
) -> Result<Merged, Errno> {
    let Some(((layer, _), below)) = parts.split_first() else {
        return Ok(Merged::new());
    };
    if target.is_absolute() {
        return from_root(roots, layer.wrapping_add(1), target);
    }
    let clone = |(layer, fd): &(usize, OwnedFd)| Ok((*layer, fcntl_dupfd_cloexec(fd, 0)?));
    let below = below.iter().map(clone).collect::<Result<Merged, Errno>>()?;
    match lookup(roots, &below, target.as_os_str())? {
        Found::Dir(merged) => Ok(merged),
        _ => Ok(Merged::new()),
    }
}

/// The directory at `path` in the lowers from number `first` down.
fn from_root(roots: &[OwnedFd], first: usize, path: &Path) -> Result<Merged, Errno> {
    let mut merged = Merged::new();
    for (layer, root) in roots.iter().enumerate().skip(first) {
        merged.push((layer, fcntl_dupfd_cloexec(root, 0)?));
    }
    for part in path.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        merged = match lookup(roots, &merged, name)? {
            Found::Dir(inner) => inner,
            _ => return Ok(Merged::new()),
        };
    }
    Ok(merged)
}

/// The names that a merged directory shows, sorted.
fn merged_names(roots: &[OwnedFd], merged: &Merged) -> Result<Vec<OsString>, Errno> {
    let mut all = Vec::new();
    for (_, dir) in merged {
        all.extend(names(dir.as_fd())?);
    }
    all.sort();
    all.dedup();
    let mut shown = Vec::new();
    for name in all {
        if !matches!(lookup(roots, merged, &name)?, Found::Nothing) {
            shown.push(name);
        }
    }
    Ok(shown)
}

/// The names in one directory, sorted.
fn names(dir: BorrowedFd<'_>) -> Result<Vec<OsString>, Errno> {
    let mut out = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            out.push(name);
        }
    }
    out.sort();
    Ok(out)
}

fn open_raw(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, how, Mode::empty())
}

fn open_dir(dir: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<OwnedFd, MountError> {
    open_raw(dir, name).map_err(|errno| MountError::call("reading changes of", path, errno))
}

/// A layer's root may be reached through symlinks: a person named it.
fn open_root(path: &Path) -> Result<OwnedFd, MountError> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, how, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT => crate::bind::missing(path, "reading changes of"),
        errno => MountError::call("reading changes of", path, errno),
    })
}

fn type_name(file_type: FileType) -> &'static str {
    match file_type {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::Unknown => "unknown",
    }
}
