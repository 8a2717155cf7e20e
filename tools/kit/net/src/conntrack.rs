//! Connection tracking: the kernel's memory of who talks to whom, and how it translates that. See ctnetlink in
//! `include/uapi/linux/netfilter/nfnetlink_conntrack.h`.
//!
//! A flow of UDP lives as long as its client sends, and its translation was decided by its first packet: a port that
//! is published or taken back since has no say. So such flows are forgotten, and the next packet decides anew.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{DefaultNla, NetlinkSerializable, Nla};
use netlink_packet_netfilter::conntrack::{
    ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Protocol, Tuple,
};
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use nix::errno::Errno;

use crate::socket::parse;
use crate::{NetError, Netlink, Nft};

const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
/// `CTA_FILTER_F_CTA_PROTO_NUM`, `CTA_FILTER_F_CTA_PROTO_DST_PORT`: what of the tuple is compared.
const BY_PROTO_AND_PORT: u32 = 1 << 3 | 1 << 5;

impl Nft {
    /// Forgets the UDP flows over IPv4 that came to `port` of this host: to `ip`, or to any of its addresses, as `nl`
    /// knows them. How many there were.
    pub fn forget_udp(
        &self,
        nl: &Netlink,
        ip: Option<Ipv4Addr>,
        port: u16,
    ) -> Result<usize, NetError> {
        let doing = format!("forgetting the flows to UDP port {port}");
        // The kernel before 5.8 does not know the filter and gives us all.
        let answers = self.socket.dump(&Filtered::by_port(port), &doing)?;
        let flows: Vec<Flow> = answers
            .iter()
            .filter_map(|answer| parse(answer, &doing).ok().and_then(Flow::read))
            .filter(|flow| flow.is_udp && flow.port == port)
            .collect();
        if flows.is_empty() {
            return Ok(0);
        }
        let own = nl.all_addrs()?;
        let is_ours = |to: Ipv4Addr| {
            to.is_loopback() || own.iter().any(|addr| addr.cidr.addr == IpAddr::V4(to))
        };
        let mut forgotten = 0;
        for flow in flows {
            let wanted = ip.map_or_else(|| is_ours(flow.to), |ip| ip == flow.to);
            if !wanted {
                continue;
            }
            let delete = message(ConntrackMessage::Delete(flow.identity));
            match self.socket.change(delete, 0, &doing) {
                Ok(()) => forgotten += 1,
                // It has just ended by itself.
                Err(error) if error.is(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(forgotten)
    }
}

struct Flow {
    is_udp: bool,
    to: Ipv4Addr,
    port: u16,
    /// What names it to the kernel.
    identity: Vec<ConntrackAttribute>,
}

impl Flow {
    fn read(message: NetfilterMessage) -> Option<Self> {
        let NetfilterMessageInner::Conntrack(ConntrackMessage::New(attributes)) = message.inner
        else {
            return None;
        };
        let tuple = attributes.iter().find_map(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(tuple) => Some(tuple),
            _ => None,
        })?;
        let (mut is_udp, mut to, mut port) = (false, None, None);
        for part in tuple {
            match part {
                Tuple::Ip(addrs) => {
                    to = addrs.iter().find_map(|addr| match addr {
                        IPTuple::DestinationAddress(IpAddr::V4(to)) => Some(*to),
                        _ => None,
                    });
                }
                Tuple::Proto(parts) => {
                    is_udp = parts.contains(&ProtoTuple::Protocol(Protocol::Udp));
                    port = parts.iter().find_map(|part| match part {
                        ProtoTuple::DestinationPort(port) => Some(*port),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        let mut identity = attributes;
        identity.retain(|attribute| match attribute {
            ConntrackAttribute::CtaTupleOrig(_) => true,
            ConntrackAttribute::Other(other) => [CTA_ID, CTA_ZONE].contains(&other.kind()),
            _ => false,
        });
        Some(Self {
            is_udp,
            to: to?,
            port: port?,
            identity,
        })
    }
}

/// A request with `CTA_FILTER` as its last attribute, which the kernel takes only with the flag of nested ones, and the
/// crate has no such attribute.
#[derive(Clone)]
struct Filtered(NetfilterMessage);

impl Filtered {
    /// Of the filter: its header, and one attribute of 8 bytes in it.
    const LEN: usize = 12;

    fn by_port(port: u16) -> Self {
        let tuple = vec![Tuple::Proto(vec![
            ProtoTuple::Protocol(Protocol::Udp),
            ProtoTuple::DestinationPort(port),
        ])];
        // One attribute within another: length, kind, the value in host order.
        let mut flags = 8_u16.to_ne_bytes().to_vec();
        flags.extend(CTA_FILTER_ORIG_FLAGS.to_ne_bytes());
        flags.extend(BY_PROTO_AND_PORT.to_ne_bytes());
        Self(message(ConntrackMessage::Get(vec![
            ConntrackAttribute::CtaTupleOrig(tuple),
            ConntrackAttribute::Other(DefaultNla::new(CTA_FILTER, flags)),
        ])))
    }
}

impl NetlinkSerializable for Filtered {
    fn message_type(&self) -> u16 {
        self.0.message_type()
    }

    fn buffer_len(&self) -> usize {
        NetlinkSerializable::buffer_len(&self.0)
    }

    fn serialize(&self, buffer: &mut [u8]) {
        const NLA_F_NESTED: u16 = 1 << 15;
        self.0.serialize(buffer);
        let kind = buffer.len() - Self::LEN + 2;
        let nested = (CTA_FILTER | NLA_F_NESTED).to_ne_bytes();
        buffer[kind..kind + 2].copy_from_slice(&nested);
    }
}

fn message(inner: ConntrackMessage) -> NetfilterMessage {
    NetfilterMessage::new(
        NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0),
        NetfilterMessageInner::Conntrack(inner),
    )
}
