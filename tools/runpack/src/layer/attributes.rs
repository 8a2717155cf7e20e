//! Owner, mode, times and extended attributes of a file that has just been made.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, lsetxattr, utimensat,
};
use rustix::io::Errno;

use super::LayerError;
use super::linked::PLACEHOLDER;
use super::members::Member;
use super::tree::{as_path, split};

pub(super) fn stamps((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanos.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn owner(member: &Member) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(member.uid)),
        Some(Gid::from_raw(member.gid)),
    )
}

/// The owner first: changing it clears set-uid bits and capabilities.
pub(super) fn by_descriptor(
    member: &Member,
    path: &[u8],
    file: &impl AsFd,
) -> Result<(), LayerError> {
    let (uid, gid) = owner(member);
    fchown(file, uid, gid).map_err(LayerError::errno("set owner of", as_path(path)))?;
    fchmod(file, Mode::from_raw_mode(member.mode))
        .map_err(LayerError::errno("set mode of", as_path(path)))?;
    for (name, value) in kept_xattrs(member) {
        attribute(
            path,
            name,
            fsetxattr(file, name, value, XattrFlags::empty()),
        )?;
    }
    Ok(())
}

/// The same for what cannot be opened: links, devices, pipes.
pub(super) fn by_name(member: &Member, path: &[u8], dir: BorrowedFd<'_>) -> Result<(), LayerError> {
    let name = split(path).1;
    let (uid, gid) = owner(member);
    chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(LayerError::errno("set owner of", as_path(path)))?;
    if !member.kind.is_symlink() {
        chmodat(
            dir,
            name,
            Mode::from_raw_mode(member.mode),
            AtFlags::empty(),
        )
        .map_err(LayerError::errno("set mode of", as_path(path)))?;
    }
    for (key, value) in kept_xattrs(member) {
        let mut at = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
        at.push(name);
        attribute(path, key, lsetxattr(&at, key, value, XattrFlags::empty()))?;
    }
    utimensat(dir, name, &stamps(member.mtime), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(LayerError::errno("set times of", as_path(path)))
}

/// Not overlay's own: an archive that had one could show files of the layers below, or of elsewhere, under its own names.
fn kept_xattrs(member: &Member) -> impl Iterator<Item = (&[u8], &[u8])> {
    let all = member.xattrs.iter();
    all.map(|(name, value)| (name.as_slice(), value.as_slice()))
        .filter(|(name, _)| {
            // Nor the mark of a placeholder.
            let ours = [
                &b"trusted.overlay."[..],
                b"user.overlay.",
                PLACEHOLDER.as_bytes(),
            ];
            !ours.iter().any(|ours| name.starts_with(ours))
        })
}

/// A file system that has none, or a security module's that is not here, is said and is no failure, as docker has it.
fn attribute(path: &[u8], name: &[u8], set: Result<(), Errno>) -> Result<(), LayerError> {
    match set {
        Err(errno @ (Errno::OPNOTSUPP | Errno::PERM)) if name != b"security.capability" => {
            let (path, name) = (as_path(path), as_path(name));
            log::warn!("{}: attribute {}: {errno}", path.display(), name.display());
            Ok(())
        }
        set => set.map_err(|errno| {
            let doing = format!("set attribute {:?} of", as_path(name));
            LayerError::io(doing, as_path(path))(refused(name, errno))
        }),
    }
}

/// What setxattr(2) means by its errnos: their own words are of numbers and of arguments.
fn refused(name: &[u8], errno: Errno) -> io::Error {
    match errno {
        Errno::RANGE => io::Error::other("its name is not of 1 to 255 bytes"),
        Errno::TOOBIG => io::Error::other("its value is longer than 65536 bytes"),
        Errno::INVAL if name == b"security.capability" => {
            io::Error::other("its value is no set of capabilities")
        }
        errno => errno.into(),
    }
}
