//! Paths inside a root that is not to be trusted: every lookup is by openat2(2) beneath the root's descriptor,
//! so no link in an image leads out of it, and no magic link is followed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// Refers to what is at `path` beneath `root`, links followed, the last one too.
pub fn find(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::PATH)
}

/// Opens what is at `path` beneath `root`.
pub fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    loop {
        // EAGAIN: something was renamed along the way while the kernel walked; it cannot tell, we try again.
        match openat2(
            root,
            relative(path),
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            INSIDE,
        ) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
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
        let Component::Normal(name) = part else {
            continue;
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

fn relative(path: &Path) -> &Path {
    match path.strip_prefix("/") {
        Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
        Ok(rest) => rest,
        Err(_) => path,
    }
}
