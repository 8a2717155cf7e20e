//! nftables over netlink, with no `nft` binary: one batch, one transaction, all of it or nothing.
//!
//! Only what our tables need: tables, chains, sets and maps, their elements, rules. See nft(8) and
//! `include/uapi/linux/netfilter/nf_tables.h`. Closing a socket soon after deleting an element waits for the
//! kernel to free it, 8 to 12 ms: who deletes keeps the socket open a while.

mod batch;
pub mod expr;
mod read;
mod set;
mod watch;

pub use batch::{Batch, Chain};
pub use netlink_packet_netfilter::nftables::InetHookNumber;
pub use read::{ChainInfo, Element, RuleInfo, TableInfo};
pub use set::{Concat, Set, Type, ifname};
pub use watch::Watch;

use std::fmt;
use std::os::fd::BorrowedFd;

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use rustix::net::RecvFlags;

use crate::socket::{Protocol, Socket, serialize};
use crate::told::told;
use crate::{NetError, netns};

/// `NFNL_SUBSYS_NFTABLES`, which a batch names in its begin and end.
const SUBSYSTEM: u16 = 10;

/// Which packets a table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// IPv4 and IPv6 alike.
    Inet,
    /// Frames between the ports of bridges.
    Bridge,
    /// Frames of one device.
    Netdev,
    /// One that we have no name for, by number.
    Other(u8),
}

/// A table by its name, which is what everything in it is addressed by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table {
    /// Which packets it sees.
    pub family: Family,
    /// Unique in its family.
    pub name: String,
}

impl Table {
    /// Names one; nothing is made.
    pub fn new(family: Family, name: impl Into<String>) -> Self {
        Self {
            family,
            name: name.into(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
            Self::Other(number) => return write!(f, "family {number}"),
        })
    }
}

/// As nft(8) writes it: `ip boxkit`.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}

impl From<Family> for NetfilterProtoFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::Ip => Self::IPv4,
            Family::Ip6 => Self::IPv6,
            Family::Inet => Self::Inet,
            Family::Bridge => Self::Bridge,
            Family::Netdev => Self::NetDev,
            Family::Other(number) => Self::from(number),
        }
    }
}

impl From<NetfilterProtoFamily> for Family {
    fn from(family: NetfilterProtoFamily) -> Self {
        match family {
            NetfilterProtoFamily::IPv4 => Self::Ip,
            NetfilterProtoFamily::IPv6 => Self::Ip6,
            NetfilterProtoFamily::Inet => Self::Inet,
            NetfilterProtoFamily::Bridge => Self::Bridge,
            NetfilterProtoFamily::NetDev => Self::Netdev,
            other => Self::Other(other.into()),
        }
    }
}

/// A `NETLINK_NETFILTER` socket.
pub struct Nft {
    pub(crate) socket: Socket,
}

impl Nft {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self, NetError> {
        Ok(Self {
            socket: Socket::open(Protocol::Netfilter)?,
        })
    }

    /// In the namespace that `netns` refers to.
    pub fn open_in(netns: BorrowedFd<'_>) -> Result<Self, NetError> {
        netns::within(netns, Self::open)
    }

    /// Does all of a batch, or nothing. The error is about the first message that the kernel refused.
    pub fn commit(&self, batch: Batch) -> Result<(), NetError> {
        if batch.messages.is_empty() {
            return Ok(());
        }
        let begin = self.socket.next_seq();
        let mut bytes = control(ControlMessage::BatchBegin, begin);
        let mut sent = Vec::with_capacity(batch.messages.len());
        for (message, flags, doing) in batch.messages {
            let seq = self.socket.next_seq();
            let message = serialize(message, NLM_F_REQUEST | flags, seq);
            kit_sys::calls::note(|| told(&message, &doing));
            bytes.extend(message);
            sent.push((seq, doing));
        }
        bytes.extend(control(ControlMessage::BatchEnd, self.socket.next_seq()));
        let (last, whole) = sent
            .last()
            .map_or((begin, "changing nftables"), |(seq, doing)| {
                (*seq, doing.as_str())
            });
        self.socket.send_untold(&bytes, whole)?;
        self.outcome(&sent, begin, last)
    }

    /// sendmsg(2) returns when the transaction is over, so that every answer is there already.
    fn outcome(&self, sent: &[(u32, String)], begin: u32, last: u32) -> Result<(), NetError> {
        const CHANGING: &str = "changing nftables";
        let mut acknowledged = false;
        let mut failed = None;
        while let Some(answers) = self.socket.receive(RecvFlags::DONTWAIT, CHANGING)? {
            for answer in answers.iter().filter(|answer| answer.seq >= begin) {
                match answer.refusal() {
                    Some(refusal) if failed.is_none() => {
                        let doing = sent.iter().find(|(seq, _)| *seq == answer.seq);
                        let doing =
                            doing.map_or_else(|| CHANGING.to_owned(), |(_, doing)| doing.clone());
                        failed = Some(NetError::Refused { doing, refusal });
                    }
                    Some(_) => {}
                    None => acknowledged |= answer.seq == last,
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if acknowledged => Ok(()),
            None => Err(NetError::Answer {
                doing: CHANGING.to_owned(),
                reason: "it did not come".to_owned(),
            }),
        }
    }
}

fn control(message: ControlMessage, seq: u32) -> Vec<u8> {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, SUBSYSTEM);
    let inner = NetfilterMessageInner::None(message);
    serialize(NetfilterMessage::new(header, inner), NLM_F_REQUEST, seq)
}

fn message(family: NetfilterProtoFamily, message: NfTablesMessage) -> NetfilterMessage {
    NetfilterMessage::new(
        NetfilterHeader::new(family, 0, 0),
        NetfilterMessageInner::NfTables(message),
    )
}
