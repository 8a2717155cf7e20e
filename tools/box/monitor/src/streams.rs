//! The host's ends of the standard streams of a container, or of a program of `exec`: non-blocking descriptors for a poll
//! loop.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kit_plan::Context;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use box_engine::exec::Running;
use box_engine::{Fifo, fifo_path};

/// Bytes of input that the container has not taken, from which on no more is read from clients.
const FULL: usize = 64 * 1024;

/// Bytes that are read at once: the default capacity of a pipe (pipe(7)).
const BUFFER: usize = 64 * 1024;

/// Bytes that are read at once from a wide pipe. Each read wakes a writer that waits for room, which on a virtual machine
/// takes as long as reading 64 KiB does; half of the pipe is left for it to go on with meanwhile.
const WIDE_BUFFER: usize = LARGEST_PIPE / 2;

/// The largest capacity of a pipe without privilege, in bytes: pipe-max-size (pipe(7)).
const LARGEST_PIPE: usize = 1024 * 1024;

/// Bytes of a page of memory.
const PAGE: usize = 4096;

/// The memory that output is read into. It begins with a page, as the pages of a pipe do: the kernel copies by `rep movsb`,
/// which AMD's processors carry out several times slower where the two sides lie differently within a page.
#[derive(Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// The first `size` bytes.
    pub(crate) fn of(&mut self, size: usize) -> &mut [u8] {
        self.0.resize(size + PAGE, 0);
        let start = self.0.as_ptr().align_offset(PAGE);
        &mut self.0[start..start + size]
    }
}

/// The descriptor that the container's output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The read side of the pipe or FIFO that is its standard output.
    Stdout,
    /// The read side of the pipe or FIFO that is its standard error.
    Stderr,
    /// The master of the container's terminal, in place of the two.
    Terminal,
}

impl Output {
    pub(crate) const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Terminal];
}

/// The open streams of a container, and the input that it has not taken yet. A stream that has ended is `None`.
#[derive(Default)]
pub struct Streams {
    /// The write end of its standard input; `None` without one, or after [`Streams::end_input`].
    pub stdin: Option<OwnedFd>,
    /// The read end of its standard output.
    pub stdout: Option<OwnedFd>,
    /// The read end of its standard error.
    pub stderr: Option<OwnedFd>,
    /// The master of its terminal, in place of the three.
    pub terminal: Option<OwnedFd>,
    /// Input that the container has not taken.
    pending: VecDeque<u8>,
    /// The input ends when `pending` is empty.
    ends: bool,
    /// The output pipes have [`LARGEST_PIPE`], and a lot goes through them.
    wide: bool,
}

impl Streams {
    /// The streams of an applied plan. The container's ends are closed in this process, or its output would never end.
    pub(crate) fn take(cx: &mut Context) -> Self {
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
        for name in box_engine::STDIO
            .into_iter()
            .chain([box_engine::TERMINAL_TO])
        {
            cx.take_fd(name);
        }
        cx.child = None;
        streams
    }

    /// The streams of a program of `exec`, which the calling command serves itself.
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

    /// The output of a container whose monitor was killed: its FIFOs are opened anew. That monitor had the terminal's master
    /// and the only writing end of the input, so both have ended.
    pub(crate) fn reopen(run_dir: &Path) -> Self {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |which| rustix::fs::open(fifo_path(run_dir, which), flags, Mode::empty()).ok();
        Self {
            stdout: open(Fifo::Stdout),
            stderr: open(Fifo::Stderr),
            ..Self::default()
        }
    }

    /// One output's descriptor, to be set to `None` at the end of the stream.
    pub(crate) fn output(&mut self, output: Output) -> &mut Option<OwnedFd> {
        match output {
            Output::Stdout => &mut self.stdout,
            Output::Stderr => &mut self.stderr,
            Output::Terminal => &mut self.terminal,
        }
    }

    /// The outputs that have not ended.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Output, &OwnedFd)> {
        let fds = [&self.stdout, &self.stderr, &self.terminal];
        let all = Output::ALL.into_iter().zip(fds);
        all.filter_map(|(output, fd)| Some((output, fd.as_ref()?)))
    }

    /// How many bytes of output to read at once.
    pub(crate) fn buffer(&self) -> usize {
        if self.wide { WIDE_BUFFER } else { BUFFER }
    }

    /// Whether one read of this many bytes shows a container that writes faster than it is read from. Its output pipes get a
    /// capacity of 1 MiB: it and its monitor then take turns less often. That has no effect on a terminal, and none for a
    /// user past pipe-user-pages-soft (pipe(7)).
    pub(crate) fn is_flood(&mut self, length: usize) -> bool {
        let flood = length >= BUFFER;
        if flood && !std::mem::replace(&mut self.wide, true) {
            for (_, fd) in self.outputs() {
                let _ = rustix::pipe::fcntl_setpipe_size(fd, LARGEST_PIPE);
            }
        }
        flood
    }

    /// The flood is over: reads are small again, so that a line does not cost the memory of one.
    pub(crate) fn calm(&mut self) {
        self.wide = false;
    }

    /// The descriptor that input is written to: the terminal's master or the standard input.
    pub fn input(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref().or(self.stdin.as_ref())
    }

    /// Takes all of `bytes` as input and writes as much as the container takes now. Ask [`Streams::is_full`] before reading
    /// more for the container.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.input().is_some() && !self.ends {
            self.pending.extend(bytes);
            self.flush();
        }
    }

    /// Closes the standard input as soon as the pending input is written. A terminal stays as it is: its end of file is a
    /// character that the user types.
    pub fn end_input(&mut self) {
        if self.terminal.is_none() {
            self.ends = true;
            self.flush();
        }
    }

    /// Whether input waits to be written: then poll [`Streams::input`] for writing and call [`Streams::flush`].
    pub fn has_input(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether 64 KiB or more of input wait: then no client's input is to be read.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= FULL
    }

    /// Writes as much of the pending input as the container takes without blocking. If no process reads it any more, it is
    /// dropped.
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
        // A monitor may wait for hours: it gives the memory back.
        self.pending = VecDeque::new();
    }

    /// Sets the size of the terminal, in characters (TIOCSWINSZ, ioctl_tty(2)); nothing without one.
    pub fn resize(&self, rows: u16, columns: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = box_engine::resize(terminal, rows, columns);
        }
    }
}

/// Reads the available bytes into `buffer` and returns their number: 0 if there are none yet, `None` at the end of the
/// stream.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_read_to_the_beginning_of_a_page() {
        let mut buffer = Buffer::default();
        for size in [BUFFER, WIDE_BUFFER, BUFFER] {
            let memory = buffer.of(size);
            assert_eq!((memory.len(), memory.as_ptr().addr() % PAGE), (size, 0));
        }
    }
}
