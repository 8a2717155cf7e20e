//! What goes through a monitor: its clients' input to the container, the container's output to the log and to them.

use super::serve::Monitor;
use super::streams::{Output, read_some};
use box_wire::{Event, Failed, Request, VERSION};
use rustix::event::PollFlags;

impl Monitor {
    /// Sends a client its pending events, and carries out its requests.
    pub(super) fn hear(&mut self, index: usize) {
        let once = self.container.stdin_once;
        let client = &mut self.clients[index];
        let _ = client.flush();
        if !client
            .wanted(self.streams.is_full())
            .contains(PollFlags::IN)
        {
            return;
        }
        let Ok(requests) = client.requests() else {
            client.gone = true;
            if client.feeds && once {
                self.streams.end_input();
            }
            return;
        };
        for request in requests {
            match request {
                Request::Attach { version, .. } if version > VERSION => {
                    client.send(&Event::Failed(later(version)));
                }
                Request::Attach { stdin, .. } => {
                    client.attached = true;
                    client.feeds = stdin;
                }
                Request::Stdin(bytes) if client.feeds => self.streams.feed(&bytes),
                Request::StdinEof if client.feeds && once => self.streams.end_input(),
                Request::Resize(rows, columns) => self.streams.resize(rows, columns),
                _ => {}
            }
        }
    }

    /// Passes on the container's output, at most `rounds` buffers of each stream.
    pub(super) fn drain(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let any = Output::ALL.map(|output| self.pass_on(output));
            if any == [false; 3] {
                break;
            }
        }
    }

    /// Passes on one buffer of a stream; returns whether there was any output.
    pub(super) fn pass_on(&mut self, output: Output) -> bool {
        let size = self.streams.buffer();
        let slot = self.streams.output(output);
        let Some(fd) = slot.as_ref() else {
            return false;
        };
        let buffer = self.buffer.of(size);
        let length = match read_some(fd, buffer) {
            None => {
                *slot = None;
                return false;
            }
            Some(0) => return false,
            Some(length) => length,
        };
        let flood = self.streams.is_flood(length);
        let bytes = &buffer[..length];
        let is_error = output == Output::Stderr;
        self.log.write(usize::from(is_error), bytes, flood);
        if self.clients.iter().any(|client| client.attached) {
            let bytes = bytes.to_vec();
            let event = if is_error {
                Event::Stderr(bytes)
            } else {
                Event::Stdout(bytes)
            };
            for client in self.clients.iter_mut().filter(|client| client.attached) {
                client.send(&event);
            }
        }
        true
    }
}

/// The refusal of a client that speaks a later version.
fn later(version: u8) -> Failed {
    Failed {
        text: format!(
            "attaching: the container's monitor is of an earlier boxkit, which speaks version {VERSION} and not {version}"
        ),
        hint: Some("rrun restart gives the container a monitor of this one".to_owned()),
        exit: 1,
    }
}
