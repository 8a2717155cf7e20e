//! Of which kind a namespace is, by ioctl_ns(2): a file of nsfs does not say it by its name.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

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
