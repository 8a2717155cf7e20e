//! Paths beneath a root that may be hostile: resolved by openat2(2) as if the root were `/`, made where missing.
//!
//! A symlink in there, absolute or with any number of `..`, cannot lead out, and no magic link is followed. See
//! openat2(2), `RESOLVE_IN_ROOT`. What fails is told by its errno alone: the caller knows what the path was for.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, mkdirat, readlinkat};
use rustix::io::Errno;

/// What a missing mount point is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// A directory.
    Dir,
    /// An empty file.
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
    kit_sys::file::open_in_root(root, path, flags)
}

/// What is at `path` beneath `root`; if nothing is, it is made, with the directories above it.
pub fn make(root: BorrowedFd<'_>, path: &Path, make: Make) -> Result<OwnedFd, Errno> {
    match make {
        Make::Dir => make_dir(root, path),
        Make::File => make_file(root, path),
    }
}

/// A directory at `path` beneath `root`, made with what is missing above it, mode 0755. Where a link leads to nothing,
/// what it leads to is made.
pub fn make_dir(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    make_at(root, path, Make::Dir)
}

/// A file at `path` beneath `root` to mount a file on; an empty one is made if none is there, as with [`make_dir`].
pub fn make_file(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    make_at(root, path, Make::File)
}

/// As many as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

fn make_at(root: BorrowedFd<'_>, path: &Path, make: Make) -> Result<OwnedFd, Errno> {
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        match find(root, &path) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        match walk(root, &path, make)? {
            Walked::There(made) => return Ok(made),
            Walked::LeadsTo(other) => path = other,
        }
    }
    Err(Errno::LOOP)
}

enum Walked {
    There(OwnedFd),
    /// A link on the way leads to nothing: this is the same path with what the link says in its place.
    LeadsTo(PathBuf),
}

fn walk(root: BorrowedFd<'_>, path: &Path, make: Make) -> Result<Walked, Errno> {
    let mut at = find(root, Path::new("/"))?;
    let mut walked = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        let name = match part {
            Component::Normal(name) => name,
            // The kernel resolves it, and it is always there.
            Component::ParentDir => OsStr::new(".."),
            _ => continue,
        };
        let above = walked.clone();
        let is_last = parts.as_path().as_os_str().is_empty();
        walked.push(name);
        at = match find(root, &walked) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                if let Ok(link) = readlinkat(&at, name, Vec::new()) {
                    let link = Path::new(OsStr::from_bytes(link.as_bytes())).to_owned();
                    // An absolute one begins at the root, which `join` makes of it.
                    let leads_to = above.join(link);
                    return Ok(Walked::LeadsTo(if is_last {
                        leads_to
                    } else {
                        leads_to.join(parts.as_path())
                    }));
                }
                match make_one(&at, name, if is_last { make } else { Make::Dir }) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
                find(root, &walked)?
            }
            Err(errno) => return Err(errno),
        };
    }
    Ok(Walked::There(at))
}

fn make_one(at: &OwnedFd, name: &OsStr, make: Make) -> Result<(), Errno> {
    if make == Make::Dir {
        return mkdirat(at, name, Mode::from_raw_mode(0o755));
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(at, name, flags, Mode::from_raw_mode(0o644)).map(drop)
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
    fn what_is_there_is_not_made_again() {
        let (dir, fd) = root();
        let inode = || {
            let made = make_dir(fd.as_fd(), Path::new("a/b")).unwrap();
            rustix::fs::fstat(made).unwrap().st_ino
        };
        assert_eq!(inode(), inode());
        make_dir(fd.as_fd(), Path::new("a/../c/../../d")).unwrap();
        assert!(dir.path().join("d").is_dir() && !dir.path().join("a/d").exists());
    }

    #[test]
    fn what_a_dangling_link_leads_to_is_made_inside_the_root() {
        let (dir, fd) = root();
        let link = |to: &str, at: &str| {
            let at = dir.path().join(at);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(to, at).unwrap();
        };
        link("../run/systemd/stub.conf", "etc/resolv.conf");
        link("/no/such/place", "absolute");
        link("absolute", "twice");
        link("../../../../outside", "etc/up");
        let make = |path: &str, how| make(fd.as_fd(), Path::new(path), how).unwrap();
        make("/etc/resolv.conf", Make::File);
        assert!(dir.path().join("run/systemd/stub.conf").is_file());
        make("twice/and/deeper", Make::Dir);
        assert!(dir.path().join("no/such/place/and/deeper").is_dir());
        make("etc/up", Make::File);
        assert!(dir.path().join("outside").is_file() && !Path::new("/outside").exists());
        assert!(!Path::new("/no/such").exists());
    }

    #[test]
    fn links_that_lead_to_each_other_are_an_error() {
        let (dir, fd) = root();
        std::os::unix::fs::symlink("b", dir.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink("more/x", dir.path().join("more")).unwrap();
        for (path, how) in [("a", Make::Dir), ("b/c", Make::File), ("more", Make::Dir)] {
            assert_eq!(
                make(fd.as_fd(), Path::new(path), how).unwrap_err(),
                Errno::LOOP
            );
        }
    }
}
