//! What can go wrong with a link, by its name.

use kit_net::{Cidr, NetError};
use kit_plan::{FAILED, Fault, USAGE, quote};
use nix::errno::Errno;
use rnetns::NetnsError;

/// Prints as `doing what "object": reason`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant is its message
pub enum VethError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error("{doing} link \"{link}\": no such link")]
    NoLink { doing: &'static str, link: String },
    #[error("creating link \"{link}\": that name is taken there")]
    Taken { link: String },
    #[error("changing link \"{link}\" to \"{to}\": that name is taken there")]
    Renamed { link: String, to: String },
    #[error("creating link \"{link}\": both ends have the same name in the same namespace")]
    SameName { link: String },
    #[error("{doing} link \"{link}\": it is a {kind}, neither a veth nor a macvlan")]
    OtherKind {
        doing: &'static str,
        link: String,
        kind: String,
    },
    #[error("reading hardware address {text:?}: {reason}")]
    BadMac { text: String, reason: &'static str },
    #[error("creating link \"{link}\": \"{parent}\" {reason}")]
    Parent {
        link: String,
        parent: String,
        reason: String,
        hint: String,
    },
    #[error(
        "adding the default route through \"{gateway}\": no address of the link is in its network"
    )]
    Gateway { gateway: String },
    #[error(
        "adding the default route through \"{gateway}\": there is one already, through \"{other}\""
    )]
    DefaultRoute {
        gateway: String,
        other: String,
        /// `ip`, in the namespace that it is about.
        ip: String,
    },
    #[error(
        "adding address \"{cidr}\" to link \"{link}\": the link's MTU is {mtu}, and IPv6 needs 1280"
    )]
    SmallMtu { link: String, cidr: Cidr, mtu: u32 },
    #[error("removing address \"{cidr}\" from link \"{link}\": the link has no such address")]
    NoAddr { link: String, cidr: Cidr },
}

impl Fault for VethError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Net(error) if error.is(Errno::ENETUNREACH) => {
                "a gateway must be in the network of one of the link's addresses".to_owned()
            }
            Self::Net(error) => error.hint()?,
            Self::Netns(error) => error.hint()?,
            Self::NoLink { link, .. } => match link.split_once('@') {
                Some((_, netns)) => {
                    format!(
                        "rveth list --netns {} shows those that are there",
                        quote(netns)
                    )
                }
                None => "rveth list shows those that are there".to_owned(),
            },
            Self::Taken { link } => format!("choose another name, or rveth del {}", quote(link)),
            Self::Renamed { to, .. } => format!("choose another name, or rveth del {}", quote(to)),
            Self::OtherKind { kind, link, .. } if kind == "bridge" => {
                format!("rbridge del {}", quote(link))
            }
            Self::Parent { hint, .. } => hint.clone(),
            Self::DefaultRoute { ip, .. } => {
                format!("leave the gateway out, or {ip} route del default removes that one first")
            }
            Self::SmallMtu { link, .. } => format!("rveth set {} --mtu 1280", quote(link)),
            Self::NoAddr { link, .. } => match link.split_once('@') {
                Some((_, netns)) => {
                    format!("rveth list --netns {} shows those it has", quote(netns))
                }
                None => "rveth list shows those it has".to_owned(),
            },
            Self::Gateway { .. } => "give the link an address in the gateway's network".to_owned(),
            _ => return None,
        })
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Net(error) => error.exit(),
            Self::Netns(error) => error.exit(),
            Self::BadMac { .. } | Self::SameName { .. } => USAGE,
            _ => FAILED,
        }
    }
}
