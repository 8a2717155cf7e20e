//! Paths beneath a root that may be hostile: resolved by openat2(2) as if the root were `/`, made where missing.
//!
//! A symlink in there, absolute or with any number of `..`, cannot lead out, and no magic link is followed. See
//! openat2(2), `RESOLVE_IN_ROOT`. What fails is told by its errno alone: the caller knows what the path was for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// What a missing mount point is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Dir,
    File,
}

/// An `O_PATH` descriptor of what is at `path` beneath `root`, links followed, the last one too.
pub fn find(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::PATH)
}

/// Opens what is at `path` beneath `root`.
pub fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new("/")
    } else {
        path
    };
    loop {
        // EAGAIN: something was renamed along the way while the kernel walked; it cannot tell, we try again.
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), INSIDE) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

/// What is at `path` beneath `root`; if nothing is, it is made, with the directories above it.
pub fn make(root: BorrowedFd<'_>, path: &Path, make: Make) -> Result<OwnedFd, Errno> {
    match make {
        Make::Dir => make_dir(root, path),
        Make::File => make_file(root, path),
    }
}

/// A directory at `path` beneath `root`, made with what is missing above it, mode 0755.
pub fn make_dir(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    match find(root, path) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let mut at = find(root, Path::new("/"))?;
    let mut walked = std::path::PathBuf::new();
    for part in path.components() {
        let name = match part {
            Component::Normal(name) => name,
            // The kernel resolves it, and it is always there.
            Component::ParentDir => std::ffi::OsStr::new(".."),
            _ => continue,
        };
        walked.push(name);
        at = match find(root, &walked) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
                // A link to nowhere is still not a directory after mkdir said EEXIST: NOENT, for the caller.
                find(root, &walked)?
            }
            Err(errno) => return Err(errno),
        };
    }
    Ok(at)
}

/// A file at `path` beneath `root` to mount a file on; an empty one is made if none is there.
pub fn make_file(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    match find(root, path) {
        Err(Errno::NOENT) => {}
        other => return other,
    }
    let parent = make_dir(root, path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().ok_or(Errno::ISDIR)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    find(root, path)
}

/// What kind of file a descriptor refers to.
pub fn kind(fd: impl AsFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        let fd = rustix::fs::open(dir.path(), OFlags::PATH, Mode::empty()).unwrap();
        (dir, fd)
    }

    #[test]
    fn a_symlink_cannot_lead_out() {
        let (dir, fd) = root();
        std::os::unix::fs::symlink("/etc/deep", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("../../../../../etc", dir.path().join("up")).unwrap();
        std::fs::create_dir_all(dir.path().join("etc/deep")).unwrap();
        make(fd.as_fd(), Path::new("link/here"), Make::Dir).unwrap();
        make(fd.as_fd(), Path::new("/up/there"), Make::File).unwrap();
        assert!(dir.path().join("etc/deep/here").is_dir());
        assert!(dir.path().join("etc/there").is_file());
        assert!(!Path::new("/etc/deep").exists());
    }

    #[test]
    fn what_is_there_is_not_made_again_and_a_dangling_link_is_left_alone() {
        let (dir, fd) = root();
        let inode = || {
            let made = make_dir(fd.as_fd(), Path::new("a/b")).unwrap();
            rustix::fs::fstat(made).unwrap().st_ino
        };
        assert_eq!(inode(), inode());
        make_dir(fd.as_fd(), Path::new("a/../c/../../d")).unwrap();
        assert!(dir.path().join("d").is_dir() && !dir.path().join("a/d").exists());
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        for how in [Make::Dir, Make::File] {
            let error = make(fd.as_fd(), Path::new("dangling"), how).unwrap_err();
            assert_eq!(error, Errno::NOENT);
        }
        assert!(!dir.path().join("nowhere").exists());
    }
}
