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
