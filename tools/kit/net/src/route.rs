//! Routes of the main table. See ip-route(8).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::RouteMessageBuilder;

use crate::socket::parse;
use crate::{Cidr, NetError, Netlink};

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its network; prefix 0 is the default route.
    pub to: Cidr,
    /// The gateway; `None` for what is beside the link.
    pub via: Option<IpAddr>,
    /// Index of the link that it leaves by.
    pub out: Option<u32>,
    /// Of two routes to one network the lower is taken.
    pub metric: Option<u32>,
}

impl Route {
    /// Whether it is for all that no other route reaches.
    pub fn is_default(&self) -> bool {
        self.to.prefix == 0
    }
}

impl Netlink {
    /// The main table's routes, IPv4 and IPv6.
    pub fn routes(&self) -> Result<Vec<Route>, NetError> {
        let doing = "listing routes";
        let answers = self.socket.dump(
            &RouteNetlinkMessage::GetRoute(RouteMessage::default()),
            doing,
        )?;
        let read = |answer| match parse(answer, doing)? {
            RouteNetlinkMessage::NewRoute(message) => Ok(read(&message)),
            _ => Ok(None),
        };
        answers
            .iter()
            .map(read)
            .filter_map(Result::transpose)
            .collect()
    }

    /// What is reached by no other route goes through `gateway`, out of link `index`. `onlink`: it is beside that link, though
    /// no network of the link's addresses has it.
    pub fn add_default_route(
        &self,
        gateway: IpAddr,
        index: u32,
        onlink: bool,
    ) -> Result<(), NetError> {
        let doing = format!("adding the default route through \"{gateway}\"");
        let mut message = match gateway {
            IpAddr::V4(gateway) => RouteMessageBuilder::<Ipv4Addr>::new()
                .gateway(gateway)
                .output_interface(index)
                .build(),
            IpAddr::V6(gateway) => RouteMessageBuilder::<Ipv6Addr>::new()
                .gateway(gateway)
                .output_interface(index)
                .build(),
        };
        // As ip(8) has it without a word about it; the builder says "static".
        message.header.protocol = RouteProtocol::Boot;
        if onlink {
            message.header.flags |= RouteFlags::Onlink;
        }
        self.socket.change(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
            &doing,
        )
    }
}

fn read(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let any = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut table = u32::from(header.table);
    let mut route = Route {
        to: Cidr::new(any, header.destination_prefix_length)?,
        via: None,
        out: None,
        metric: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(addr) => route.to.addr = ip(addr)?,
            RouteAttribute::Gateway(addr) => route.via = ip(addr),
            RouteAttribute::Oif(index) => route.out = Some(*index),
            RouteAttribute::Priority(metric) => route.metric = Some(*metric),
            RouteAttribute::Table(long) => table = *long,
            _ => {}
        }
    }
    (table == u32::from(RouteHeader::RT_TABLE_MAIN)).then_some(route)
}

fn ip(addr: &RouteAddress) -> Option<IpAddr> {
    match addr {
        RouteAddress::Inet(addr) => Some(IpAddr::V4(*addr)),
        RouteAddress::Inet6(addr) => Some(IpAddr::V6(*addr)),
        _ => None,
    }
}
