//! What can go wrong with a namespace, by name.

use std::io;
use std::path::PathBuf;

use kit_plan::{FAILED, Fault, USAGE, quote};

/// What can go wrong with a namespace.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum NetnsError {
    #[error("naming network namespace {name:?}: {reason}")]
    BadName { name: String, reason: &'static str },
    #[error("opening network namespace {name:?}: no such namespace")]
    Unknown { name: String },
    #[error("opening network namespace {path:?}: it is not one")]
    NotNetns { path: PathBuf },
    #[error("opening network namespace {path:?}: it is a {kind} namespace")]
    OtherKind { path: PathBuf, kind: &'static str },
    #[error("opening network namespace \"pid:{pid}\": no such process")]
    NoProcess { pid: i32 },
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Fault for NetnsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { name } => Some(format!(
                "rnetns list shows them; rnetns add {} makes it",
                quote(name)
            )),
            // Of a process's namespaces, /proc/PID/ns/mnt, the one beside it.
            Self::OtherKind { path, .. } if path.parent()?.ends_with("ns") => Some(format!(
                "its network namespace is {}",
                quote(path.with_file_name("net"))
            )),
            Self::NotNetns { .. } => Some(
                "a file left behind when its namespace was unmounted? rnetns del removes it"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadName { .. } => USAGE,
            _ => FAILED,
        }
    }
}
