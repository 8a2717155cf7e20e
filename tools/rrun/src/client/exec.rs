//! The client of `exec`: it is connected to the program directly, without a monitor, since an attached program ends with it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};

use kit_sys::clone::{shell_code, wait};
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::signals::{Signals, end_by, ending};
use super::{DetachKeys, Raw, size};
use box_engine::exec::Running;
use box_monitor::streams::{Streams, read_some};

/// Why this client has ended.
pub enum Over {
    Exited(u8),
    /// By the detach keys; the program goes on.
    Escaped,
}

/// The descriptors and buffers of the client.
struct Inside {
    streams: Streams,
    pidfd: OwnedFd,
    /// Standard input is passed on.
    reads: bool,
    keys: Option<DetachKeys>,
    /// With a terminal, whose size follows ours.
    signals: Option<Signals>,
}

/// Which descriptors are ready.
#[derive(Default)]
struct Ready {
    input: bool,
    signals: bool,
    /// stdout, stderr, terminal
    outputs: [bool; 3],
}

/// Passes everything through until the program ends and its output is drained. With `keys` it has a terminal.
pub fn follow(
    mut running: Running,
    interactive: bool,
    keys: Option<DetachKeys>,
) -> io::Result<Over> {
    let signals = match keys {
        Some(_) => Some(Signals::take(ending().chain([Signal::SIGWINCH]))?),
        None => None,
    };
    let raw = if keys.is_some() && io::stdin().is_terminal() {
        Some(Raw::enter()?)
    } else {
        None
    };
    let streams = Streams::of(&mut running);
    let mut inside = Inside {
        pidfd: running.pidfd.try_clone()?,
        streams,
        reads: interactive,
        keys,
        signals,
    };
    if !interactive {
        inside.streams.end_input();
    }
    inside.resize();
    match inside.serve()? {
        Some(Stop::Escaped) => {
            running
                .leave(inside.streams.terminal.as_ref())
                .map_err(io::Error::other)?;
            return Ok(Over::Escaped);
        }
        Some(Stop::Signal(signal)) => {
            drop(raw);
            end_by(signal);
        }
        None => {}
    }
    Ok(Over::Exited(exit_code(&inside.pidfd)))
}

/// Why a client leaves before the program ends.
enum Stop {
    Escaped,
    Signal(Signal),
}

impl Inside {
    fn serve(&mut self) -> io::Result<Option<Stop>> {
        let mut ended = false;
        loop {
            let ready = self.wait(ended)?;
            self.streams.flush();
            if ready.signals
                && let Some(signal) = self.heed()
            {
                return Ok(Some(Stop::Signal(signal)));
            }
            if ready.input && !self.pass_input() {
                return Ok(Some(Stop::Escaped));
            }
            let mut quiet = true;
            for (nth, ready) in ready.outputs.into_iter().enumerate() {
                quiet &= !ready || self.pass_output(nth)?;
            }
            if ended && quiet {
                return Ok(None);
            }
            ended = ended || has_ended(&self.pidfd);
        }
    }

    /// Input is read only when the last has been taken: the program may be waiting for us to read.
    fn wait(&self, ended: bool) -> io::Result<Ready> {
        let stdin = io::stdin();
        let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        let mut add = |fd, flags| {
            fds.push(PollFd::from_borrowed_fd(fd, flags));
            fds.len() - 1
        };
        let from = [
            &self.streams.stdout,
            &self.streams.stderr,
            &self.streams.terminal,
        ];
        let outputs = from.map(|fd| fd.as_ref().map(|fd| add(fd.as_fd(), PollFlags::IN)));
        let signals = self
            .signals
            .as_ref()
            .map(|fd| add(fd.as_fd(), PollFlags::IN));
        let waits = self.streams.input().filter(|_| self.streams.has_input());
        let input = match waits {
            Some(input) => {
                add(input.as_fd(), PollFlags::OUT);
                None
            }
            None => self.reads.then(|| add(stdin.as_fd(), PollFlags::IN)),
        };
        match poll(&mut fds, ended.then_some(&NOW)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
        Ok(Ready {
            input: is_ready(input),
            signals: is_ready(signals),
            outputs: outputs.map(is_ready),
        })
    }

    /// The first signal that ends us; a new size is passed on.
    fn heed(&self) -> Option<Signal> {
        let signals = self.signals.as_ref()?;
        while let Some(signal) = signals.next() {
            if signal != Signal::SIGWINCH {
                return Some(signal);
            }
            self.resize();
        }
        None
    }

    fn resize(&self) {
        if let Some((rows, columns)) = size().filter(|_| self.keys.is_some()) {
            self.streams.resize(rows, columns);
        }
    }

    /// False when the detach keys were typed.
    fn pass_input(&mut self) -> bool {
        let mut buffer = [0u8; 8192];
        let got = match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(n) => n,
            Err(Errno::INTR | Errno::AGAIN) => return true,
            Err(_) => 0,
        };
        if got == 0 {
            self.reads = false;
            self.streams.end_input();
            return true;
        }
        let (bytes, detach) = match &mut self.keys {
            Some(keys) => keys.filter(&buffer[..got]),
            None => (buffer[..got].to_vec(), false),
        };
        self.streams.feed(&bytes);
        // The program has closed its standard input.
        self.reads &= self.streams.input().is_some();
        !detach
    }

    /// Whether there was nothing to read.
    fn pass_output(&mut self, nth: usize) -> io::Result<bool> {
        let slot = match nth {
            0 => &mut self.streams.stdout,
            1 => &mut self.streams.stderr,
            _ => &mut self.streams.terminal,
        };
        let Some(fd) = slot else { return Ok(true) };
        let mut buffer = [0u8; 16 * 1024];
        let Some(n) = read_some(fd, &mut buffer) else {
            *slot = None;
            return Ok(true);
        };
        let put = if nth == 1 {
            io::stderr().write_all(&buffer[..n])
        } else {
            super::put(&mut io::stdout(), &buffer[..n])
        };
        match put {
            // The program finds its own pipe closed, as it would in a pipeline of sh.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => *slot = None,
            Err(error) if nth != 1 => return Err(super::unwritten(&error)),
            _ => {}
        }
        Ok(n == 0)
    }
}

const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

fn has_ended(pidfd: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&NOW)).is_ok_and(|ready| ready > 0)
}

fn exit_code(pidfd: &OwnedFd) -> u8 {
    wait(pidfd).map_or(255, |ended| shell_code(ended) as u8)
}
