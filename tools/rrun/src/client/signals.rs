//! The signals that a client reads from a descriptor instead of being ended by them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that docker passes on. On a raw terminal the keyboard's signals come as bytes instead.
pub const FORWARDED: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

/// Signals that end a client that passes none on.
pub fn ending() -> impl Iterator<Item = Signal> {
    let ends =
        |signal: &Signal| *signal != Signal::SIGCONT && !kit_sys::signal::is_ignored(*signal);
    FORWARDED.into_iter().filter(ends)
}

pub struct Signals(SignalFd);

impl Signals {
    /// Blocks them until the process ends: a late signal must not change its exit code.
    pub fn take(wanted: impl Iterator<Item = Signal>) -> io::Result<Self> {
        let mask: SigSet = wanted.collect();
        mask.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&mask, flags)?))
    }

    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok()??;
        Signal::try_from(info.ssi_signo as i32).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ends this process by a signal that was read. The terminal must have been restored before.
pub fn end_by(signal: Signal) {
    let _ = raise(signal).and_then(|()| SigSet::from(signal).thread_unblock());
}
