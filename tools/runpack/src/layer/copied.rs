//! A file copied from one layer into another, as overlayfs copies one up: its data without the holes, its owner, mode, attributes and times.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Uid, chmodat, chownat, ftruncate,
    mknodat, openat, readlinkat, seek, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::implicit::{copy_attributes, times};

/// A directory, and a name in it.
pub type Place<'a> = (BorrowedFd<'a>, &'a OsStr);

/// Makes `to`, which is not there, like `from`, which is no directory: a file, a link, a device. Returns how many bytes the file has.
pub fn copy(from: Place<'_>, to: Place<'_>) -> io::Result<u64> {
    let stat = statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(0o600);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let source = File::from(openat(from.0, from.1, flags, Mode::empty())?);
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let target = File::from(openat(to.0, to.1, flags, mode)?);
            data(&source, &target, stat.st_size as u64)?;
        }
        FileType::Symlink => symlinkat(readlinkat(from.0, from.1, Vec::new())?, to.0, to.1)?,
        kind => mknodat(to.0, to.1, kind, mode, stat.st_rdev)?,
    }
    dress(from, to, &stat)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(if is_file { stat.st_size as u64 } else { 0 })
}

/// Piece by piece: a layer of a few bytes may have a file of terabytes.
fn data(source: &File, target: &File, size: u64) -> io::Result<()> {
    ftruncate(target, size)?;
    let mut at = 0;
    while at < size {
        let start = match seek(source, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        at = seek(source, SeekFrom::Hole(start))?;
        seek(source, SeekFrom::Start(start))?;
        seek(target, SeekFrom::Start(start))?;
        let mut piece = io::Read::take(source, at - start);
        io::copy(&mut piece, &mut &*target)?;
    }
    Ok(())
}

/// The owner first: changing it clears set-uid bits and capabilities.
fn dress(from: Place<'_>, to: Place<'_>, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to.0, to.1, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        chmodat(to.0, to.1, mode, AtFlags::empty())?;
    }
    copy_attributes(&by_number(from), &by_number(to))?;
    utimensat(to.0, to.1, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// For calls that take no directory's descriptor.
fn by_number((dir, name): Place<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name)
}
