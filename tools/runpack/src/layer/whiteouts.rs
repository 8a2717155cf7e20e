//! Whiteouts of an archive, by [`Form`]: written in overlayfs's own way, or carried out on what the layers below have put here.

use std::ffi::OsStr;
use std::io::BufRead;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rmount::whiteout::{TarName, Xattrs, read_tar_name, write_opaque, write_whiteout};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::extract::Extractor;
use super::tree::{as_path, remove_contents};
use super::{Form, LayerError};

impl<R: BufRead> Extractor<R> {
    /// `name` is a whiteout's, in the directory `parent`.
    pub fn whiteout(&mut self, parent: &[u8], name: &OsStr) -> Result<(), LayerError> {
        let gone = match read_tar_name(name) {
            TarName::Whiteout(gone) => Some(gone),
            _ => None,
        };
        let full: PathBuf = as_path(parent).join(name);
        let failed = || LayerError::errno("white out", &full);
        if self.form == Form::Overlay {
            self.report.whiteouts += 1;
            let dir = self.tree.dir(parent)?;
            return match gone {
                None => write_opaque(dir.as_fd(), Xattrs::Trusted),
                Some(gone) => overlay_whiteout(dir.as_fd(), gone),
            }
            .map_err(failed());
        }
        let Ok(dir) = self.tree.existing(parent) else {
            return Ok(());
        };
        let target = gone.unwrap_or(OsStr::new("."));
        let below = match gone {
            None => parent.to_vec(),
            Some(gone) => as_path(parent)
                .join(gone)
                .into_os_string()
                .into_encoded_bytes(),
        };
        let made = &self.made;
        let mut goes = |path: &[u8]| {
            let full = as_path(&below).join(as_path(path));
            !made.contains(full.as_os_str().as_bytes())
        };
        let is_dir = |dir: BorrowedFd<'_>| {
            let stat = statat(dir, target, AtFlags::SYMLINK_NOFOLLOW);
            stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
        };
        if is_dir(dir.as_fd()) {
            remove_contents(dir.as_fd(), target, &mut goes).map_err(failed())?;
            self.tree.forget();
        }
        if gone.is_none() || self.made.contains(&below) {
            return Ok(());
        }
        match self.tree.clear_if_bare(dir.as_fd(), target) {
            Ok(()) | Err(Errno::NOTEMPTY) => Ok(()),
            Err(errno) => Err(failed()(errno)),
        }
    }
}

/// A file that the same layer has stays; a directory becomes opaque.
fn overlay_whiteout(dir: BorrowedFd<'_>, gone: &OsStr) -> Result<(), Errno> {
    match statat(dir, gone, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => write_whiteout(dir, gone),
        Err(errno) => Err(errno),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            write_opaque(
                openat(dir, gone, flags, Mode::empty())?.as_fd(),
                Xattrs::Trusted,
            )
        }
        Ok(_) => Ok(()),
    }
}
