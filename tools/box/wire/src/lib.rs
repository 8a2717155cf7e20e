//! The protocol between a monitor and its clients, over a Unix stream socket: frames of one type byte, a length of 4 bytes,
//! little-endian, and a body.
//!
//! A monitor may be of an earlier or a later boxkit than its client: a client that attaches names the [`VERSION`] it
//! speaks, and a monitor that does not know that version refuses with an error. Frames are added, never changed.
#![warn(missing_docs)]

use std::io::{self, Read, Write};

use kit_plan::{Detail, Told};
use serde::{Deserialize, Serialize};

/// The version that this crate speaks. 0 stands for clients whose frame to attach names none.
pub const VERSION: u8 = 1;

/// The longest body in bytes; a longer frame is refused as garbled.
const MAX: usize = 1 << 20;

/// A frame from the monitor to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The program runs.
    Started,
    /// The start failed, and all that was done is undone; or the monitor refuses a request.
    Failed(Failed),
    /// Bytes of the container's standard output, or of its terminal.
    Stdout(Vec<u8>),
    /// Bytes of the container's standard error.
    Stderr(Vec<u8>),
    /// A line of `--trace`, or a warning.
    Step(String),
    /// What `--explain` tells of a step.
    Told(Told),
    /// The run has ended with this exit code. It is the last frame.
    Exited(i32),
    /// The monitor has detached this client, which ends as after its detach keys. No monitor sends it so far.
    Detached,
}

/// An error line, its hint, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The error line, without the tool's name in front.
    pub text: String,
    /// The text of the hint, without `hint: `.
    pub hint: Option<String>,
    /// The exit code of the client.
    pub exit: u8,
}

/// A frame from a client to the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Start this container; the first frame on a fresh monitor's socket.
    Go(Go),
    /// Send this client the output from now on.
    Attach {
        /// Take this client's input for the container, too.
        stdin: bool,
        /// The client's [`VERSION`].
        version: u8,
    },
    /// Bytes for the container's standard input.
    Stdin(Vec<u8>),
    /// The client's input has ended; the container's ends too, if it was opened for one client.
    StdinEof,
    /// Rows and columns of the client's terminal.
    Resize(u16, u16),
}

/// What a monitor is to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    /// The container's ID.
    pub id: String,
    /// The client wants the output of the run.
    pub attach: bool,
    /// How much is told of each step; `None` for nothing.
    pub explain: Option<Detail>,
    /// Each step is told as a line of JSON.
    pub trace: bool,
    /// Rows and columns, if the client has a terminal.
    pub size: Option<(u16, u16)>,
    /// The container was made by an earlier command: its root may be mounted as a bundle's meanwhile.
    pub older: bool,
}

impl Event {
    /// The bytes of the frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Started => frame(b'S', &[]),
            Self::Failed(failed) => frame(b'F', &serde_json::to_vec(failed).unwrap_or_default()),
            Self::Stdout(bytes) => frame(b'o', bytes),
            Self::Stderr(bytes) => frame(b'e', bytes),
            Self::Step(line) => frame(b't', line.as_bytes()),
            Self::Told(told) => frame(b'T', &serde_json::to_vec(told).unwrap_or_default()),
            Self::Exited(code) => frame(b'X', &code.to_le_bytes()),
            Self::Detached => frame(b'D', &[]),
        }
    }

    /// Reads the next event, and waits for it; `None` at the end of the stream.
    ///
    /// # Errors
    /// An error of read(2); [`io::ErrorKind::InvalidData`] for an unknown or too long frame.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((kind, body)) = read_frame(from)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            b'S' => Self::Started,
            b'F' => Self::Failed(serde_json::from_slice(&body)?),
            b'o' => Self::Stdout(body),
            b'e' => Self::Stderr(body),
            b't' => Self::Step(String::from_utf8_lossy(&body).into_owned()),
            b'T' => Self::Told(serde_json::from_slice(&body)?),
            b'X' => Self::Exited(i32::from_le_bytes(body.try_into().map_err(|_| garbled())?)),
            b'D' => Self::Detached,
            _ => return Err(garbled()),
        }))
    }
}

