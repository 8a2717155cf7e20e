//! Sets and maps, and the types of what is in them.
//!
//! The types matter to nft(8) alone, which prints elements by them; to the kernel a key is bytes. A field of a
//! concatenation is padded to 4 bytes.

use std::net::Ipv4Addr;

use netlink_packet_netfilter::nftables::{SetAttribute, SetFlags};

use super::Table;

/// `NFTNL_UDATA_SET_KEYBYTEORDER` and `…DATABYTEORDER` of libnftnl, and its word for network order.
const KEY_ORDER: u8 = 0;
const DATA_ORDER: u8 = 1;
/// How many bits of a concatenated type each of its fields has (nftables `TYPE_BITS`).
const TYPE_BITS: u32 = 6;
const IFNAME_LEN: u32 = 16;

/// A type of nft(8), by its number there (nftables `enum datatypes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// An IPv4 address, 4 bytes.
    Ipv4Addr,
    /// A protocol by its number, 1 byte.
    InetProto,
    /// A port, 2 bytes.
    InetService,
    /// An interface's name, 16 bytes.
    Ifname,
}

impl Type {
    fn number(self) -> u32 {
        match self {
            Self::Ipv4Addr => 7,
            Self::InetProto => 12,
            Self::InetService => 13,
            Self::Ifname => 41,
        }
    }

    /// As nft(8) writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4Addr => "ipv4_addr",
            Self::InetProto => "inet_proto",
            Self::InetService => "inet_service",
            Self::Ifname => "ifname",
        }
    }

    /// In bytes.
    fn len(self) -> u32 {
        match self {
            Self::Ipv4Addr => 4,
            Self::InetProto => 1,
            Self::InetService => 2,
            Self::Ifname => IFNAME_LEN,
        }
    }
}

/// A set, or a map where it has data.
#[derive(Debug, Clone)]
pub struct Set<'a> {
    /// Its name in the table.
    pub name: &'a str,
    /// More than one: a concatenation, `proto . port`.
    pub key: &'a [Type],
    /// Empty for a set.
    pub data: &'a [Type],
}

impl Set<'_> {
    pub(super) fn attributes(&self, table: &Table, id: u32) -> Vec<SetAttribute> {
        let is_map = !self.data.is_empty();
        let flags = if is_map {
            SetFlags::Map
        } else {
            SetFlags::empty()
        };
        let mut attributes = vec![
            SetAttribute::Table(table.name.clone()),
            SetAttribute::Name(self.name.to_owned()),
            SetAttribute::Flags(flags),
            SetAttribute::KeyType(number(self.key)),
            SetAttribute::KeyLen(length(self.key)),
            SetAttribute::Id(id),
        ];
        // One TLV each, of one byte type, one byte length and a u32 in host order, as nft(8) writes them: it
        // prints a key's bytes the wrong way round without.
        let mut order = vec![KEY_ORDER, 4];
        order.extend(byte_order(self.key).to_ne_bytes());
        if is_map {
            attributes.push(SetAttribute::DataType(number(self.data)));
            attributes.push(SetAttribute::DataLen(length(self.data)));
            order.extend([DATA_ORDER, 4]);
            order.extend(byte_order(self.data).to_ne_bytes());
        }
        attributes.push(SetAttribute::UserData(order));
        attributes
    }
}

fn number(types: &[Type]) -> u32 {
    types
        .iter()
        .fold(0, |number, field| (number << TYPE_BITS) | field.number())
}

fn length(types: &[Type]) -> u32 {
    match types {
        [one] => one.len(),
        many => many
            .iter()
            .map(|field| field.len().next_multiple_of(4))
            .sum(),
    }
}

/// nftables' `enum byteorder`: 0 for a concatenation, whose fields know their own; 1 host; 2 network.
fn byte_order(types: &[Type]) -> u32 {
    match types {
        [Type::Ifname] => 1,
        [_] => 2,
        _ => 0,
    }
}

/// A key or a datum of several fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concat(Vec<u8>);

impl Concat {
    /// No part yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Then an IPv4 address.
    #[must_use]
    pub fn addr(self, addr: Ipv4Addr) -> Self {
        self.field(&addr.octets())
    }

    /// `IPPROTO_TCP` is 6, `IPPROTO_UDP` 17.
    #[must_use]
    pub fn proto(self, proto: u8) -> Self {
        self.field(&[proto])
    }

    /// Then a port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.field(&port.to_be_bytes())
    }

    /// Then an interface's name.
    #[must_use]
    pub fn ifname(self, name: &str) -> Self {
        self.field(&ifname(name))
    }

    /// The key, each part filled to 4 bytes.
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// An interface name as nftables compares it: filled up with zero bytes.
pub fn ifname(name: &str) -> [u8; IFNAME_LEN as usize] {
    let mut bytes = [0; IFNAME_LEN as usize];
    let given = name.as_bytes().iter().take(bytes.len() - 1);
    bytes
        .iter_mut()
        .zip(given)
        .for_each(|(byte, given)| *byte = *given);
    bytes
}
