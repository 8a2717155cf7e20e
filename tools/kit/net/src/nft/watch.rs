//! Hears of what others take from a table: whoever deletes rules tells nobody else, but the kernel tells those who listen.

use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::SUBSYSTEM;
use crate::NetError;

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// The numbers of messages in `enum nf_tables_msg_types`.
const DELETED: [u16; 3] = [2, 5, 8]; // DELTABLE, DELCHAIN, DELRULE
/// Elements and generations, which come with each container that starts or ends.
const COMMON: [u16; 3] = [12, 14, 15]; // NEWSETELEM, DELSETELEM, NEWGEN
/// `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`.
const TABLE: u16 = 1;
/// `struct nlmsghdr` and `struct nfgenmsg`.
const HEADER: usize = 16;
const GENERIC: usize = 4;
/// As large as the kernel makes a notification of many messages.
const BUFFER: usize = 16 * 1024;

/// A socket that hears of each deletion of a table, a chain or a rule in the network namespace in which it was opened. It
/// becomes readable for that, and not for a transaction that begins with the elements of sets, as the start and the end of
/// each container do: the kernel's filter for sockets sees a notification's first message.
#[derive(Debug)]
pub struct Watch(netlink_sys::Socket);

impl Watch {
    /// In the calling thread's network namespace.
    pub fn open() -> Result<Self, NetError> {
        let open = || {
            let mut socket = netlink_sys::Socket::new(NETLINK_NETFILTER)?;
            let common = COMMON.map(|kind| SUBSYSTEM << 8 | kind);
            kit_sys::socket::drop_messages(socket.as_fd(), common)?;
            socket.bind_auto()?;
            socket.add_membership(GROUP)?;
            Ok(socket)
        };
        let kind = "netfilter";
        Ok(Self(
            open().map_err(|source| NetError::Open { kind, source })?,
        ))
    }

    /// Whether anything was deleted from a table of this name since the last call, or may have been: there was more than
    /// the kernel keeps.
    pub fn has_lost(&self, table: &str) -> bool {
        let mut buffer = vec![0; BUFFER];
        let mut lost = false;
        loop {
            match rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((read, _)) => lost |= tells_of(&buffer[..read], table),
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => lost = true,
                // Usually AGAIN: there is no more.
                Err(_) => return lost,
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether one of these messages tells of a deletion from `table`.
fn tells_of(mut messages: &[u8], table: &str) -> bool {
    while messages.len() >= HEADER {
        let length =
            u32::from_ne_bytes([messages[0], messages[1], messages[2], messages[3]]) as usize;
        let kind = u16::from_ne_bytes([messages[4], messages[5]]);
        let Some(message) = messages.get(..length).filter(|_| length >= HEADER) else {
            return false;
        };
        let is_deletion = kind >> 8 == SUBSYSTEM && DELETED.contains(&(kind & 0xff));
        if is_deletion && name_in(message) == Some(table.as_bytes()) {
            return true;
        }
        messages = messages
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    false
}

/// The name of the table that a message is about.
fn name_in(message: &[u8]) -> Option<&[u8]> {
    let mut attributes = message.get(HEADER + GENERIC..)?;
    while attributes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([attributes[0], attributes[1]]));
        let kind = u16::from_ne_bytes([attributes[2], attributes[3]]);
        let value = attributes.get(4..length)?;
        if kind == TABLE {
            return value.strip_suffix(&[0]);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}
