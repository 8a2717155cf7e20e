//! Signal dispositions: Rust's own start-up code ignores SIGPIPE, and a program that we exec inherits that.

use std::mem::MaybeUninit;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Gives every signal back its default action, as a freshly started program expects: SIGPIPE is ignored by
/// Rust's runtime, and whoever started us may have ignored others. Call it just before exec.
pub fn reset_all() {
    for sig in Signal::iterator() {
        // SAFETY: SIG_DFL is no handler function, so nothing of ours can run in signal context. SIGKILL and
        // SIGSTOP refuse with EINVAL, which is as it should be.
        let _ = unsafe { signal(sig, SigHandler::SigDfl) };
    }
}

/// Whether it is ignored, as nohup(1) and a shell's `trap ''` have it. A blocked one is kept for a signalfd all the same.
pub fn is_ignored(sig: Signal) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the kernel writes a whole sigaction where `now` is, if it returns 0; it is given none to set.
    unsafe {
        libc::sigaction(sig as i32, std::ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Sends a signal by number to the process of a pidfd: real-time ones too, which nix and rustix have no name for
/// (pidfd_send_signal(2)).
///
/// # Errors
/// The kernel's: ESRCH for one that has ended, EINVAL for a number that is no signal's.
pub fn send(pidfd: impl std::os::fd::AsFd, signal: i32) -> std::io::Result<()> {
    let fd = std::os::fd::AsRawFd::as_raw_fd(&pidfd.as_fd());
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open for the call's time, and without a siginfo the kernel reads no memory of ours.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
    if sent == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error())
}
