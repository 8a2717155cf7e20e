//! Files that somebody else put there: a layout's blobs, an archive, what an image has in its /etc. Taken only if they are regular files,
//! without waiting, since a FIFO in their place would block for ever; the small ones only up to a size that fits into memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Where a file is, without opening it.
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Larger than any manifest, configuration or index.
pub(crate) const MAX_SMALL: u64 = 16 << 20;

/// Opens a regular file for reading; anything else is an error.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    opened(&rustix::fs::open(path, PLACE, Mode::empty())?)
}

/// A file below `root`, as if that were `/`, wherever links lead there.
pub(crate) fn open_beneath(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    opened(&kit_sys::file::open_in_root(root, path, PLACE)?)
}

/// Looked at before it is opened: opening a device may do something.
fn opened(place: &OwnedFd) -> io::Result<File> {
    let stat = rustix::fs::fstat(place.as_fd())?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let by_number = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(rustix::fs::open(by_number, flags, Mode::empty())?.into())
}

/// The whole of a small file of the store, to which only its owner can write: what it is, is asked after it is opened.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    kit_home::read_regular(path)
}
