//! What can go wrong with a bridge and what hangs on it.

use std::io;
use std::path::PathBuf;

use kit_net::{CidrError, NetError};
use kit_plan::{FAILED, Fault, USAGE};
use rnetns::NetnsError;

#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error(transparent)]
    Cidr(#[from] CidrError),
    #[error("finding bridge {name:?}: no such bridge")]
    NoBridge { name: String },
    #[error("making bridge {name:?}: that name is taken")]
    Taken { name: String },
    #[error("attaching link {link:?} to bridge {bridge:?}: {reason}")]
    NotPort {
        link: String,
        bridge: String,
        reason: &'static str,
        hint: &'static str,
    },
    #[error("using bridge {name:?}: it is a {kind}, not a bridge")]
    NotBridge { name: String, kind: String },
    #[error(
        "attaching link {link:?} to bridge {bridge:?}: they are in different network namespaces"
    )]
    Apart { link: String, bridge: String },
    #[error("detaching link {link:?}: it is on no bridge")]
    NotAttached { link: String },
    #[error("translating for bridge {name:?}: it has no IPv4 address to be the gateway")]
    NoGateway { name: String },
    #[error("switching translation for bridge {name:?} off: it is not on")]
    NotOn { name: String },
    #[error("reading port {text:?}: {reason}")]
    BadPort { text: String, reason: &'static str },
    #[error("publishing port \"{port}\": {holder} has it")]
    PortTaken { port: String, holder: String },
    #[error("publishing port \"{port}\": {source}")]
    Bind { port: String, source: io::Error },
    #[error("publishing port \"{port}\": no bridge with translation on has {addr} in its network")]
    NoNetwork {
        port: String,
        addr: std::net::Ipv4Addr,
    },
    #[error("unpublishing port \"{port}\": it is not published")]
    NotPublished { port: String },
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "choosing a network for bridge {bridge:?}: each of 172.30.0.0/16 clashes with a route of this host"
    )]
    NoSubnet { bridge: String },
    #[error("making network {name:?}: bridge {bridge:?} is there already, and is not ours")]
    Foreign { name: String, bridge: String },
    #[error("taking an address of network {name:?}: all of {subnet} are taken")]
    Full { name: String, subnet: String },
}

impl Fault for BridgeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Net(error) => error.hint(),
            Self::Netns(error) => error.hint(),
            Self::NoBridge { name } => Some(format!(
                "rbridge list shows them; rbridge add {name} makes it"
            )),
            Self::Taken { name } => Some(format!(
                "choose another; ip -d link show {name} tells what has it"
            )),
            Self::NotPort { hint, .. } => Some((*hint).to_owned()),
            Self::NotAttached { .. } => {
                Some("rbridge list shows which link is on which".to_owned())
            }
            Self::NotOn { .. } => Some("rbridge list shows where it is".to_owned()),
            Self::NotPublished { .. } => Some("rbridge list shows those that are".to_owned()),
            Self::PortTaken { .. } => Some("stop that one, or choose another port".to_owned()),
            Self::NoGateway { name } => Some(format!(
                "rbridge add {name} --addr 10.0.0.1/24, or ip addr add"
            )),
            Self::Apart { link, .. } => Some(format!("move it first: ip link set {link} netns …")),
            Self::NoNetwork { .. } => Some("rbridge nat BRIDGE on".to_owned()),
            Self::Foreign { bridge, .. } => Some(format!(
                "ip -d link show {bridge} tells whose it is; ip link del {bridge} frees the name"
            )),
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                Some("the address before the port must be one of this host's".to_owned())
            }
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadPort { .. } => USAGE,
            Self::Net(error) => error.exit(),
            Self::Netns(error) => error.exit(),
            _ => FAILED,
        }
    }
}

impl BridgeError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
