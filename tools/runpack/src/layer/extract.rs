//! Members of an archive made into files: owners by number, modes, times, attributes, devices, holes; whiteouts by [`Form`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use rmount::whiteout::{TarName, Xattrs, is_whiteout, read_tar_name, write_opaque};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fchmod, fstat, futimens, linkat, makedev, mkdirat, mknodat,
    openat, statat, symlinkat,
};
use rustix::io::Errno;
use tar::EntryType;

use super::attributes::{by_descriptor, by_name, stamps};
use super::linked::{NO_TARGET, TO_A_DIRECTORY, is_placeholder, write_placeholder};
use super::members::{Member, Members};
use super::sparse::Sparse;
use super::tree::{Tree, as_path, normalize, split};
use super::{Form, LayerError, LayerReport, MAKE_NODE};

/// Of linux/limits.h, with the NUL at the end: no program can name a file whose path is as long.
const PATH_MAX: usize = 4096;

pub(super) struct Extractor<R> {
    pub(super) tree: Tree,
    pub(super) form: Form,
    members: Members<R>,
    /// Of directories; set last, since making a file in one changes its time.
    times: HashMap<Vec<u8>, (i64, u32)>,
    /// What this layer made, which its own whiteouts do not touch. Only for [`Form::Flat`].
    pub(super) made: HashSet<Vec<u8>>,
    /// Hard links to what a layer below has: see `linked`. Only for [`Form::Overlay`].
    links: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) report: LayerReport,
}

impl<R: BufRead> Extractor<R> {
    pub fn new(root: OwnedFd, form: Form, stream: R) -> Self {
        Self {
            tree: Tree::new(root, form),
            form,
            members: Members::new(stream),
            times: HashMap::new(),
            made: HashSet::new(),
            links: BTreeMap::new(),
            report: LayerReport::default(),
        }
    }

    pub fn into_stream(self) -> R {
        self.members.into_input()
    }

    pub fn all(&mut self) -> Result<LayerReport, LayerError> {
        if self.form == Form::Overlay {
            let root = self.tree.root();
            fchmod(&*root, Mode::from_raw_mode(0o755))
                .map_err(LayerError::errno("set mode of", as_path(b"/")))?;
        }
        while let Some(member) = self.members.next()? {
            self.one(&member)?;
        }
        for (path, mtime) in &std::mem::take(&mut self.times) {
            // It may have been replaced since.
            let Ok(dir) = self.tree.existing(path) else {
                continue;
            };
            futimens(&*dir, &stamps(*mtime))
                .map_err(LayerError::errno("set times of", as_path(path)))?;
        }
        self.report.implicit = self.tree.take_implicit();
        let links = std::mem::take(&mut self.links).into_iter();
        let paths = |(path, target): (Vec<u8>, Vec<u8>)| {
            (as_path(&path).to_owned(), as_path(&target).to_owned())
        };
        self.report.links = links.map(paths).collect();
        Ok(std::mem::take(&mut self.report))
    }

