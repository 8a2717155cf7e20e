//! Signal dispositions: Rust's own start-up code ignores SIGPIPE, and a program that we exec inherits that.

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
