//! Ctrl-C in the middle of a long step. Whoever applies a plan blocks the signals, so as to stop between steps; a step that copies an image
//! looks now and then whether one is pending, and fails if so, leaving nothing. Where they are not blocked none is ever pending.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

const FLAGS: OFlags = OFlags::NONBLOCK.union(OFlags::CLOEXEC);
/// Between two looks whether somebody reads.
const A_WHILE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The signals that ask a command to end.
fn ending() -> SigSet {
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

    /// Waits until the descriptor is ready, or the same error.
    fn wait(&self, fd: BorrowedFd<'_>, ready: PollFlags) -> io::Result<()> {
        let mut fds = vec![PollFd::from_borrowed_fd(fd, ready)];
        fds.extend(self.signals.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        poll(&mut fds, None)?;
        self.check()
    }

    /// Waits a while, or the same error.
    fn pause(&self) -> io::Result<()> {
        let mut fds: Vec<PollFd<'_>> = Vec::new();
        fds.extend(self.signals.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
        poll(&mut fds, Some(&A_WHILE))?;
        self.check()
    }

    /// Takes the pending one: the exit code that it asks for.
    pub fn take(&self) -> Option<u8> {
        let info = self.signals.as_ref()?.read_signal().ok()??;
        Some(128 + info.ssi_signo as u8)
    }
}

/// A pipe that may have nothing to give for a long time, or take nothing, and is not waited for once a signal is pending.
pub(crate) struct Patient {
    pipe: File,
    interrupt: Interrupt,
}

impl Patient {
    fn new(pipe: File) -> Self {
        Self {
            pipe,
            interrupt: Interrupt::new(),
        }
    }

    /// Past the standard library's own buffer, so that waiting for the pipe is waiting for data.
    pub fn stdin() -> io::Result<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self::new(stdin.into()))
    }

    /// A FIFO whose writer may be yet to come: poll(2) waits for it, where open(2) could not be interrupted.
    pub fn open(path: &Path) -> io::Result<Self> {
        let pipe = rustix::fs::open(path, OFlags::RDONLY | FLAGS, Mode::empty())?;
        Ok(Self::new(pipe.into()))
    }

    /// The same for a reader.
    pub fn create(path: &Path) -> io::Result<Self> {
        let interrupt = Interrupt::new();
        loop {
            match rustix::fs::open(path, OFlags::WRONLY | FLAGS, Mode::empty()) {
                Err(Errno::NXIO) => interrupt.pause()?,
                pipe => {
                    let pipe = pipe?.into();
                    return Ok(Self { pipe, interrupt });
                }
            }
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.interrupt.wait(self.pipe.as_fd(), PollFlags::IN)?;
            match self.pipe.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                got => return got,
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            self.interrupt.wait(self.pipe.as_fd(), PollFlags::OUT)?;
            match self.pipe.write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                put => return put,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is read to its end, unless a signal is pending.
pub(crate) struct Checked<R> {
    inner: R,
    interrupt: Interrupt,
}

impl<R> Checked<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            interrupt: Interrupt::new(),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupt.check()?;
        self.inner.read(buf)
    }
}
