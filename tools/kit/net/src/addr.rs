//! Addresses of links. See ip-address(8).

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::AddressMessageBuilder;

use crate::socket::parse;
use crate::{Cidr, NetError, Netlink};

/// One address of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addr {
    /// The link's index.
    pub index: u32,
    /// The address, and its network's prefix.
    pub cidr: Cidr,
    /// As ip(8) names it: `global`, `link`, `host`.
    pub scope: &'static str,
    /// IPv6 only: duplicate address detection has not finished, and nothing can bind it yet.
    pub tentative: bool,
}

impl Netlink {
    /// The addresses of one link, in the kernel's order: the first of a network is the one it sends from.
    pub fn addrs(&self, index: u32) -> Result<Vec<Addr>, NetError> {
        Ok(self
            .all_addrs()?
            .into_iter()
            .filter(|addr| addr.index == index)
            .collect())
    }

    /// The addresses of all links.
    pub fn all_addrs(&self) -> Result<Vec<Addr>, NetError> {
        let doing = "listing addresses";
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answers = self.socket.dump(&message, doing)?;
        let read = |answer| match parse(answer, doing)? {
            RouteNetlinkMessage::NewAddress(message) => Ok(read(&message)),
            _ => Ok(None),
        };
        answers
            .iter()
            .map(read)
            .filter_map(Result::transpose)
            .collect()
    }

    /// Fails with `EEXIST` if the link has it already.
    pub fn add_addr(&self, index: u32, cidr: Cidr) -> Result<(), NetError> {
        check_addr(cidr)?;
        let doing = format!("adding address \"{cidr}\" to link number {index}");
        let message = RouteNetlinkMessage::NewAddress(message(index, cidr));
        self.socket
            .change(message, NLM_F_CREATE | NLM_F_EXCL, &doing)
            .map_err(|e| self.named(index, e))
    }

    /// Takes an address from link `index`; of the first of a network the kernel may take the others along: see
    /// [`Netlink::del_addr_alone`].
    pub fn del_addr(&self, index: u32, cidr: Cidr) -> Result<(), NetError> {
        let doing = format!("removing address \"{cidr}\" from link number {index}");
        let message = RouteNetlinkMessage::DelAddress(message(index, cidr));
        self.socket
            .change(message, 0, &doing)
            .map_err(|e| self.named(index, e))
    }
}

/// As `ip addr add CIDR dev …` would send it: IPv4 without a broadcast address, which ip(8) adds only on request.
fn message(index: u32, cidr: Cidr) -> AddressMessage {
    let mut message = match cidr.addr {
        IpAddr::V4(addr) => AddressMessageBuilder::<std::net::Ipv4Addr>::new()
            .address(addr, cidr.prefix)
            .index(index)
            .build(),
        IpAddr::V6(addr) => AddressMessageBuilder::<std::net::Ipv6Addr>::new()
            .address(addr, cidr.prefix)
            .index(index)
            .build(),
    };
    message
        .attributes
        .retain(|attribute| !matches!(attribute, AddressAttribute::Broadcast(_)));
    if cidr.addr.is_loopback() {
        message.header.scope = AddressScope::Host;
    }
    message
}

/// Why no link can have this address, where the kernel takes it and does nothing, or gives it and nobody can use it.
pub fn check_addr(cidr: Cidr) -> Result<(), NetError> {
    let reason = match cidr.addr {
        IpAddr::V4(addr) if addr.octets()[0] == 0 => "it stands for no host in particular",
        addr if addr.is_unspecified() => "it stands for no host in particular",
        addr if addr.is_multicast() => "it is a group's, which programs join, not a link's",
        IpAddr::V4(addr) if addr.is_broadcast() => "it is everybody's",
        _ => return Ok(()),
    };
    Err(NetError::BadAddr { cidr, reason })
}

/// Local is our end, Address the other on a point-to-point link; IPv6 without a peer has only the latter.
pub(crate) fn cidr_of(message: &AddressMessage) -> Option<Cidr> {
    let find = |local: bool| {
        message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(addr) if local => Some(*addr),
                AddressAttribute::Address(addr) if !local => Some(*addr),
                _ => None,
            })
    };
    let addr = find(true).or_else(|| find(false))?;
    Cidr::new(addr, message.header.prefix_len)
}

fn read(message: &AddressMessage) -> Option<Addr> {
    Some(Addr {
        index: message.header.index,
        cidr: cidr_of(message)?,
        scope: match message.header.scope {
            AddressScope::Universe => "global",
            AddressScope::Site => "site",
            AddressScope::Link => "link",
            AddressScope::Host => "host",
            _ => "other",
        },
        tentative: message.header.flags.contains(AddressHeaderFlags::Tentative),
    })
}