    fn one(&mut self, member: &Member) -> Result<(), LayerError> {
        // A volume's label is no file.
        if member.kind.as_byte() == b'V' {
            return Ok(());
        }
        let refuse = |reason| LayerError::Entry {
            name: OsStr::from_bytes(&member.path).to_owned(),
            reason,
        };
        if member.uid == u32::MAX || member.gid == u32::MAX {
            return Err(refuse("its owner is not a number that Linux has"));
        }
        let path =
            normalize(&member.path).ok_or_else(|| refuse("its path climbs out by \"..\""))?;
        // As archives older than POSIX have directories.
        let old_dir = member.kind.is_file() && member.path.ends_with(b"/");
        let is_dir = member.kind.is_dir() || old_dir;
        if path.len() >= PATH_MAX {
            return Err(LayerError::Entry {
                name: OsStr::from_bytes(&member.path[..100]).to_owned(),
                reason: "its path, of which this is the beginning, is longer than 4095 bytes",
            });
        }
        if path.is_empty() {
            return if is_dir {
                let root = self.tree.root();
                self.finish_dir(member, path, &root)
            } else {
                Err(refuse("it would replace the root directory"))
            };
        }
        let (parent_path, name) = split(&path);
        let plain = match read_tar_name(name) {
            TarName::Plain(_) => true,
            TarName::Meta => return Ok(()),
            TarName::Bad => return Err(refuse("it would white out a directory from within")),
            TarName::Opaque | TarName::Whiteout(_) => false,
        };
        self.keep_time(parent_path)?;
        if !plain {
            return self.whiteout(parent_path, name);
        }
        self.report.files += 1;
        let parent = self.tree.dir(parent_path)?;
        let dir = parent.as_fd();
        if self.form == Form::Flat {
            self.made.insert(path.clone());
        }
        match member.kind {
            _ if is_dir => return self.directory(member, path, dir),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                return self.file(member, &path, dir);
            }
            EntryType::Link => return self.hard_link(member, &path, dir),
            EntryType::Symlink => {
                // What the kernel would say of these is "No such file" and "File name too long", of a name that is neither.
                match member.link.len() {
                    0 => return Err(refuse("it is a symbolic link to nothing")),
                    1..PATH_MAX => {}
                    _ => return Err(refuse("its target is longer than 4095 bytes")),
                }
                let target = OsStr::from_bytes(&member.link);
                self.fresh("make symbolic link", &path, dir, || {
                    symlinkat(target, dir, name)
                })?;
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let kind = match member.kind {
                    EntryType::Char => FileType::CharacterDevice,
                    EntryType::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let device = makedev(member.device.0, member.device.1);
                let mode = Mode::from_raw_mode(0o600);
                self.fresh(MAKE_NODE, &path, dir, || {
                    mknodat(dir, name, kind, mode, device)
                })?;
            }
            _ => return Err(refuse("its type is unknown")),
        }
        by_name(member, &path, dir)
    }

    /// A directory of the layers below that this one only changes something in keeps its time.
    fn keep_time(&mut self, path: &[u8]) -> Result<(), LayerError> {
        if self.form == Form::Overlay || self.times.contains_key(path) {
            return Ok(());
        }
        let Ok(dir) = self.tree.existing(path) else {
            return Ok(());
        };
        let stat = fstat(&*dir).map_err(LayerError::errno("look at", as_path(path)))?;
        let mtime = (stat.st_mtime, stat.st_mtime_nsec as u32);
        self.times.insert(path.to_owned(), mtime);
        Ok(())
    }

    /// Makes something where there may be something else.
    fn fresh<T>(
        &mut self,
        call: &'static str,
        path: &[u8],
        dir: BorrowedFd<'_>,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<T, LayerError> {
        let made = match make() {
            Err(Errno::EXIST) => self.tree.clear(dir, path).and_then(|()| make()),
            made => made,
        };
        made.map_err(LayerError::errno(call, as_path(path)))
    }

    fn directory(
        &mut self,
        member: &Member,
        path: Vec<u8>,
        dir: BorrowedFd<'_>,
    ) -> Result<(), LayerError> {
        let name = split(&path).1;
        let failed = || LayerError::errno("make directory", as_path(&path));
        let make = || mkdirat(dir, name, Mode::from_raw_mode(0o700));
        let mut opaque = false;
        if let Err(errno) = make() {
            if errno != Errno::EXIST {
                return Err(failed()(errno));
            }
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed())?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                // A whiteout of this layer and then a directory: what was below stays hidden.
                opaque = self.form == Form::Overlay && is_whiteout(dir, name).map_err(failed())?;
                self.tree
                    .clear(dir, &path)
                    .and_then(|()| make())
                    .map_err(failed())?;
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(dir, name, flags, Mode::empty()).map_err(failed())?;
        if opaque {
            write_opaque(made.as_fd(), Xattrs::Trusted).map_err(failed())?;
        }
        let made = self.tree.keep(&path, made);
        self.finish_dir(member, path, &made)
    }

    fn finish_dir(
        &mut self,
        member: &Member,
        path: Vec<u8>,
        dir: &OwnedFd,
    ) -> Result<(), LayerError> {
        by_descriptor(member, &path, dir)?;
        self.tree.explicit(&path, dir);
        self.times.insert(path, member.mtime);
        Ok(())
    }