impl Request {
    /// Writes the whole frame.
    ///
    /// # Errors
    /// An error of write(2).
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let bytes = match self {
            Self::Go(go) => frame(b'g', &serde_json::to_vec(go)?),
            Self::Attach { stdin, version } => frame(b'a', &[u8::from(*stdin), *version]),
            Self::Stdin(bytes) => frame(b'i', bytes),
            Self::StdinEof => frame(b'c', &[]),
            Self::Resize(rows, columns) => {
                let mut body = rows.to_le_bytes().to_vec();
                body.extend(columns.to_le_bytes());
                frame(b'w', &body)
            }
        };
        to.write_all(&bytes)
    }

    /// Reads the next request, and waits for it; `None` at the end of the stream.
    ///
    /// # Errors
    /// As of [`Event::read`].
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        read_frame(from)?
            .map(|(kind, body)| Self::decode(kind, body))
            .transpose()
    }

    /// Takes the next whole request off the front of the bytes that a non-blocking socket has given so far; `None` if it is
    /// not whole yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for an unknown or too long frame.
    pub fn take(buffer: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let Some(head) = buffer.get(..5) else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > MAX {
            return Err(garbled());
        }
        if buffer.len() < 5 + length {
            return Ok(None);
        }
        let kind = buffer[0];
        let body = buffer[5..5 + length].to_vec();
        buffer.drain(..5 + length);
        Self::decode(kind, body).map(Some)
    }

    fn decode(kind: u8, body: Vec<u8>) -> io::Result<Self> {
        Ok(match (kind, body.as_slice()) {
            (b'g', _) => Self::Go(serde_json::from_slice(&body)?),
            (b'a', [stdin, version @ ..]) => Self::Attach {
                stdin: *stdin != 0,
                version: version.first().copied().unwrap_or(0),
            },
            (b'i', _) => Self::Stdin(body),
            (b'c', []) => Self::StdinEof,
            (b'w', [a, b, c, d]) => {
                Self::Resize(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]))
            }
            _ => return Err(garbled()),
        })
    }
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + body.len());
    bytes.push(kind);
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes
}

fn read_frame(from: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0u8; 5];
    let mut got = 0;
    while got < head.len() {
        match from.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > MAX {
        return Err(garbled());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some((head[0], body)))
}

fn garbled() -> io::Error {
    let text = "a frame that this boxkit does not know: its monitor may be of another version";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went() {
        let events = [
            Event::Started,
            Event::Stdout(b"x\0y".to_vec()),
            Event::Exited(-7),
            Event::Detached,
        ];
        let bytes: Vec<u8> = events.iter().flat_map(Event::encode).collect();
        let mut from = bytes.as_slice();
        for event in events {
            assert_eq!(Event::read(&mut from).unwrap(), Some(event));
        }
        assert_eq!(Event::read(&mut from).unwrap(), None);
    }

    #[test]
    fn a_client_that_says_no_version_is_of_version_0() {
        let mut old = vec![b'a', 1, 0, 0, 0, 1];
        let attach = |version| {
            Some(Request::Attach {
                stdin: true,
                version,
            })
        };
        assert_eq!(Request::take(&mut old).unwrap(), attach(0));
        let mut now = Vec::new();
        let request = Request::Attach {
            stdin: true,
            version: VERSION,
        };
        request.write(&mut now).unwrap();
        assert_eq!(Request::take(&mut now).unwrap(), attach(VERSION));
    }

    #[test]
    fn half_a_request_waits_for_the_rest() {
        let mut whole = Vec::new();
        Request::Resize(24, 80).write(&mut whole).unwrap();
        let mut buffer = whole[..6].to_vec();
        assert_eq!(Request::take(&mut buffer).unwrap(), None);
        buffer.extend(&whole[6..]);
        assert_eq!(
            Request::take(&mut buffer).unwrap(),
            Some(Request::Resize(24, 80))
        );
        assert!(buffer.is_empty());
    }
}
