//! What mounting fails with: the call, the path, the errno; and for overlay the true cause, see `OverlayFault`.

use std::io;
use std::path::{Path, PathBuf};

use kit_plan::{Fault, quote_in_line};
use rustix::io::Errno;

use crate::overlay::OverlayFault;
use crate::umount::Holder;

/// A failed operation. Prints as `doing what "object": reason`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant is its message
pub enum MountError {
    /// A call failed, and its errno says what there is to say.
    #[error("{doing} {path:?}: {}", text(*.errno))]
    Call {
        doing: &'static str,
        path: PathBuf,
        errno: Errno,
    },
    /// A file in there is no such thing.
    #[error("{doing} {path:?}: {reason}")]
    Wrong {
        doing: &'static str,
        path: PathBuf,
        reason: String,
        hint: Option<String>,
    },
    #[error("mounting an overlay at {target:?}: {fault}")]
    Overlay {
        target: PathBuf,
        fault: OverlayFault,
    },
    #[error("unmounting {path:?}: nothing is mounted there")]
    NotMounted { path: PathBuf },
    #[error("unmounting {path:?}: it is in use{}", held_by(.path, .holders, .beneath))]
    Busy {
        path: PathBuf,
        holders: Vec<Holder>,
        beneath: Vec<PathBuf>,
    },
}

impl MountError {
    pub(crate) fn call(doing: &'static str, path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        Self::Call { doing, path, errno }
    }

    pub(crate) fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(errno) => Self::call(doing, path, errno),
            None => Self::wrong(doing, path, error.to_string()),
        }
    }

    pub(crate) fn wrong(doing: &'static str, path: &Path, reason: impl Into<String>) -> Self {
        Self::Wrong {
            doing,
            path: path.to_owned(),
            reason: reason.into(),
            hint: None,
        }
    }

    pub(crate) fn hinted(self, hint: Option<String>) -> Self {
        match self {
            #[rustfmt::skip]
            Self::Wrong { doing, path, reason, .. } => Self::Wrong { doing, path, reason, hint },
            other => other,
        }
    }

    /// The errno, where a call failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Call { errno, .. } => Some(*errno),
            Self::Busy { .. } => Some(Errno::BUSY),
            Self::Overlay { fault, .. } => fault.errno(),
            Self::NotMounted { .. } | Self::Wrong { .. } => None,
        }
    }
}

impl Fault for MountError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Wrong { hint, .. } => hint.clone(),
            Self::Overlay { fault, .. } => fault.hint(),
            Self::Busy { beneath, .. } if !beneath.is_empty() => {
                Some("--recursive unmounts what is mounted beneath it first".to_owned())
            }
            Self::Busy { path, holders, .. } if holders.is_empty() && is_ours(path) => {
                Some("cd / first".to_owned())
            }
            Self::Busy { .. } => Some(
                "end them, or --lazy detaches it now and lets it go when the last of them leaves"
                    .to_owned(),
            ),
            Self::Call {
                errno: Errno::PERM, ..
            } => Some("this needs root, with CAP_SYS_ADMIN in this mount namespace".to_owned()),
            Self::Call {
                errno: Errno::NOSYS,
                ..
            } => Some("this kernel is older than 5.12, which has that call".to_owned()),
            _ => None,
        }
    }
}

/// A path in a hint: one word of sh, in quotation marks for a reader too.
pub(crate) fn pasted(path: &Path) -> String {
    let word = quote_in_line(path);
    if word.starts_with(['\'', '"', '$']) {
        word
    } else {
        format!("\"{word}\"")
    }
}

/// Whether the mount is busy because of this command alone: `cd MOUNT; exec rmount umount MOUNT`.
fn is_ours(path: &Path) -> bool {
    std::env::current_dir().is_ok_and(|dir| dir.starts_with(path))
}

fn held_by(path: &Path, holders: &[Holder], beneath: &[PathBuf]) -> String {
    const SHOWN: usize = 4;
    let mut parts: Vec<String> = holders
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    parts.extend(
        beneath
            .iter()
            .take(SHOWN)
            .map(|path| format!("a mount at {path:?}")),
    );
    let more = holders.len().saturating_sub(SHOWN) + beneath.len().saturating_sub(SHOWN);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    if parts.is_empty() && is_ours(path) {
        return " by this command: its working directory is there".to_owned();
    }
    if parts.is_empty() {
        return " by something that /proc does not show".to_owned();
    }
    format!(" by {}", parts.join(", "))
}

/// The errno's text, without "(os error 1)".
pub(crate) fn text(errno: Errno) -> &'static str {
    nix::errno::Errno::from_raw(errno.raw_os_error()).desc()
}
