//! Links: network interfaces, physical or virtual. See ip-link(8).

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage,
};
use nix::errno::Errno;
use rtnetlink::LinkUnspec;

use crate::socket::{Answer, parse};
use crate::{NetError, Netlink};

/// `IFNAMSIZ` less the final zero byte.
pub(crate) const NAME_MAX: usize = 15;
/// `RTEXT_FILTER_SKIP_STATS`: the kernel gathers a link's counters over all CPUs, and we do not look at them.
const SKIP_STATS: u32 = 1 << 3;

/// A hardware address as ip(8) prints it, of whatever length: `02:42:ac:11:00:02`.
pub fn mac_text(bytes: &[u8]) -> String {
    let each: Vec<String> = bytes
        .iter()
        .map(|byte| kit_units::hex::to_hex(&[*byte]))
        .collect();
    each.join(":")
}

/// A link as the kernel describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number, unique in its namespace.
    pub index: u32,
    /// 1 to 15 bytes, unique in its namespace.
    pub name: String,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// It has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// Its hardware address; empty where it has none.
    pub mac: Vec<u8>,
    /// As ip(8) names it: `veth`, `bridge`; `None` for a physical device or the loopback.
    pub kind: Option<String>,
    /// Index of the bridge that it is a port of.
    pub master: Option<u32>,
    /// `IFLA_GROUP`: our mark.
    pub group: u32,
    /// Of a veth its peer's index, of a macvlan its lower device's; in the namespace that `netnsid` names.
    pub peer: Option<u32>,
    /// The namespace of `peer`, as this one numbers it; `None` for this one itself.
    pub netnsid: Option<i32>,
    /// `IFLA_IFALIAS`: a text for people.
    pub alias: Option<String>,
    /// Of a bridge: its ID as brctl(8) writes it, and whether it keeps loops open by the spanning tree protocol.
    pub bridge_id: Option<String>,
    /// Of a bridge: it speaks the spanning tree protocol.
    pub stp: bool,
}

impl Link {
    /// What it is, for messages: `veth`, `loopback`, `physical link`.
    pub fn what(&self) -> &str {
        match &self.kind {
            Some(kind) => kind,
            // The kernel makes lo first in each namespace.
            None if self.index == 1 => "loopback",
            None => "physical link",
        }
    }
}

/// Why the kernel would not have a link of this name: it says only "Numerical result out of range", or nothing.
pub fn check_link_name(name: &str) -> Result<(), NetError> {
    let wrong = |reason| {
        Err(NetError::BadName {
            name: name.to_owned(),
            reason,
        })
    };
    match name {
        "" => wrong("it is empty"),
        "." | ".." => wrong("it is a directory's name"),
        "all" | "default" => wrong("/proc/sys/net has that name for what holds for every link"),
        _ if name.len() > NAME_MAX => wrong("an interface name has at most 15 characters"),
        _ if name
            .bytes()
            .any(|byte| byte.is_ascii_whitespace() || byte == b'/' || byte == b':') =>
        {
            wrong("an interface name has no blank, slash or colon")
        }
        _ if name.contains('%') => {
            wrong("a % in an interface name would be filled in by the kernel")
        }
        _ if name.contains(char::is_control) => wrong("it has control characters"),
        _ => Ok(()),
    }
}

impl Netlink {
    /// The link of that name in the socket's namespace.
    pub fn link(&self, name: &str) -> Result<Option<Link>, NetError> {
        if check_link_name(name).is_err() {
            return Ok(None);
        }
        self.get_link(
            LinkUnspec::new_with_name(name).build(),
            &format!("finding link \"{name}\""),
        )
    }

    /// The link of that number; `None` if there is none.
    pub fn link_by_index(&self, index: u32) -> Result<Option<Link>, NetError> {
        self.get_link(
            LinkUnspec::new_with_index(index).build(),
            &format!("finding link number {index}"),
        )
    }

    /// The link of that name, its absence an error.
    pub fn need_link(&self, name: &str) -> Result<Link, NetError> {
        self.link(name)?.ok_or_else(|| NetError::NoLink {
            name: name.to_owned(),
        })
    }

    /// The index of the link of that name, by SIOCGIFINDEX of netdevice(7): a lookup, where [`Netlink::need_link`]
    /// waits for the kernel's one lock for all links, which a namespace that ends holds for milliseconds.
    pub fn need_index(&self, name: &str) -> Result<u32, NetError> {
        match rustix::net::netdevice::name_to_index(self.socket.fd(), name) {
            Ok(index) => Ok(index),
            Err(rustix::io::Errno::NODEV) => Err(NetError::NoLink {
                name: name.to_owned(),
            }),
            // Not a name at all, or a kernel that does not answer: netlink says why.
            Err(_) => Ok(self.need_link(name)?.index),
        }
    }

    fn get_link(&self, mut message: LinkMessage, doing: &str) -> Result<Option<Link>, NetError> {
        message.attributes.push(skip_stats());
        let absent = [Errno::ENODEV];
        let answer = self
            .socket
            .get(RouteNetlinkMessage::GetLink(message), &absent, doing)?;
        answer.map(|answer| read(&answer, doing)).transpose()
    }

    /// All links of the socket's namespace, by index.
    pub fn links(&self) -> Result<Vec<Link>, NetError> {
        let doing = "listing links";
        let mut message = LinkMessage::default();
        message.attributes.push(skip_stats());
        let answers = self
            .socket
            .dump(&RouteNetlinkMessage::GetLink(message), doing)?;
        answers.iter().map(|answer| read(answer, doing)).collect()
    }

