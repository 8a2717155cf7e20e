//! What can go wrong with a bridge and what hangs on it.

use std::io;
use std::path::{Path, PathBuf};

use kit_home::JsonError;
use kit_net::{CidrError, NetError};
use kit_plan::{FAILED, Fault, USAGE};
use rnetns::NetnsError;

/// What can go wrong with a bridge.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
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
    #[error("finding link {name:?}: no such link")]
    NoLink { name: String },
    #[error(
        "attaching link {link:?} to bridge {bridge:?}: its cable's other end {end:?} is {}, and frames would go round for ever",
        far.as_ref().map_or_else(|| "on that bridge already".to_owned(), |far| format!("on bridge {far:?}, which leads to this one"))
    )]
    Loop {
        link: String,
        bridge: String,
        end: String,
        /// The bridge that the other end is on, if it is another one.
        far: Option<String>,
    },
    #[error("using address {addr:?} for a bridge: {reason}")]
    BadAddr { addr: String, reason: &'static str },
    #[error("removing address {addr:?} from bridge {name:?}: it has no such address")]
    NoAddr { addr: String, name: String },
    #[error(
        "deleting bridge {name:?}: it was not made by boxkit, and many names were given at once"
    )]
    OthersBridge { name: String },
    #[error("choosing {subnet} for the containers' network: {reason}")]
    BadSubnet { subnet: String, reason: String },
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
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error(
        "choosing a network for bridge {bridge:?}: each private one that we would take clashes with a route of this host"
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
                "rbridge list{} shows them; rbridge add {} makes it",
                netns_flag(name),
                quoted(name)
            )),
            Self::NoLink { name } => Some(format!(
                "rveth list{} shows those that are there",
                netns_flag(name)
            )),
            Self::Taken { name } => {
                let (link, netns) = name.split_once('@').unwrap_or((name, ""));
                let within = enter(netns);
                Some(format!(
                    "choose another name; {within}ip -d link show {} tells what has this one",
                    quoted(link)
                ))
            }
            Self::NotPort { hint, .. } => Some((*hint).to_owned()),
            Self::Loop {
                link, bridge, end, ..
            } => Some(format!(
                "rbridge detach {}; or, on a bridge that breaks loops by itself, rbridge attach --force {} {}",
                quoted(end),
                quoted(bridge),
                quoted(link)
            )),
            Self::NoAddr { name, .. } => {
                Some(format!("rbridge show {} lists those it has", quoted(name)))
            }
            Self::OthersBridge { name } => Some(format!(
                "rbridge del {} deletes this one; --all-owners deletes whatever is named",
                quoted(name)
            )),
            Self::NoSubnet { .. } => {
                Some("rbridge default --addr 10.99.0.1/16 chooses one".to_owned())
            }
            Self::NotAttached { link } => Some(format!(
                "rbridge list{} shows which link is on which bridge",
                netns_flag(link)
            )),
            Self::NotOn { name } => Some(format!(
                "rbridge list{} shows where it is on",
                netns_flag(name)
            )),
            Self::NotPublished { port } => Some(format!(
                "rbridge list{} shows those that are",
                netns_flag(port)
            )),
            Self::PortTaken { .. } => Some("stop that one, or choose another port".to_owned()),
            Self::NoGateway { name } => Some(format!(
                "rbridge set {} --addr 10.99.0.1/24 gives it one",
                quoted(name)
            )),
            Self::Apart { link, bridge } => {
                let netns = bridge.split_once('@').map_or("pid:1", |(_, netns)| netns);
                Some(format!(
                    "rveth set {} --netns {} moves the link there",
                    quoted(link),
                    quoted(netns)
                ))
            }
            Self::NoNetwork { .. } => Some(
                "rbridge list shows the networks; rbridge nat BRIDGE on switches translation on"
                    .to_owned(),
            ),
            Self::Foreign { bridge, .. } => Some(format!(
                "ip -d link show {bridge} tells whose it is; ip link del {bridge} frees the name"
            )),
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                Some("the address before the port must be one of this host's".to_owned())
            }
            Self::Json(later @ JsonError::Later { .. }) => Fault::hint(later),
            Self::Json(JsonError::Shape { path, .. }) => Some(format!(
                "rm {} removes it, and boxkit goes on as if it had never been",
                kit_plan::quote(path.as_os_str())
            )),
            _ => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Json(error) => Some(error.path()),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadPort { .. } | Self::BadAddr { .. } | Self::BadSubnet { .. } => USAGE,
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

/// ` --netns NETNS` for what is named `LINK@NETNS`.
fn netns_flag(name: &str) -> String {
    match name.split_once('@') {
        None => String::new(),
        Some((_, netns)) => format!(" --netns {}", quoted(netns)),
    }
}

/// What runs a command there.
fn enter(netns: &str) -> String {
    match netns {
        "" => String::new(),
        netns => format!("rnetns exec {} -- ", quoted(netns)),
    }
}

/// One word of a command that is to be pasted.
fn quoted(word: &str) -> String {
    kit_plan::quote(std::ffi::OsStr::new(word))
}