    fn file(
        &mut self,
        member: &Member,
        path: &[u8],
        dir: BorrowedFd<'_>,
    ) -> Result<(), LayerError> {
        let name = split(path).1;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(dir, name, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(self.fresh("make file", path, dir, open)?);
        match &member.sparse {
            None => self.dense(&mut file, path)?,
            Some(sparse) => self.holes(&file, path, sparse)?,
        }
        by_descriptor(member, path, &file)?;
        futimens(&file, &stamps(member.mtime))
            .map_err(LayerError::errno("set times of", as_path(path)))
    }

    fn dense(&mut self, file: &mut File, path: &[u8]) -> Result<(), LayerError> {
        loop {
            let ready = self.members.fill().map_err(LayerError::Stream)?;
            if ready.is_empty() {
                return Ok(());
            }
            file.write_all(ready)
                .map_err(LayerError::io("write", as_path(path)))?;
            let count = ready.len();
            self.report.bytes += count as u64;
            self.members.consume(count);
        }
    }

    fn holes(&mut self, file: &File, path: &[u8], sparse: &Sparse) -> Result<(), LayerError> {
        file.set_len(sparse.size)
            .map_err(LayerError::io("set size of", as_path(path)))?;
        for (offset, length) in &sparse.map {
            let (mut at, end) = (*offset, offset + length);
            while at < end {
                let ready = self.members.fill().map_err(LayerError::Stream)?;
                let count = ready
                    .len()
                    .min(usize::try_from(end - at).unwrap_or(usize::MAX));
                if count == 0 {
                    return Err(LayerError::Stream(io::ErrorKind::UnexpectedEof.into()));
                }
                file.write_all_at(&ready[..count], at)
                    .map_err(LayerError::io("write", as_path(path)))?;
                at += count as u64;
                self.members.consume(count);
            }
        }
        self.report.bytes += sparse.size;
        Ok(())
    }

    fn hard_link(
        &mut self,
        member: &Member,
        path: &[u8],
        dir: BorrowedFd<'_>,
    ) -> Result<(), LayerError> {
        let refuse = |reason| LayerError::Entry {
            name: OsStr::from_bytes(&member.path).to_owned(),
            reason,
        };
        let target = normalize(&member.link);
        let target = target.ok_or_else(|| refuse("its hard link climbs out by \"..\""))?;
        // A link of a file to itself changes nothing; without the file it is to one of a layer below, or to none.
        if target == path && statat(dir, split(path).1, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok(());
        }
        let (target_parent, target_name) = split(&target);
        let missing = || refuse(NO_TARGET);
        // First, since what is at the new name goes.
        let from = self.tree.existing(target_parent).and_then(|from| {
            let stat = statat(&*from, target_name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok((from, FileType::from_raw_mode(stat.st_mode)))
        });
        let (from, kind) = match (from, self.form) {
            (Ok(from), _) => from,
            (Err(Errno::NOENT | Errno::NOTDIR), Form::Overlay) => {
                return self.link_below(path, target, dir);
            }
            (Err(_), _) => return Err(missing()),
        };
        if kind.is_dir() {
            return Err(refuse(TO_A_DIRECTORY));
        }
        if self.form == Form::Overlay {
            let failed = || LayerError::errno("make hard link", as_path(path));
            if is_whiteout(from.as_fd(), target_name).map_err(failed())? {
                return Err(missing());
            }
            if is_placeholder(from.as_fd(), target_name).map_err(failed())? {
                let target = self.links.get(&target).cloned().ok_or_else(missing)?;
                return self.link_below(path, target, dir);
            }
        }
        let name = split(path).1;
        self.fresh("make hard link", path, dir, || {
            linkat(&*from, target_name, dir, name, AtFlags::empty())
        })
    }

    /// A layer below may have the target: known when this one is placed.
    fn link_below(
        &mut self,
        path: &[u8],
        target: Vec<u8>,
        dir: BorrowedFd<'_>,
    ) -> Result<(), LayerError> {
        let name = split(path).1;
        let place = || write_placeholder(dir, name);
        self.fresh("make hard link", path, dir, place)?;
        self.links.insert(path.to_vec(), target);
        Ok(())
    }
}
