//! What a link loses when it goes down or elsewhere: its addresses, and the routes out of it, each kept as the kernel's own
//! message, so that lifetimes, metrics and labels come back with it.

use std::fmt;
use std::str::FromStr;

use kit_units::hex::{from_hex, to_hex};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteMessage;
use nix::errno::Errno;

use crate::addr::cidr_of;
use crate::socket::{Answer, parse};
use crate::{Cidr, NetError, Netlink};

/// Of linux/rtnetlink.h.
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_ONLINK: u32 = 4;
/// Routes that the kernel makes itself, of an address or of a router's word.
const MADE_BY_THE_KERNEL: [u8; 3] = [1, 2, 9];
/// `struct rtmsg`, and where its protocol and flags are; where `struct ifaddrmsg` has the link.
const RTMSG: usize = 12;
const PROTOCOL: usize = 5;
const FLAGS: usize = 8;
const IFADDR_INDEX: usize = 4;

/// One address or route. As text, for a journal: the message's type and its body in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    kind: u16,
    body: Vec<u8>,
}

impl Lost {
    /// The address, if it is one.
    pub fn cidr(&self) -> Option<Cidr> {
        let answer = Answer {
            kind: self.kind,
            seq: 0,
            flags: 0,
            body: self.body.clone(),
        };
        match parse(&answer, "reading an address").ok()? {
            RouteNetlinkMessage::NewAddress(message) => cidr_of(&message),
            _ => None,
        }
    }

    fn is_route(&self) -> bool {
        self.kind == RTM_NEWROUTE
    }

    /// Where in a route's body the value of an attribute is.
    fn attribute(&self, kind: u16) -> Option<usize> {
        let mut at = RTMSG;
        for attribute in NlasIterator::new(self.body.get(RTMSG..)?) {
            let attribute = attribute.ok()?;
            if attribute.kind() == kind {
                return Some(at + 4);
            }
            at += usize::from(attribute.length()).next_multiple_of(4);
        }
        None
    }

    /// Which link it is of; not of a route over several.
    fn index(&self) -> Option<u32> {
        let at = if self.is_route() {
            self.attribute(RTA_OIF)?
        } else {
            IFADDR_INDEX
        };
        u32_at(&self.body, at)
    }

    fn has_gateway(&self) -> bool {
        self.is_route() && self.attribute(RTA_GATEWAY).is_some()
    }

    /// Whether it comes back by itself, with an address.
    fn is_the_kernels(&self) -> bool {
        let protocol = self.body.get(PROTOCOL).copied().unwrap_or_default();
        let cloned = u32_at(&self.body, FLAGS).is_some_and(|flags| flags & RTM_F_CLONED != 0);
        self.is_route() && (cloned || MADE_BY_THE_KERNEL.contains(&protocol))
    }

    /// The body for link `index`, without what the kernel reports of a route and refuses to be told.
    fn body_for(&self, index: u32) -> Vec<u8> {
        let mut body = self.body.clone();
        let mut put = |at: Option<usize>, value: u32| {
            let place = at.and_then(|at| body.get_mut(at..at + 4));
            if let Some(place) = place {
                place.copy_from_slice(&value.to_ne_bytes());
            }
        };
        if self.is_route() {
            put(self.attribute(RTA_OIF), index);
            let flags = u32_at(&self.body, FLAGS).unwrap_or_default();
            put(Some(FLAGS), flags & RTNH_F_ONLINK);
        } else {
            put(Some(IFADDR_INDEX), index);
        }
        body
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, to_hex(&self.body))
    }
}

impl FromStr for Lost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "it is no address or route";
        let (kind, body) = text.split_once(':').ok_or(wrong)?;
        let kind = kind.parse().map_err(|_| wrong)?;
        let body = from_hex(body).filter(|body| body.len() >= IFADDR_INDEX + 4);
        match (kind, body) {
            (RTM_NEWADDR | RTM_NEWROUTE, Some(body)) => Ok(Self { kind, body }),
            _ => Err(wrong),
        }
    }
}

impl Netlink {
    /// What link `index` has and the kernel does not make by itself, in the order in which it can be put back: addresses,
    /// routes to what is beside it, routes through those.
    pub fn addrs_and_routes(&self, index: u32) -> Result<Vec<Lost>, NetError> {
        let addrs = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let routes = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let mut all = Vec::new();
        for (request, doing) in [(addrs, "listing addresses"), (routes, "listing routes")] {
            let answers = self.socket.dump(&request, doing)?.into_iter();
            all.extend(answers.map(|Answer { kind, body, .. }| Lost { kind, body }));
        }
        all.retain(|lost| lost.index() == Some(index) && !lost.is_the_kernels());
        all.sort_by_key(|lost| (lost.is_route(), lost.has_gateway()));
        Ok(all)
    }

    /// Takes one address from link `index`, and nothing else: with the first of a network the kernel takes the others too.
    /// Returns what puts all back.
    pub fn del_addr_alone(&self, index: u32, cidr: Cidr) -> Result<Vec<Lost>, NetError> {
        let had = self.addrs_and_routes(index)?;
        self.del_addr(index, cidr)?;
        for lost in had.iter().filter(|lost| lost.cidr() != Some(cidr)) {
            match self.put_back(index, lost) {
                // A route by way of the address that is to go.
                Err(_) if lost.is_route() => {}
                other => other?,
            }
        }
        Ok(had)
    }

    /// Gives link `index` one of those back; one that it has is no error.
    pub fn put_back(&self, index: u32, lost: &Lost) -> Result<(), NetError> {
        let what = if lost.is_route() {
            "a route"
        } else {
            "an address"
        };
        let doing = format!("putting {what} back on link number {index}");
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let changed = self
            .socket
            .change_raw(lost.kind, &lost.body_for(index), flags, &doing);
        match changed {
            Err(error) if error.is(Errno::EEXIST) => Ok(()),
            other => other.map_err(|e| self.named(index, e)),
        }
    }
}
