//! The socket below both protocols: requests, acknowledgements with the kernel's text, dumps. See netlink(7).

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NlaBuffer, NlasIterator};
use netlink_packet_core::{
    NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::errno::Errno;
use rustix::net::RecvFlags;

use crate::{NetError, Refusal};

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
/// `struct nlmsghdr`, and `struct nlmsgerr` before its copy of it.
const HEADER: usize = 16;
const ERROR_CODE: usize = 4;
/// The largest piece of a dump that the kernel sends at once.
const BUFFER: usize = 32 * 1024;

#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Route,
    Netfilter,
}

pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    seq: Cell<u32>,
    buffer: RefCell<Vec<u8>>,
}

/// One message from the kernel.
pub(crate) struct Answer {
    pub kind: u16,
    pub seq: u32,
    pub flags: u16,
    /// After the header.
    pub body: Vec<u8>,
}

impl Socket {
    /// In the calling thread's network namespace.
    pub fn open(protocol: Protocol) -> Result<Self, NetError> {
        let (kind, number) = match protocol {
            Protocol::Route => ("route", NETLINK_ROUTE),
            Protocol::Netfilter => ("netfilter", NETLINK_NETFILTER),
        };
        let open = || {
            let socket = netlink_sys::Socket::new(number)?;
            socket.set_ext_ack(true)?;
            // Acknowledgements without a copy of the request: it is ours, and would fill the receive buffer.
            socket.set_cap_ack(true)?;
            Ok(socket)
        };
        let inner = open().map_err(|source| NetError::Open { kind, source })?;
        Ok(Self {
            inner,
            seq: Cell::new(1),
            buffer: RefCell::new(vec![0; BUFFER]),
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }

    pub fn next_seq(&self) -> u32 {
        let seq = self.seq.get();
        self.seq.set(seq.wrapping_add(1).max(1));
        seq
    }

    pub fn send(&self, bytes: &[u8], doing: &str) -> Result<(), NetError> {
        kit_sys::calls::note(|| crate::told::told(bytes, doing));
        self.send_untold(bytes, doing)
    }

    /// Sends what its sender has noted.
    pub fn send_untold(&self, bytes: &[u8], doing: &str) -> Result<(), NetError> {
        let sent = self.inner.send(bytes, 0);
        sent.map(drop).map_err(|source| NetError::Talk {
            doing: doing.to_owned(),
            source,
        })
    }

    /// Sends a request that changes something, and waits for its acknowledgement.
    pub fn change<M: NetlinkSerializable>(
        &self,
        message: M,
        flags: u16,
        doing: &str,
    ) -> Result<(), NetError> {
        let seq = self.request(message, NLM_F_REQUEST | NLM_F_ACK | flags, doing)?;
        self.collect(seq, false, doing).map(drop)
    }

    /// The same of a message that is there as bytes, its header excepted.
    pub fn change_raw(
        &self,
        kind: u16,
        body: &[u8],
        flags: u16,
        doing: &str,
    ) -> Result<(), NetError> {
        let seq = self.next_seq();
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        bytes.extend(seq.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(body);
        self.send(&bytes, doing)?;
        self.collect(seq, false, doing).map(drop)
    }

    /// Sends a request for one object; `None` where the kernel says that there is none.
    pub fn get<M: NetlinkSerializable>(
        &self,
        message: M,
        absent: &[Errno],
        doing: &str,
    ) -> Result<Option<Answer>, NetError> {
        let seq = self.request(message, NLM_F_REQUEST | NLM_F_ACK, doing)?;
        match self.collect(seq, false, doing) {
            Ok(mut answers) => Ok(answers.pop()),
            Err(NetError::Refused { refusal, .. }) if absent.contains(&refusal.errno) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a request for all objects of a kind. A dump that a change interrupted is taken again, so that a
    /// link that was renamed meanwhile is not missing from it.
    pub fn dump<M: NetlinkSerializable + Clone>(
        &self,
        message: &M,
        doing: &str,
    ) -> Result<Vec<Answer>, NetError> {
        const TRIES: usize = 8;
        let mut answers = Vec::new();
        for _ in 0..TRIES {
            let seq = self.request(message.clone(), NLM_F_REQUEST | NLM_F_DUMP, doing)?;
            match self.collect(seq, true, doing) {
                Ok(whole)
                    if whole
                        .iter()
                        .all(|answer| answer.flags & NLM_F_DUMP_INTR == 0) =>
                {
                    return Ok(whole);
                }
                Ok(interrupted) => answers = interrupted,
                // nf_tables says so by an errno.
                Err(error) if error.is(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    fn request<M: NetlinkSerializable>(
        &self,
        message: M,
        flags: u16,
        doing: &str,
    ) -> Result<u32, NetError> {
        let seq = self.next_seq();
        self.send(&serialize(message, flags, seq), doing)?;
        Ok(seq)
    }

    /// Reads until the acknowledgement of `seq`, or the end of its dump.
    fn collect(&self, seq: u32, dump: bool, doing: &str) -> Result<Vec<Answer>, NetError> {
        let mut answers = Vec::new();
        loop {
            for answer in self.receive(RecvFlags::empty(), doing)?.unwrap_or_default() {
                // Left over from a request that was given up.
                if answer.seq != seq {
                    continue;
                }
                match answer.kind {
                    NLMSG_ERROR => {
                        return match answer.refusal() {
                            Some(refusal) => Err(NetError::Refused {
                                doing: doing.to_owned(),
                                refusal,
                            }),
                            None => Ok(answers),
                        };
                    }
                    NLMSG_DONE if dump => {
                        return match answer.done_refusal() {
                            Some(refusal) => Err(NetError::Refused {
                                doing: doing.to_owned(),
                                refusal,
                            }),
                            None => Ok(answers),
                        };
                    }
                    NLMSG_NOOP | NLMSG_DONE => {}
                    _ => answers.push(answer),
                }
            }
        }
    }

    /// The messages of one datagram; `None` where `flags` say not to wait and nothing is there.
    pub fn receive(&self, flags: RecvFlags, doing: &str) -> Result<Option<Vec<Answer>>, NetError> {
        let mut buffer = self.buffer.borrow_mut();
        let talk = |errno: rustix::io::Errno| NetError::Talk {
            doing: doing.to_owned(),
            source: errno.into(),
        };
        let length = loop {
            match rustix::net::recv(&self.inner, &mut buffer[..], flags | RecvFlags::TRUNC) {
                Ok((_, length)) => break length,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(talk(errno)),
            }
        };
        if length > buffer.len() {
            return Err(NetError::Talk {
                doing: doing.to_owned(),
                source: io::ErrorKind::FileTooLarge.into(),
            });
        }
        split(&buffer[..length])
            .map(Some)
            .map_err(|reason| NetError::Answer {
                doing: doing.to_owned(),
                reason,
            })
    }
}

impl Answer {
    /// Of an `NLMSG_ERROR`: what the kernel refused, or `None` for an acknowledgement.
    pub fn refusal(&self) -> Option<Refusal> {
        let errno = self.code()?;
        let copied = if self.flags & NLM_F_CAPPED != 0 {
            HEADER
        } else {
            self.body
                .get(ERROR_CODE..ERROR_CODE + 4)
                .map_or(HEADER, |length| u32_of(length) as usize)
        };
        Some(self.with_text(errno, ERROR_CODE + copied.next_multiple_of(4)))
    }

    /// Of an `NLMSG_DONE`: why the dump ended, or `None` for its end.
    fn done_refusal(&self) -> Option<Refusal> {
        Some(self.with_text(self.code()?, ERROR_CODE))
    }

    fn code(&self) -> Option<Errno> {
        let code = self
            .body
            .get(..ERROR_CODE)
            .map_or(0, |code| u32_of(code) as i32);
        (code != 0).then(|| Errno::from_raw(-code))
    }

    fn with_text(&self, errno: Errno, tlvs: usize) -> Refusal {
        let (mut message, mut offset) = (None, None);
        if self.flags & NLM_F_ACK_TLVS != 0 {
            let tlvs = self.body.get(tlvs..).unwrap_or_default();
            for tlv in NlasIterator::new(tlvs).flatten() {
                match tlv.kind() {
                    NLMSGERR_ATTR_MSG => message = Some(text_of(&tlv)),
                    NLMSGERR_ATTR_OFFS => offset = tlv.value().get(..4).map(u32_of),
                    _ => {}
                }
            }
        }
        Refusal {
            errno,
            message,
            offset,
        }
    }
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_ne_bytes)
}

fn text_of(tlv: &NlaBuffer<&[u8]>) -> String {
    String::from_utf8_lossy(tlv.value())
        .trim_end_matches('\0')
        .to_owned()
}

/// Whole netlink message, header and all.
pub(crate) fn serialize<M: NetlinkSerializable>(message: M, flags: u16, seq: u32) -> Vec<u8> {
    let mut message = NetlinkMessage::new(
        NetlinkHeader::default(),
        NetlinkPayload::InnerMessage(message),
    );
    message.header.flags = flags;
    message.header.sequence_number = seq;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn split(mut bytes: &[u8]) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    while bytes.len() >= HEADER {
        let message = NetlinkBuffer::new_checked(&bytes).map_err(|error| error.to_string())?;
        let length = message.length() as usize;
        answers.push(Answer {
            kind: message.message_type(),
            seq: message.sequence_number(),
            flags: message.flags(),
            body: bytes[HEADER..length].to_vec(),
        });
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(answers)
}

/// What `message` is when parsed as `M`, from an answer to a dump or a get.
pub(crate) fn parse<M>(answer: &Answer, doing: &str) -> Result<M, NetError>
where
    M: netlink_packet_core::NetlinkDeserializable,
    M::Error: std::fmt::Display,
{
    let mut header = NetlinkHeader::default();
    header.length = (HEADER + answer.body.len()) as u32;
    header.message_type = answer.kind;
    header.flags = answer.flags;
    header.sequence_number = answer.seq;
    M::deserialize(&header, &answer.body).map_err(|error| NetError::Answer {
        doing: doing.to_owned(),
        reason: error.to_string(),
    })
}
