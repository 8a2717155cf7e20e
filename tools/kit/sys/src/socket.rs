//! What a socket knows and nix and rustix do not ask for. See socket(7).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::seccomp::{Instruction, program};

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

/// Makes a netlink socket deaf to messages that begin with one of these types (`SO_ATTACH_FILTER`): nobody is woken for them.
pub fn drop_messages(socket: BorrowedFd<'_>, types: [u16; 3]) -> std::io::Result<()> {
    const TYPE_AT: u32 = 4; // of `struct nlmsghdr`
    const ALL: u32 = u32::MAX;
    let instruction = |code: u32, k: u32, jt: u8| Instruction {
        code: code as u16,
        jt,
        jf: 0,
        k,
    };
    let load = instruction(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, TYPE_AT, 0);
    let answer = |length: u32| instruction(libc::BPF_RET | libc::BPF_K, length, 0);
    // The filter loads numbers in the network's order, and the type is in the host's.
    let is = |kind: u16, to: u8| {
        let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        instruction(code, u32::from(kind.to_be()), to)
    };
    let [first, second, third] = types;
    let filter = [
        load,
        is(first, 3),
        is(second, 2),
        is(third, 1),
        answer(ALL),
        answer(0),
    ];
    let program = program(&filter)?;
    // SAFETY: the kernel copies the program, whose pointer and length are those of `filter`, before the call returns.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}
