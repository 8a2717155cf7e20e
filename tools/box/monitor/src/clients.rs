//! Clients connected to a monitor. A client that reads slowly holds the container's output back, one that sends more
//! input than the container takes is not read for a while; a dead one holds nothing back.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::PollFlags;

use box_wire::{Event, Request};

/// Bytes that a client has not read, above which the container's output waits.
const FULL: usize = 256 * 1024;

/// How long the end of a run waits for a client to read its last words.
const FAREWELL: Duration = Duration::from_secs(2);

pub struct Client {
    pub socket: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// Whether it gets the container's output.
    pub attached: bool,
    /// Whether what it sends is the container's input.
    pub feeds: bool,
    /// Whether it has closed its socket and all that it had sent is read.
    pub gone: bool,
}

impl Client {
    pub fn new(socket: UnixStream) -> Self {
        // Without it a client that hangs would hang the monitor; an error here leaves it blocking, no worse.
        let _ = socket.set_nonblocking(true);
        Self {
            socket,
            inbox: Vec::new(),
            outbox: Vec::new(),
            attached: false,
            feeds: false,
            gone: false,
        }
    }

    pub fn attach(&mut self, wanted: bool) {
        self.attached = wanted;
        self.feeds = wanted;
    }

    pub fn is_full(&self) -> bool {
        self.outbox.len() > FULL
    }

    pub fn has_words(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The events to poll for. With `held_back`, while the container does not take its input, the client that feeds it is
    /// not read.
    pub fn wanted(&self, held_back: bool) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, !(held_back && self.feeds));
        wanted.set(PollFlags::OUT, self.has_words());
        wanted
    }

    pub fn send(&mut self, event: &Event) {
        self.outbox.extend(event.encode());
        // An error here is found again by the poll.
        let _ = self.flush();
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.socket.write(&self.outbox) {
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    // What it sent before it closed its socket is still to be read.
                    self.attached = false;
                    self.outbox.clear();
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Sends one last event, and waits at most 2 seconds until it is written.
    pub fn send_now(&mut self, event: &Event) {
        self.outbox.extend(event.encode());
        let _ = self.socket.set_nonblocking(false);
        let _ = self.socket.set_write_timeout(Some(FAREWELL));
        let _ = self.socket.write_all(&std::mem::take(&mut self.outbox));
    }

    /// The requests that have arrived; an error when the client has closed its socket.
    pub fn requests(&mut self) -> io::Result<Vec<Request>> {
        let mut buffer = [0u8; 16 * 1024];
        let mut ended = false;
        match self.socket.read(&mut buffer) {
            Ok(0) => ended = true,
            Ok(n) => self.inbox.extend(&buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) => return Err(e),
        }
        let mut requests = Vec::new();
        while let Some(request) = Request::take(&mut self.inbox)? {
            requests.push(request);
        }
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        if ended && requests.is_empty() {
            Err(ErrorKind::UnexpectedEof.into())
        } else {
            Ok(requests)
        }
    }
}
