//! Signals: dispositions (Rust's own start-up code ignores SIGPIPE, and a program that we exec inherits that), sending,
//! and those that ask a process to stop, read between two steps of its work.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::calls;

/// What asks a process to stop.
const STOPS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// SIGINT, SIGTERM and SIGHUP, held back from the calling thread until somebody asks for them (signalfd(2)); a caller that
/// does so between two steps can undo what it did. What was ignored before stays ignored: a script's clean-up, by
/// `trap ''`, must not be interrupted. Dropping it lets them through again.
#[derive(Debug)]
pub struct Stops {
    fd: SignalFd,
    before: SigSet,
}

impl Stops {
    /// Holds them back, from now on.
    ///
    /// # Errors
    /// The kernel's: too many descriptors.
    pub fn hold() -> io::Result<Self> {
        let mut mask = SigSet::empty();
        for signal in STOPS.into_iter().filter(|signal| !is_ignored(*signal)) {
            mask.add(signal);
        }
        let before = SigSet::thread_get_mask()?;
        mask.thread_block()?;
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd, before })
    }

    /// The number of one that has come since, if any; it is taken.
    pub fn next(&self) -> Option<i32> {
        let info = self.fd.read_signal().ok().flatten()?;
        Some(info.ssi_signo as i32)
    }
}

/// For poll(2): readable as soon as one has come.
impl AsFd for Stops {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// For poll(2) in a step that waits: readable as soon as one has come that somebody in this thread holds back by [`Stops`].
/// It takes none, so that who holds them finds it after the step.
///
/// # Errors
/// The kernel's: too many descriptors.
pub fn held_back() -> io::Result<OwnedFd> {
    let blocked = SigSet::thread_get_mask()?;
    let mut mask = SigSet::empty();
    for signal in STOPS.into_iter().filter(|signal| blocked.contains(*signal)) {
        mask.add(signal);
    }
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC)?.into())
}

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
pub fn send(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    calls::note(|| format!("pidfd_send_signal({}, {signal})", calls::fd(&pidfd)));
    let fd = std::os::fd::AsRawFd::as_raw_fd(&pidfd.as_fd());
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open for the call's time, and without a siginfo the kernel reads no memory of ours.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
    if sent == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
