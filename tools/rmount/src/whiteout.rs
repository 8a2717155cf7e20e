//! How a layer says "this is gone": the forms of a tar layer (AUFS names) and of an overlay's upper, both ways.
//!
//! In a tar: an empty file `.wh.NAME`, and `.wh..wh..opq` for "nothing below shows in this directory". In an
//! overlay: a character device 0:0 named NAME, and the attribute `overlay.opaque` = `y`. All on directory
//! descriptors and single names, so that no path in a hostile tree is ever followed.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

/// What an AUFS whiteout's name begins with.
pub const AUFS_PREFIX: &str = ".wh.";
/// The AUFS mark of an opaque directory.
pub const AUFS_OPAQUE: &str = ".wh..wh..opq";
/// Other names with this prefix are AUFS's own bookkeeping and never part of a layer.
const AUFS_META: &[u8] = b".wh..wh.";

/// Where an overlay keeps its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Xattrs {
    /// `trusted.overlay.*`: needs `CAP_SYS_ADMIN` in the first user namespace.
    #[default]
    Trusted,
    /// `user.overlay.*`: for a mount with `userxattr`.
    User,
}

impl Xattrs {
    /// The whole name of attribute `name` (`opaque`, `redirect`).
    pub fn name(self, name: &str) -> String {
        match self {
            Self::Trusted => format!("trusted.overlay.{name}"),
            Self::User => format!("user.overlay.{name}"),
        }
    }
}

/// What a name in a tar layer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TarName<'a> {
    /// A file of the layer.
    Plain(&'a OsStr),
    /// This name, in the same directory, is gone.
    Whiteout(&'a OsStr),
    /// Nothing of the layers below shows in this directory.
    Opaque,
    /// AUFS's own; to be left out.
    Meta,
    /// `.wh.` alone, `.wh..` or `.wh...`: would white out the directory itself or its parent.
    Bad,
}

/// Reads a single name of a tar layer.
pub fn read_tar_name(name: &OsStr) -> TarName<'_> {
    let bytes = name.as_bytes();
    if bytes == AUFS_OPAQUE.as_bytes() {
        return TarName::Opaque;
    }
    if bytes.starts_with(AUFS_META) {
        return TarName::Meta;
    }
    match bytes.strip_prefix(AUFS_PREFIX.as_bytes()) {
        None => TarName::Plain(name),
        Some(b"" | b"." | b"..") => TarName::Bad,
        Some(gone) => TarName::Whiteout(OsStr::from_bytes(gone)),
    }
}

/// The name of a tar layer's whiteout of `name`.
pub fn tar_whiteout(name: &OsStr) -> OsString {
    OsString::from_vec([AUFS_PREFIX.as_bytes(), name.as_bytes()].concat())
}

/// Makes an overlay whiteout of `name` in `dir`, in place of a file or empty directory that may be there.
pub fn write_whiteout(dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let make = || rustix::fs::mknodat(dir, name, FileType::CharacterDevice, Mode::empty(), 0);
    match make() {
        Err(Errno::EXIST) if is_whiteout(dir, name)? => Ok(()),
        Err(Errno::EXIST) => {
            match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
                Err(Errno::ISDIR) => rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?,
                other => other?,
            }
            make()
        }
        other => other,
    }
}

/// Marks the directory `dir`, an open descriptor (not `O_PATH`), opaque.
pub fn write_opaque(dir: BorrowedFd<'_>, xattrs: Xattrs) -> Result<(), Errno> {
    rustix::fs::fsetxattr(dir, xattrs.name("opaque"), b"y", XattrFlags::empty())
}

/// Whether `name` in `dir` is an overlay whiteout: a character device 0:0, or (Linux 6.7) an empty file with the
/// attribute `overlay.whiteout`. Absent is no whiteout.
pub fn is_whiteout(dir: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Errno> {
    let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => stat.st_rdev == 0,
        FileType::RegularFile if stat.st_size == 0 => attribute(dir, name, "whiteout")?.is_some(),
        _ => false,
    })
}

/// Whether the directory `name` in `dir` (`.` for itself) is opaque. The value `x` only says that whiteouts by
/// attribute may be in it.
pub fn is_opaque(dir: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Errno> {
    Ok(attribute(dir, name, "opaque")?.is_some_and(|value| value == b"y"))
}

/// The value of overlay attribute `key` of `name` in `dir`, under whichever prefix it is.
pub fn attribute(dir: BorrowedFd<'_>, name: &OsStr, key: &str) -> Result<Option<Vec<u8>>, Errno> {
    let file = rustix::fs::openat(
        dir,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // fgetxattr refuses an O_PATH descriptor; its magic link is the file itself, a symlink too.
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    for xattrs in [Xattrs::Trusted, Xattrs::User] {
        let mut value = vec![0; 4096];
        match rustix::fs::getxattr(&path, xattrs.name(key), &mut value) {
            Ok(length) => {
                value.truncate(length);
                return Ok(Some(value));
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_tar_layer() {
        let read = |name: &'static str| read_tar_name(OsStr::new(name));
        assert_eq!(read("etc"), TarName::Plain(OsStr::new("etc")));
        assert_eq!(read(".wh.etc"), TarName::Whiteout(OsStr::new("etc")));
        assert_eq!(read(AUFS_OPAQUE), TarName::Opaque);
        assert_eq!(read(".wh..wh.plnk"), TarName::Meta);
        for bad in [".wh.", ".wh..", ".wh..."] {
            assert_eq!(read(bad), TarName::Bad, "{bad}");
        }
        assert_eq!(tar_whiteout(OsStr::new("etc")), ".wh.etc");
    }

    #[test]
    fn what_is_written_is_recognised() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        std::fs::create_dir(dir.path().join("dir")).unwrap();
        let open = std::fs::File::open(dir.path()).unwrap();
        let fd = open.as_fd();
        for name in ["file", "dir", "new", "new"].map(OsStr::new) {
            write_whiteout(fd, name).unwrap();
            assert!(is_whiteout(fd, name).unwrap());
        }
        std::fs::write(dir.path().join("empty"), "").unwrap();
        assert!(!is_whiteout(fd, OsStr::new("empty")).unwrap());
        assert!(!is_whiteout(fd, OsStr::new("absent")).unwrap());
        assert!(!is_opaque(fd, OsStr::new(".")).unwrap());
        write_opaque(fd, Xattrs::Trusted).unwrap();
        assert!(is_opaque(fd, OsStr::new(".")).unwrap());
    }
}
