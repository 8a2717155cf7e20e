//! Paths beneath a root that may be hostile: resolved by openat2(2) as if the root were `/`, made where missing.
//!
//! A symlink in there, absolute or with any number of `..`, cannot lead out. See openat2(2), `RESOLVE_IN_ROOT`.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::MountError;

/// What a missing mount point is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Dir,
    File,
}

/// An `O_PATH` descriptor of `path` beneath `root`, symlinks followed inside it.
pub fn resolve_in_root(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, MountError> {
    open(root, path).map_err(|errno| MountError::call("resolving beneath the root", path, errno))
}

fn open(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = if path.as_os_str().is_empty() {
        Path::new("/")
    } else {
        path
    };
    loop {
        // EAGAIN: a rename or mount raced with a `..`; the kernel asks for another try.
        match rustix::fs::openat2(
            root,
            path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            how,
        ) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

/// As [`resolve_in_root`], making what is missing: directories of mode 0755, and the last as `make` says. Says
/// whether the last component was made.
pub fn make_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    make: Make,
) -> Result<(OwnedFd, bool), MountError> {
    let failed = |errno| MountError::call("making a mount point beneath the root", path, errno);
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        })
        .collect();
    let mut so_far = std::path::PathBuf::from("/");
    let mut made = false;
    let mut dir = open(root, &so_far).map_err(failed)?;
    for (index, name) in names.iter().enumerate() {
        so_far.push(name);
        made = false;
        dir = match open(root, &so_far) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                let last = index + 1 == names.len();
                let how = if last { make } else { Make::Dir };
                make_at(dir.as_fd(), name, how).map_err(failed)?;
                made = true;
                open(root, &so_far).map_err(failed)?
            }
            Err(errno) => return Err(failed(errno)),
        };
    }
    Ok((dir, made))
}

/// EEXIST here, where resolving has just said ENOENT, is a dangling symlink: it is left alone.
fn make_at(dir: BorrowedFd<'_>, name: &OsStr, make: Make) -> Result<(), Errno> {
    match make {
        Make::Dir => rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)),
        Make::File => {
            let mode = Mode::from_raw_mode(0o644);
            rustix::fs::mknodat(dir, name, FileType::RegularFile, mode, 0)
        }
    }
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
        make_in_root(fd.as_fd(), Path::new("link/here"), Make::Dir).unwrap();
        make_in_root(fd.as_fd(), Path::new("/up/there"), Make::File).unwrap();
        assert!(dir.path().join("etc/deep/here").is_dir());
        assert!(dir.path().join("etc/there").is_file());
        assert!(!Path::new("/etc/deep").exists());
    }

    #[test]
    fn what_is_there_is_not_made_again_and_a_dangling_link_is_left_alone() {
        let (dir, fd) = root();
        let (_, made) = make_in_root(fd.as_fd(), Path::new("a/b"), Make::Dir).unwrap();
        assert!(made);
        let (_, made) = make_in_root(fd.as_fd(), Path::new("a/b"), Make::Dir).unwrap();
        assert!(!made);
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        let error = make_in_root(fd.as_fd(), Path::new("dangling"), Make::Dir).unwrap_err();
        assert_eq!(
            error.to_string(),
            "making a mount point beneath the root \"dangling\": File exists"
        );
    }
}
