//! Where a link is: our own namespace, one that a user named, or one that an earlier step of a plan opened.

use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use kit_net::{Netlink, check_link_name};
use kit_plan::{Context, FdId, Slots, StepError, Value, cat, quote, words};
use rnetns::{Netns, split_link};

use crate::VethError;

/// A network namespace as a step finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// That of whoever applies the plan.
    Own,
    /// One that a user named.
    Netns(Netns),
    /// Descriptor `fd` of the plan's context; in the script, `path`.
    Opened {
        /// The descriptor's name in the context.
        fd: FdId,
        /// The same namespace as a file, for sh.
        path: Value,
    },
}

/// Our own namespace as a file.
const OWN: &str = "/proc/thread-self/ns/net";

impl At {
    /// The file that stands for it in a journal; `None` for our own.
    pub fn path(&self, slots: &Slots) -> Option<PathBuf> {
        match self {
            Self::Own => None,
            Self::Netns(netns) => Some(netns.path()),
            Self::Opened { path, .. } => path.resolve(slots).map(PathBuf::from),
        }
    }

    /// Opens it.
    pub fn open(&self, cx: &Context) -> Result<OwnedFd, StepError> {
        match self {
            Self::Own => File::open(OWN)
                .map(OwnedFd::from)
                .map_err(|e| StepError::new("opening our own network namespace", e)),
            Self::Netns(netns) => Ok(netns.open()?.into()),
            Self::Opened { fd, .. } => cx
                .fd(*fd)?
                .try_clone_to_owned()
                .map_err(|e| StepError::new(format!("copying descriptor \"{fd}\""), e)),
        }
    }

    /// A netlink socket in it.
    pub fn netlink(&self, cx: &Context) -> Result<Netlink, StepError> {
        Ok(match self {
            Self::Own => Netlink::open()?,
            _ => Netlink::open_in(self.open(cx)?.as_fd())?,
        })
    }

    /// `ip ARGS` in it.
    pub(crate) fn ip(&self, args: Vec<Value>) -> Vec<Value> {
        let mut argv = match self {
            Self::Own => words!["ip"],
            Self::Netns(Netns::Name(name)) => words!["ip", "-n", name],
            Self::Netns(netns) => words!["nsenter", cat!["--net=", netns.path()], "ip"],
            Self::Opened { path, .. } => words![
                "nsenter",
                Value::Cat(vec!["--net=".into(), path.clone()]),
                "ip"
            ],
        };
        argv.extend(args);
        argv
    }

    /// `ip` in it, for a message.
    pub(crate) fn ip_text(&self) -> String {
        match self {
            Self::Own => "ip".to_owned(),
            Self::Netns(Netns::Name(name)) => format!("ip -n {}", quote(name)),
            Self::Netns(netns) => format!("nsenter --net={} ip", quote(netns.path())),
            Self::Opened { .. } => "in that namespace, ip".to_owned(),
        }
    }

    /// What `ip link … netns` takes.
    pub(crate) fn word(&self) -> Value {
        match self {
            Self::Own => "/proc/self/ns/net".into(),
            Self::Netns(Netns::Name(name)) => name.into(),
            Self::Netns(netns) => netns.path().into(),
            Self::Opened { path, .. } => path.clone(),
        }
    }
}

/// A link of a user's: `NAME` or `NAME@NETNS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// In its namespace.
    pub name: String,
    /// `None` for our own.
    pub netns: Option<Netns>,
}

impl Link {
    /// Checks the name too, since the kernel would say only "Numerical result out of range".
    pub fn parse(text: &str) -> Result<Self, VethError> {
        let (name, netns) = split_link(text)?;
        check_link_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            netns,
        })
    }

    /// The same, as a step has it.
    pub fn at(&self) -> At {
        self.netns.clone().map_or(At::Own, At::Netns)
    }

    /// A netlink socket where it is.
    pub fn netlink(&self) -> Result<Netlink, VethError> {
        Ok(match &self.netns {
            None => Netlink::open()?,
            Some(netns) => Netlink::open_in(netns.open()?.as_fd())?,
        })
    }

    /// The link itself, which must be there.
    pub fn find(&self, doing: &'static str) -> Result<kit_net::Link, VethError> {
        let found = self.netlink()?.link(&self.name)?;
        found.ok_or_else(|| VethError::NoLink {
            doing,
            link: self.to_string(),
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.netns {
            None => Ok(()),
            Some(netns) => write!(f, "@{}", label(netns)),
        }
    }
}

/// A namespace as a user writes it.
pub(crate) fn label(netns: &Netns) -> String {
    match netns {
        Netns::Name(name) => name.clone(),
        Netns::Pid(pid) => format!("pid:{pid}"),
        Netns::Path(path) => path.display().to_string(),
    }
}
