//! What a socket knows and nix and rustix do not ask for. See socket(7).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// `SO_NETNS_COOKIE`: the number of the network namespace that the socket is in, which no other has until the next
/// boot. Linux 5.14 and later; before that `ENOPROTOOPT`.
pub fn netns_cookie(socket: BorrowedFd<'_>) -> Result<u64, Errno> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, to a u64 that outlives the call, and the length to `length`.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if failed == 0 {
        Ok(cookie)
    } else {
        let errno = std::io::Error::last_os_error().raw_os_error();
        Err(Errno::from_raw_os_error(errno.unwrap_or_default()))
    }
}
