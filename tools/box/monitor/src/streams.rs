//! The monitor's ends of the container's standard streams.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kit_plan::Context;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use box_engine::exec::Running;
use box_engine::{Fifo, fifo_path};

/// More than this that the container has not taken, and no more is read for it.
const FULL: usize = 64 * 1024;

/// One buffer of output; what a pipe holds at first.
pub const BUFFER: usize = 64 * 1024;

/// What a pipe may hold without privilege (pipe(7)).
const LARGEST_PIPE: usize = 1024 * 1024;

/// Where the container's output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
    /// In place of the two, when the container has a terminal.
    Terminal,
}

impl Output {
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Terminal];
}

/// What comes from the container, and what goes to it.
#[derive(Default)]
pub struct Streams {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// In place of the three, when the container has a terminal.
    pub terminal: Option<OwnedFd>,
    pending: VecDeque<u8>,
    /// The input ends when `pending` is empty.
    ends: bool,
    /// [`Streams::widen`] was called.
    wide: bool,
}

impl Streams {
    /// Those of a plan that has been applied. The container's ends are closed here, or these would never end.
    pub fn take(cx: &mut Context) -> Self {
        let mut streams = Self::default();
        if let Some(made) = cx.take::<box_engine::Streams>() {
            streams.stdin = made.stdin;
            streams.stdout = made.stdout;
            streams.stderr = made.stderr;
            let received = made
                .terminal_from
                .and_then(|socket| box_engine::receive(socket.as_fd()).ok().flatten());
            streams.terminal = received.inspect(|fd| {
                let _ = rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK);
            });
        }
        for name in ["stdin", "stdout", "stderr", box_engine::TERMINAL_TO] {
            cx.take_fd(name);
        }
        cx.child = None;
        streams
    }

    /// Those of a program inside, which its caller serves itself.
    pub fn of(running: &mut Running) -> Self {
        let streams = Self {
            stdin: running.stdin.take(),
            stdout: running.stdout.take(),
            stderr: running.stderr.take(),
            terminal: running.terminal.take(),
            ..Self::default()
        };
        if let Some(input) = streams.input() {
            let _ = rustix::fs::fcntl_setfl(input, OFlags::NONBLOCK);
        }
        streams
    }

    /// After a take-over: the FIFOs are still there. A terminal is not, and the input has ended with its writer.
    pub fn reopen(run_dir: &Path) -> Self {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |which| rustix::fs::open(fifo_path(run_dir, which), flags, Mode::empty()).ok();
        Self {
            stdout: open(Fifo::Stdout),
            stderr: open(Fifo::Stderr),
            ..Self::default()
        }
    }

    pub fn output(&mut self, output: Output) -> &mut Option<OwnedFd> {
        match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
            Output::Terminal => &mut self.terminal,
        }
    }

    /// What can still say something.
    pub fn outputs(&self) -> impl Iterator<Item = (Output, &OwnedFd)> {
        let fds = [&self.stdout, &self.stderr, &self.terminal];
        let all = Output::ALL.into_iter().zip(fds);
        all.filter_map(|(output, fd)| Some((output, fd.as_ref()?)))
    }

    /// Lets the pipes of a container that says much hold more: it and its monitor then take turns less often. A
    /// terminal, or a user past pipe-user-pages-soft (pipe(7)), keeps what it has.
    pub fn widen(&mut self) {
        if !std::mem::replace(&mut self.wide, true) {
            for (_, fd) in self.outputs() {
                let _ = rustix::pipe::fcntl_setpipe_size(fd, LARGEST_PIPE);
            }
        }
    }

    /// Where input goes.
    pub fn input(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref().or(self.stdin.as_ref())
    }

    /// Takes input, all of it: ask [`Streams::is_full`] before reading more for the container.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.input().is_some() && !self.ends {
            self.pending.extend(bytes);
            self.flush();
        }
    }

    /// No more input will come. A terminal has no end of file but the character that its user types.
    pub fn end_input(&mut self) {
        if self.terminal.is_none() {
            self.ends = true;
            self.flush();
        }
    }

    pub fn has_input(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.pending.len() >= FULL
    }

    /// Writes what the container takes now.
    pub fn flush(&mut self) {
        while !self.pending.is_empty() {
            let Some(fd) = self.terminal.as_ref().or(self.stdin.as_ref()) else {
                break;
            };
            let (chunk, _) = self.pending.as_slices();
            match rustix::io::write(fd, chunk) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // Nobody reads any more.
                Err(_) => {
                    self.pending.clear();
                    self.stdin = None;
                }
            }
        }
        if self.ends {
            self.stdin = None;
        }
        // A monitor has many quiet hours.
        self.pending = VecDeque::new();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = box_engine::resize(terminal, rows, columns);
        }
    }
}

/// Reads the available bytes: 0 if there are none yet, `None` at the end of the stream.
pub fn read_some(fd: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    loop {
        return match rustix::io::read(fd, &mut *buffer) {
            Ok(0) => None,
            Ok(n) => Some(n),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Some(0),
            // EIO: the last process closed the other end of the terminal.
            Err(_) => None,
        };
    }
}
