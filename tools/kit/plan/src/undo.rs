//! What would undo a step: kernel objects as data, with the identity of what was made.
//!
//! Closed on purpose: any command can replay any journal. A variant names a kernel object, never a notion of
//! one tool: a lease or a pin is an [`Undo::Unlink`]. A new kind is a variant here, a file in `kit/undo` and a
//! kill test.
//!
//! The identity is `None` in an *intended* record; undoing one of those needs our mark on the object, which
//! each variant names. Undoing a *done* one needs the identity to match. Absence is success in both.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Fault, FileId, MountId, NetnsId, ProcessId, Record};

/// What would undo a step: one kernel object. `netns` is the file of the namespace that it is in, `None` for the one in which
/// the journal was written; `id`, `index`, `handle` are its identity, `None` while it is only intended; `done` says that the
/// record counts only when it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are told above
pub enum Undo {
    /// Delete a network link. Mark: `group` (`IFLA_GROUP`), set in the message that creates it.
    Link {
        netns: Option<PathBuf>,
        name: String,
        group: u32,
        index: Option<u32>,
        /// The namespace itself, since a name or a path may be another's by now.
        #[serde(default)]
        netns_id: Option<NetnsId>,
    },
    /// Remove an address (`192.0.2.1/24`) from a link. Only when done.
    Addr {
        netns: Option<PathBuf>,
        name: String,
        index: Option<u32>,
        #[serde(default)]
        netns_id: Option<NetnsId>,
        addr: String,
    },
    /// Give a link back what a `set` changed. Only when done.
    LinkState {
        netns: Option<PathBuf>,
        name: String,
        index: Option<u32>,
        #[serde(default)]
        netns_id: Option<NetnsId>,
        was: LinkWas,
    },
    /// Delete a table of ours, unless its sets and maps have an element of somebody's. Mark: the table's name holds the
    /// instance.
    NftTable {
        netns: Option<PathBuf>,
        family: NftFamily,
        table: String,
        handle: Option<u64>,
    },
    /// Delete one rule, by handle. Only when done.
    NftRule {
        netns: Option<PathBuf>,
        family: NftFamily,
        table: String,
        chain: String,
        handle: Option<u64>,
    },
    /// Delete one element of a map or set in a table of ours, bytes in hex. Mark: the table, and the data it maps to.
    NftElement {
        netns: Option<PathBuf>,
        family: NftFamily,
        table: String,
        map: String,
        key: String,
        data: Option<String>,
        done: bool,
        /// The key as nft(8) writes it, for a script that takes the element out again at its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Forget the UDP flows that came to a port of this host, so that the next packet of each is judged anew. Of no
    /// owner, and harmless at any time.
    Flows {
        netns: Option<PathBuf>,
        ip: Option<Ipv4Addr>,
        port: u16,
    },
    /// Remove a cgroup directory, its processes killed first. Mark: it lies under our parent.
    Cgroup {
        #[serde(with = "crate::os_text")]
        path: PathBuf,
        id: Option<FileId>,
    },
    /// Unmount what is on top at `path`. Only when done.
    Unmount {
        #[serde(with = "crate::os_text")]
        path: PathBuf,
        id: Option<MountId>,
    },
    /// Remove a file. Mark: it lies in one of our roots and has the plan's ID in its name, or `path` is a
    /// name that only this plan makes (a lease, a pin).
    Unlink {
        #[serde(with = "crate::os_text")]
        path: PathBuf,
        id: Option<FileId>,
    },
    /// Remove an empty directory. Mark: as [`Undo::Unlink`].
    Rmdir {
        #[serde(with = "crate::os_text")]
        path: PathBuf,
        id: Option<FileId>,
    },
    /// Remove a directory with all in it, never leaving its filesystem. Mark: as [`Undo::Unlink`].
    Tree {
        #[serde(with = "crate::os_text")]
        path: PathBuf,
        id: Option<FileId>,
    },
    /// Kill a process. Only when done: before, it dies by the end of file on its go-pipe.
    Kill { process: Option<ProcessId> },
    /// Write a sysctl's old value back, while it still has the one we wrote.
    Restore {
        path: PathBuf,
        was: String,
        wrote: String,
        done: bool,
        /// Where a sysctl is one of another network namespace.
        #[serde(default)]
        netns: Option<PathBuf>,
    },
}

/// What a link was before a `set`; `None` where it was not touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkWas {
    /// Administratively.
    pub up: Option<bool>,
    /// In bytes.
    pub mtu: Option<u32>,
    /// Index of the bridge it belonged to; 0 for none.
    pub master: Option<u32>,
    /// In its namespace.
    pub name: Option<String>,
    /// Its hardware address.
    pub address: Option<Vec<u8>>,
    /// The namespace that it was in, as the undoing process names it.
    #[serde(default)]
    pub netns: Option<PathBuf>,
    /// That namespace itself.
    #[serde(default)]
    pub netns_id: Option<NetnsId>,
    /// Addresses and routes that it loses by going down or elsewhere, in the order in which they are put back; `Lost` of
    /// kit/net as text.
    #[serde(default)]
    pub lost: Vec<String>,
}

