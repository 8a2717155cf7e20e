//! What a monitor and its clients say to each other over a Unix stream socket: frames of one type byte, a
//! length of 4 bytes, little-endian, and a body.
//!
//! A monitor may be of an earlier or a later boxkit than the client that comes: who attaches says which [`VERSION`] it
//! speaks, and a monitor that knows none so high says so in words. Frames are added, never changed.
#![warn(missing_docs)]

use std::io::{self, Read, Write};

use kit_plan::{Detail, Told};
use serde::{Deserialize, Serialize};

/// What is spoken here. 0 stands for clients from before it was said.
pub const VERSION: u8 = 1;

/// Longer frames are refused: nobody sends one.
const MAX: usize = 1 << 20;

/// To the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The program runs.
    Started,
    /// Setting it up failed, and all was undone.
    Failed(Failed),
    /// Of the container's standard output.
    Stdout(Vec<u8>),
    /// Of the container's standard error.
    Stderr(Vec<u8>),
    /// A line of `--trace`.
    Step(String),
    /// What `--explain` tells of a step.
    Told(Told),
    /// The run is over; the exit code. Nothing follows.
    Exited(i32),
    /// The client's own detach keys were seen, or another client took its place.
    Detached,
}

/// An error line, its hint, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The whole line.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What the client exits with.
    pub exit: u8,
}

/// To the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Start this container; the first frame on a fresh monitor's socket.
    Go(Go),
    /// Send me output from now on, and take my input if `stdin`.
    Attach {
        /// With its standard input.
        stdin: bool,
        /// The client's [`VERSION`].
        version: u8,
    },
    /// For the container's standard input.
    Stdin(Vec<u8>),
    /// The container's standard input ends.
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
}

impl Event {
    /// As it goes over the wire.
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

    /// The next one, or `None` at the end of the stream.
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
    /// Sends it whole.
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

    /// The next one; `None` at the end of the stream.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        read_frame(from)?
            .map(|(kind, body)| Self::decode(kind, body))
            .transpose()
    }

    /// Takes the whole requests off the front of what a non-blocking socket has given so far.
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
