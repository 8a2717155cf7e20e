//! Ctrl-C in the middle of a long step. Whoever applies a plan blocks the signals, so as to stop between steps; a step that copies an image
//! looks now and then whether one is pending, and fails if so, leaving nothing. Where they are not blocked none is ever pending.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The signals that ask a command to end.
pub(crate) fn ending() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

pub(crate) struct Interrupt {
    /// `None` if there is none to be had: then nothing interrupts.
    signals: Option<SignalFd>,
}

impl Interrupt {
    pub fn new() -> Self {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Self {
            signals: SignalFd::with_flags(&ending(), flags).ok(),
        }
    }

    /// An error if one is pending; it stays so.
    pub fn check(&self) -> io::Result<()> {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let Some(signals) = &self.signals else {
            return Ok(());
        };
        let mut fds = [PollFd::new(signals, PollFlags::IN)];
        match poll(&mut fds, Some(&NOW)) {
            Ok(ready) if ready > 0 => Err(io::Error::other("interrupted")),
            _ => Ok(()),
        }
    }

    /// Waits until there is something to read, or the same error.
    fn wait(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let Some(signals) = &self.signals else {
            return Ok(());
        };
        let mut fds = [
            PollFd::new(signals, PollFlags::IN),
            PollFd::from_borrowed_fd(fd, PollFlags::IN),
        ];
        poll(&mut fds, None)?;
        self.check()
    }

    /// Takes the pending one: the exit code that it asks for.
    pub fn take(&self) -> Option<u8> {
        let info = self.signals.as_ref()?.read_signal().ok()??;
        Some(128 + info.ssi_signo as u8)
    }
}

/// A pipe that may have nothing to give for a long time, and is not waited for once a signal is pending.
pub(crate) struct Patient {
    pipe: File,
    interrupt: Interrupt,
}

impl Patient {
    pub fn new(pipe: File) -> Self {
        Self {
            pipe,
            interrupt: Interrupt::new(),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupt.wait(self.pipe.as_fd())?;
        self.pipe.read(buf)
    }
}
