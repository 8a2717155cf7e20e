//! Namespaces by their files: opening one, and of which kind it is, by ioctl_ns(2), since its name does not say it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;

/// `NSFS_MAGIC` of linux/magic.h.
const NSFS_MAGIC: rustix::fs::FsWord = 0x6e73_6673;

/// Opens the namespace at `path`; `None` if something else is there, which is not opened: a FIFO would be waited for, and a
/// device would notice.
pub fn open(path: &Path) -> Result<Option<File>, Errno> {
    let is_namespace = |fd: BorrowedFd<'_>| fstatfs(fd).is_ok_and(|stat| stat.f_type == NSFS_MAGIC);
    let place = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if !is_namespace(place.as_fd()) {
        return Ok(None);
    }
    // The file may be another by now.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty())?;
    Ok(is_namespace(file.as_fd()).then(|| file.into()))
}

/// `_IO(NSIO, 0x3)` of linux/nsfs.h.
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// The kind of the namespace that `file` refers to, in words: `network`, `mount`.
pub fn kind(file: BorrowedFd<'_>) -> Result<&'static str, Errno> {
    // SAFETY: this request takes no argument, and `file` is open.
    let flag = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    Ok(match flag {
        libc::CLONE_NEWNET => "network",
        libc::CLONE_NEWNS => "mount",
        libc::CLONE_NEWUTS => "UTS",
        libc::CLONE_NEWIPC => "IPC",
        libc::CLONE_NEWPID => "PID",
        libc::CLONE_NEWUSER => "user",
        libc::CLONE_NEWCGROUP => "cgroup",
        // CLONE_NEWTIME of linux/sched.h, which libc lacks here.
        0x80 => "time",
        -1 => {
            return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
        }
        _ => "unknown",
    })
}
