//! Descriptors as a whole: close_range(2).

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Closes every descriptor from 3 up but those in `keep`.
///
/// For a freshly cloned child only: whatever owned the closed numbers must never be used or dropped in this
/// process again, which holds because a child leaves by `_exit` or exec.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) {
    let mut keep: Vec<RawFd> = keep
        .iter()
        .map(AsRawFd::as_raw_fd)
        .filter(|fd| *fd >= 3)
        .collect();
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep {
        if fd > from {
            close_range(from, fd - 1);
        }
        from = fd + 1;
    }
    close_range(from, RawFd::MAX);
}

fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: closes numbers only. The documented contract of `close_all_but` says that nobody in this
    // process uses them afterwards. The call cannot fail for a range in order (close_range(2)).
    unsafe { libc::syscall(libc::SYS_close_range, first as u32, last as u32, 0u32) };
}