/// A family of nft(8), each by that program's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // by their names
pub enum NftFamily {
    Inet,
    Ip,
    Ip6,
    Bridge,
    Netdev,
}

impl NftFamily {
    /// As nft(8) writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

impl Undo {
    /// A file.
    pub fn unlink(path: impl Into<PathBuf>) -> Self {
        Self::Unlink {
            path: path.into(),
            id: None,
        }
    }

    /// A directory, if it is empty by then.
    pub fn rmdir(path: impl Into<PathBuf>) -> Self {
        Self::Rmdir {
            path: path.into(),
            id: None,
        }
    }

    /// A directory with all that is in it by then.
    pub fn tree(path: impl Into<PathBuf>) -> Self {
        Self::Tree {
            path: path.into(),
            id: None,
        }
    }

    /// The mount on top at `path`.
    pub fn unmount(path: impl Into<PathBuf>) -> Self {
        Self::Unmount {
            path: path.into(),
            id: None,
        }
    }

    /// A cgroup, with the processes inside.
    pub fn cgroup(path: impl Into<PathBuf>) -> Self {
        Self::Cgroup {
            path: path.into(),
            id: None,
        }
    }

    /// Whether it is about something that a reboot takes away: all but files.
    pub fn ends_with_the_boot(&self) -> bool {
        !matches!(
            self,
            Self::Unlink { .. } | Self::Rmdir { .. } | Self::Tree { .. }
        )
    }

    /// With the identity of what is there now, for the kinds that live at a path: call it just after making
    /// the thing. Where it cannot be read the record stays as intended, which undoes less, never more.
    #[must_use]
    pub fn identified(mut self) -> Self {
        match &mut self {
            Self::Unlink { path, id }
            | Self::Rmdir { path, id }
            | Self::Tree { path, id }
            | Self::Cgroup { path, id } => *id = FileId::of(path).ok(),
            Self::Unmount { path, id } => *id = MountId::of(path).ok(),
            _ => {}
        }
        self
    }
}

/// The object itself: `directory "/srv/x"`, `link "eth0"`.
impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |netns: &Option<PathBuf>| match netns {
            Some(netns) => format!(" of {netns:?}"),
            None => String::new(),
        };
        match self {
            Self::Link { netns, name, .. } => write!(f, "link {name:?}{}", at(netns)),
            Self::Addr {
                netns, name, addr, ..
            } => write!(f, "address {addr} of link {name:?}{}", at(netns)),
            Self::LinkState { netns, name, .. } => {
                write!(f, "the state of link {name:?}{}", at(netns))
            }
            Self::NftTable {
                netns,
                family,
                table,
                ..
            } => write!(f, "table {} {table}{}", family.name(), at(netns)),
            Self::NftRule {
                netns,
                family,
                table,
                chain,
                ..
            } => write!(
                f,
                "a rule of chain {} {table} {chain}{}",
                family.name(),
                at(netns)
            ),
            Self::NftElement {
                netns,
                family,
                table,
                map,
                ..
            } => write!(
                f,
                "an element of {} {table} {map}{}",
                family.name(),
                at(netns)
            ),
            Self::Flows { netns, port, .. } => {
                write!(f, "the UDP flows of port {port}{}", at(netns))
            }
            Self::Cgroup { path, .. } => write!(f, "cgroup {path:?}"),
            Self::Unmount { path, .. } => write!(f, "the mount on {path:?}"),
            Self::Unlink { path, .. } => write!(f, "{path:?}"),
            Self::Rmdir { path, .. } => write!(f, "directory {path:?}"),
            Self::Tree { path, .. } => write!(f, "{path:?} and all in it"),
            Self::Kill { process } => match process {
                Some(process) => write!(f, "process {}", process.pid),
                None => f.write_str("a process"),
            },
            Self::Restore { path, netns, .. } => write!(f, "sysctl {path:?}{}", at(netns)),
        }
    }
}

/// What undoing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// It was there, and is gone.
    Removed,
    /// It was gone already.
    Absent,
    /// Something of that name is there, but it is not what the record is about; why it was left alone.
    NotOurs(String),
}

/// One thing that could not be undone.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {reason}")]
#[allow(missing_docs)] // each variant is its message
pub struct UndoError {
    pub doing: String,
    pub reason: String,
}

impl Fault for UndoError {}

impl UndoError {
    /// `doing` says what to which object: `removing "/srv/x"`.
    pub fn new(doing: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self {
            doing: doing.into(),
            reason: reason.to_string(),
        }
    }
}

/// Undoes records; `kit/undo` is the one for the real kernel. Idempotent.
pub trait Undoer {
    /// Undoes one, if it is what the record is about.
    fn undo(&self, record: &Record) -> Result<Undone, UndoError>;
}
