//! What netlink calls fail with: the call, the object, the errno, and the kernel's own words where it has any.

use std::fmt;
use std::io;

use kit_plan::{FAILED, Fault, USAGE};
use nix::errno::Errno;

use crate::Cidr;
use crate::link::NAME_MAX as LINK_NAME_MAX;

/// A failed call. Prints as `doing what "object": reason`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant is its message
pub enum NetError {
    #[error("opening a {kind} netlink socket: {}", text(.source))]
    Open {
        kind: &'static str,
        source: io::Error,
    },
    #[error("{doing} network namespace: {}", text(.source))]
    Netns {
        doing: &'static str,
        source: io::Error,
    },
    /// The kernel said no.
    #[error("{doing}: {refusal}")]
    Refused {
        doing: String,
        #[source]
        refusal: Refusal,
    },
    /// Sending or receiving failed.
    #[error("{doing}: talking netlink: {}", text(.source))]
    Talk { doing: String, source: io::Error },
    /// The kernel's answer could not be read, or did not come.
    #[error("{doing}: reading the kernel's answer: {reason}")]
    Answer { doing: String, reason: String },
    #[error("finding link {name:?}: no such link")]
    NoLink { name: String },
    #[error("adding address \"{cidr}\": {reason}")]
    BadAddr { cidr: Cidr, reason: &'static str },
    #[error("naming link {name:?}: {reason}")]
    BadName { name: String, reason: &'static str },
}

/// The kernel's answer to a request that it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kernel's number for it.
    pub errno: Errno,
    /// The extended acknowledgement's text, which is where ip(8) has its "Error: …" from.
    pub message: Option<String>,
    /// Where in the request the attribute is that the text is about, in bytes from its header.
    pub offset: Option<u32>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(
                f,
                "{} ({})",
                message.trim_end_matches('.'),
                self.errno.desc()
            ),
            None => f.write_str(self.errno.desc()),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.errno)
    }
}

/// Without "(os error 1)".
fn text(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || error.to_string(),
        |raw| Errno::from_raw(raw).desc().to_owned(),
    )
}

impl NetError {
    /// The errno, whoever it came from.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.errno),
            Self::Open { source, .. } | Self::Netns { source, .. } | Self::Talk { source, .. } => {
                source.raw_os_error().map(Errno::from_raw)
            }
            Self::NoLink { .. } => Some(Errno::ENODEV),
            Self::BadName { .. } | Self::BadAddr { .. } => Some(Errno::EINVAL),
            Self::Answer { .. } => None,
        }
    }

    /// Whether the kernel refused with that errno.
    pub fn is(&self, errno: Errno) -> bool {
        self.errno() == Some(errno)
    }
}

impl Fault for NetError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Open { .. }
                if self.is(Errno::EPROTONOSUPPORT) || self.is(Errno::EAFNOSUPPORT) =>
            {
                "this kernel, or the sandbox that we run in, has no such netlink".to_owned()
            }
            Self::Refused { .. } if self.is(Errno::EOPNOTSUPP) => {
                "the kernel lacks this kind of object, or its module: see rrun doctor".to_owned()
            }
            Self::NoLink { .. } => "ip link shows those that are there".to_owned(),
            Self::BadName { name, .. } => {
                let (at, _) = name.char_indices().nth(LINK_NAME_MAX)?;
                format!("{:?} would do", &name[..at])
            }
            _ => return None,
        })
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadName { .. } | Self::BadAddr { .. } => USAGE,
            _ => FAILED,
        }
    }
}