    /// Creates a link, or fails with `EEXIST`. For one that rollback can find: `.link_group(…)` in the message.
    pub fn add_link(&self, message: LinkMessage) -> Result<(), NetError> {
        let name = name_of(&message);
        check_link_name(&name)?;
        let doing = format!("creating link \"{name}\"");
        self.socket.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
            &doing,
        )
    }

    /// An error about a link's number, with its name instead: looked up only once something is refused.
    pub(crate) fn named(&self, index: u32, error: NetError) -> NetError {
        match (error, self.link_by_index(index)) {
            (NetError::Refused { doing, refusal }, Ok(Some(link))) => NetError::Refused {
                doing: doing.replace(
                    &format!("link number {index}"),
                    &format!("link \"{}\"", link.name),
                ),
                refusal,
            },
            (error, _) => error,
        }
    }

    /// Deletes it; with one end of a cable goes the other.
    pub fn del_link(&self, index: u32) -> Result<(), NetError> {
        let message = LinkUnspec::new_with_index(index).build();
        let doing = format!("deleting link number {index}");
        self.socket
            .change(RouteNetlinkMessage::DelLink(message), 0, &doing)
            .map_err(|e| self.named(index, e))
    }

    /// Changes a link: built by `LinkUnspec::new_with_index(…)` or `LinkBridgePort::new(…)`.
    pub fn set_link(&self, message: LinkMessage) -> Result<(), NetError> {
        let (name, index) = (name_of(&message), message.header.index);
        let doing = if name.is_empty() {
            format!("changing link number {}", message.header.index)
        } else {
            check_link_name(&name)?;
            format!("changing link \"{name}\"")
        };
        // RTM_NEWLINK without NLM_F_CREATE: unlike RTM_SETLINK it takes IFLA_INFO_SLAVE_DATA too (rtnetlink.c).
        self.socket
            .change(RouteNetlinkMessage::NewLink(message), 0, &doing)
            .map_err(|e| self.named(index, e))
    }

    /// `ip link set up`.
    pub fn set_up(&self, index: u32) -> Result<(), NetError> {
        self.set_link(LinkUnspec::new_with_index(index).up().build())
    }

    /// `ip link set down`: its IPv6 addresses go, and the routes out of it.
    pub fn set_down(&self, index: u32) -> Result<(), NetError> {
        self.set_link(LinkUnspec::new_with_index(index).down().build())
    }

    /// Makes it a port of the bridge of that index; 0 takes it off whichever it is on.
    pub fn set_master(&self, index: u32, bridge: u32) -> Result<(), NetError> {
        self.set_link(LinkUnspec::new_with_index(index).controller(bridge).build())
    }

    /// For people: shown by `ip link`. The kernel drops one given at creation without a word.
    pub fn set_alias(&self, index: u32, alias: &str) -> Result<(), NetError> {
        self.set_link(LinkUnspec::new_with_index(index).alias(alias).build())
    }
}

fn skip_stats() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::Other(SKIP_STATS)])
}

fn name_of(message: &LinkMessage) -> String {
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
    name.unwrap_or_default()
}

fn read(answer: &Answer, doing: &str) -> Result<Link, NetError> {
    let RouteNetlinkMessage::NewLink(message) = parse(answer, doing)? else {
        let reason = format!("it is of type {}, not a link", answer.kind);
        return Err(NetError::Answer {
            doing: doing.to_owned(),
            reason,
        });
    };
    let mut link = Link {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        ..Link::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(mac) => link.mac = mac,
            LinkAttribute::Controller(master) => link.master = Some(master),
            LinkAttribute::Group(group) => link.group = group,
            LinkAttribute::Link(peer) => link.peer = Some(peer),
            LinkAttribute::LinkNetNsId(id) => link.netnsid = Some(id),
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.iter().find_map(kind_of);
                for info in &infos {
                    read_bridge(&mut link, info);
                }
            }
            _ => {}
        }
    }
    Ok(link)
}

fn read_bridge(link: &mut Link, info: &LinkInfo) {
    let LinkInfo::Data(InfoData::Bridge(about)) = info else {
        return;
    };
    for attribute in about {
        match attribute {
            InfoBridge::BridgeId(id) => {
                let mac = kit_units::hex::to_hex(&id.address);
                link.bridge_id = Some(format!("{:04x}.{mac}", id.priority));
            }
            InfoBridge::StpState(state) => link.stp = *state != BridgeStpState::Disabled,
            _ => {}
        }
    }
}

fn kind_of(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_kernel_would_not_have_is_explained() {
        assert!(check_link_name("br-0123456789ab").is_ok());
        for (name, reason) in [
            (
                "br-0123456789abc",
                "an interface name has at most 15 characters",
            ),
            ("a b", "an interface name has no blank, slash or colon"),
            (
                "veth%d",
                "a % in an interface name would be filled in by the kernel",
            ),
            ("", "it is empty"),
            ("..", "it is a directory's name"),
            (
                "all",
                "/proc/sys/net has that name for what holds for every link",
            ),
        ] {
            let expected = format!("naming link {name:?}: {reason}");
            assert_eq!(check_link_name(name).unwrap_err().to_string(), expected);
        }
    }
}
