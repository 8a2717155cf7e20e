//! The directory that an image is unpacked into. One that is there and empty may be a mount point, or somebody's working directory: it is
//! filled where it is, by way of a directory in it, and what others put there meanwhile is never touched.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, FileId, Meta, Shell, Step, StepError, Undo};
use rustix::fs::{
    CWD, Gid, Mode, RenameFlags, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    flistxattr, fsetxattr, futimens, renameat_with,
};
use rustix::io::Errno;

use crate::load::step_error;
use crate::says;
use crate::source::SourceError;

const MAX_ATTRIBUTE: usize = 64 * 1024;

/// Where it is made before it is there.
pub(crate) struct Target {
    pub dir: PathBuf,
    pub work: PathBuf,
    /// It was there, empty, and is filled where it is.
    pub in_place: bool,
}

impl Target {
    pub fn new(dir: &Path) -> Result<Self, SourceError> {
        let in_place = match std::fs::read_dir(dir) {
            Ok(mut list) => {
                if list.next().is_some() {
                    return Err(taken(dir, "it is not empty"));
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(SourceError::io("list", dir)(error)),
        };
        let absolute = std::path::absolute(dir).map_err(SourceError::io("find", dir))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(taken(dir, "it is the root directory"));
        };
        let own = std::process::id();
        let work = if in_place {
            absolute.join(format!(".runpack-{own}"))
        } else {
            parent.join(format!(".{}.runpack-{own}", name.to_string_lossy()))
        };
        Ok(Self {
            work,
            dir: absolute,
            in_place,
        })
    }

    /// Just before it is filled: whether it still may be. With `attributes`, what is made begins with the directory's own.
    pub fn ready(&self, attributes: bool) -> Result<(), SourceError> {
        if !self.in_place {
            return plain_mode(&self.work);
        }
        for path in list(&self.dir)? {
            if path != self.work {
                return Err(taken(&self.dir, "it is not empty"));
            }
        }
        if attributes {
            copy_attributes(&self.dir, &self.work)?;
        }
        Ok(())
    }

    /// What will be in a directory that is filled where it is, each by its identity: a command that is killed while they go up takes along
    /// those that have, and nobody else's.
    pub fn to_come(&self) -> Result<Vec<Undo>, SourceError> {
        if !self.in_place {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for path in list(&self.work)? {
            let meta = path
                .symlink_metadata()
                .map_err(SourceError::io("look at", &path))?;
            let id = Some(FileId {
                dev: meta.dev(),
                ino: meta.ino(),
            });
            let path = self.dir.join(path.file_name().unwrap_or_default());
            all.push(if meta.is_dir() {
                Undo::Tree { path, id }
            } else {
                Undo::Unlink { path, id }
            });
        }
        Ok(all)
    }
}

/// Whole, it comes up into the directory that was there, name by name.
pub(crate) struct MoveUp {
    pub from: PathBuf,
    pub to: PathBuf,
    /// Those of the directory itself, too.
    pub attributes: bool,
}

impl Step for MoveUp {
    fn meta(&self) -> Meta {
        Meta::new("dir.fill", says::fill(), Shell::Ours(Vec::new()))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.all().map_err(step_error)?;
        Ok(Done::nothing())
    }
}

impl MoveUp {
    fn all(&self) -> Result<(), SourceError> {
        // Before what leaves it changes them.
        let was = self.attributes.then(|| times(&self.from)).transpose()?;
        for path in list(&self.from)? {
            let to = self.to.join(path.file_name().unwrap_or_default());
            match renameat_with(CWD, &path, CWD, &to, RenameFlags::NOREPLACE) {
                // A file system that cannot promise it.
                Err(Errno::INVAL) if to.symlink_metadata().is_err() => {
                    std::fs::rename(&path, &to).map_err(SourceError::io("rename", &to))?;
                }
                Err(Errno::EXIST | Errno::INVAL) => {
                    return Err(taken(&self.to, "it is not empty"));
                }
                moved => moved.map_err(|e| SourceError::io("rename", &to)(e.into()))?,
            }
        }
        if self.attributes {
            copy_attributes(&self.from, &self.to)?;
        }
        std::fs::remove_dir(&self.from).map_err(SourceError::io("remove", &self.from))?;
        let Some(was) = was else { return Ok(()) };
        let dir = open(&self.to)?;
        futimens(&dir, &was).map_err(|e| SourceError::io("set times of", &self.to)(e.into()))
    }
}

/// What a root directory has of which no layer says anything, whatever the umask.
pub(crate) fn plain_mode(dir: &Path) -> Result<(), SourceError> {
    let set = fchmod(open(dir)?, Mode::from_raw_mode(0o755));
    set.map_err(|errno| SourceError::io("set mode of", dir)(errno.into()))
}

/// Owner first: changing it clears bits of the mode.
fn copy_attributes(from: &Path, to: &Path) -> Result<(), SourceError> {
    let (source, target) = (open(from)?, open(to)?);
    let meta = source
        .metadata()
        .map_err(SourceError::io("look at", from))?;
    let failed = |call| move |errno: Errno| SourceError::io(call, to)(errno.into());
    let owner = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
    fchown(&target, Some(owner.0), Some(owner.1)).map_err(failed("set owner of"))?;
    fchmod(&target, Mode::from_raw_mode(meta.mode() & 0o7777)).map_err(failed("set mode of"))?;
    let mut names = vec![0; MAX_ATTRIBUTE];
    let length = flistxattr(&source, &mut names).unwrap_or(0);
    for name in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let mut value = vec![0; MAX_ATTRIBUTE];
        let got = fgetxattr(&source, name, &mut value).map_err(failed("read attributes of"))?;
        match fsetxattr(&target, name, &value[..got], XattrFlags::empty()) {
            // Two places of one file system: what it has on one it takes on the other, but for a security module's.
            Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            set => set.map_err(failed("set attributes of"))?,
        }
    }
    Ok(())
}

fn times(dir: &Path) -> Result<Timestamps, SourceError> {
    let meta = dir.metadata().map_err(SourceError::io("look at", dir))?;
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    Ok(Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    })
}

fn open(dir: &Path) -> Result<File, SourceError> {
    File::open(dir).map_err(SourceError::io("open", dir))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let paths = std::fs::read_dir(dir).and_then(|list| list.map(|e| Ok(e?.path())).collect());
    paths.map_err(SourceError::io("list", dir))
}

fn taken(dir: &Path, reason: &'static str) -> SourceError {
    SourceError::Target {
        dir: dir.to_owned(),
        reason,
    }
}
