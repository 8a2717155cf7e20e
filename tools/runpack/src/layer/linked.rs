//! Hard links of a layer to files that a layer below has. Layers are unpacked without a look at those below, so there is a placeholder until
//! this one is placed; then the file is copied up and the link made, as overlayfs does for link(2).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, XattrFlags, fgetxattr, fsetxattr, linkat, openat, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::copied::copy;
use super::implicit::Adoption;
use super::moved::Kept;
use super::tree::{Tree, as_path, join, open_dir, split};
use super::{Form, LayerError};

pub(super) const NO_TARGET: &str =
    "the file that it is a hard link to is not in the layer, nor in those below";
pub(super) const TO_A_DIRECTORY: &str = "it is a hard link to a directory";
/// The attribute that makes a file a placeholder; an archive's own of that name is dropped.
pub(super) const PLACEHOLDER: &str = "trusted.boxkit.link";

/// Made where nothing is.
pub(super) fn write_placeholder(dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty())?;
    fsetxattr(&file, PLACEHOLDER, b"", XattrFlags::empty())
}

pub(super) fn is_placeholder(dir: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Errno> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Ok(false);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty())?;
    let mut value = [0; 1];
    match fgetxattr(&file, PLACEHOLDER, &mut value) {
        Ok(_) | Err(Errno::RANGE) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The links of one layer.
#[derive(Default)]
pub(super) struct Linking {
    /// By the place of a file below: where its copy is.
    copies: HashMap<Vec<u8>, Vec<u8>>,
}

impl Linking {
    /// Returns how many bytes were copied.
    pub fn one(
        &mut self,
        adoption: &mut Adoption,
        path: &[u8],
        target: &[u8],
    ) -> Result<u64, LayerError> {
        let failed = || LayerError::errno("make hard link", as_path(path));
        let (parent, name) = split(path);
        let parent = adoption.resolve(parent)?;
        let Ok(dir) = open_dir(adoption.root.as_fd(), &parent) else {
            return Ok(0);
        };
        match is_placeholder(dir.as_fd(), name) {
            Ok(true) => {}
            // Replaced since.
            Ok(false) | Err(Errno::NOENT) => return Ok(0),
            Err(errno) => return Err(failed()(errno)),
        }
        let kept = Kept::of(&adoption.root, &parent).map_err(failed())?;
        let (target_parent, target_name) = split(target);
        let target_parent = adoption.resolve(target_parent)?;
        let place = join(&target_parent, target_name.as_bytes());
        unlinkat(&dir, name, AtFlags::empty()).map_err(failed())?;
        let bytes = match self.copies.get(&place) {
            Some(_) => 0,
            None => self.copy_up(
                adoption,
                (&dir, &parent, name),
                (&target_parent, target_name),
            )?,
        };
        let copy = self.copies.get(&place).cloned().unwrap_or_default();
        let (copy_parent, copy_name) = split(&copy);
        let from = open_dir(adoption.root.as_fd(), copy_parent).map_err(failed())?;
        match linkat(&from, copy_name, &dir, name, AtFlags::empty()) {
            // It was copied to here.
            Err(Errno::EXIST) => {}
            linked => linked.map_err(failed())?,
        }
        kept.restore().map_err(failed())?;
        Ok(bytes)
    }

    /// To its own place, or, where the layer has something else there by now, to where the first link to it is to be.
    fn copy_up(
        &mut self,
        adoption: &mut Adoption,
        (dir, parent, name): (&OwnedFd, &[u8], &OsStr),
        (target_parent, target_name): (&[u8], &OsStr),
    ) -> Result<u64, LayerError> {
        let path = join(parent, name.as_bytes());
        let failed = || LayerError::errno("make hard link", as_path(&path));
        let refuse = |reason| LayerError::Entry {
            name: OsStr::from_bytes(&path).to_owned(),
            reason,
        };
        let shown = adoption.merged.at(target_parent).map_err(failed())?;
        let source = shown.below_in(target_name).map_err(failed())?;
        let source = source.ok_or_else(|| refuse(NO_TARGET))?;
        let from = (source.as_fd(), target_name);
        let stat = statat(source, target_name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed())?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(refuse(TO_A_DIRECTORY));
        }
        let is_taken = shown
            .own()
            .is_some_and(|own| statat(own, target_name, AtFlags::SYMLINK_NOFOLLOW).is_ok());
        let target = join(target_parent, target_name.as_bytes());
        let copied = LayerError::io("copy", as_path(&path));
        if is_taken {
            let bytes = copy(from, (dir.as_fd(), name)).map_err(copied)?;
            self.copies.insert(target, path);
            return Ok(bytes);
        }
        let above = Kept::above(&adoption.root, target_parent).map_err(failed())?;
        let own = rustix::io::dup(&*adoption.root).map_err(failed())?;
        let mut tree = Tree::new(own, Form::Overlay);
        tree.keep_root();
        let to = tree.dir(target_parent)?;
        let bytes = copy(from, (to.as_fd(), target_name)).map_err(copied)?;
        adoption.merged.forget().map_err(failed())?;
        adoption.all(tree.take_implicit_places())?;
        above.restore().map_err(failed())?;
        self.copies.insert(target.clone(), target);
        Ok(bytes)
    }
}
