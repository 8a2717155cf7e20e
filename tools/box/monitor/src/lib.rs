//! The monitor: a small process that stays with each container. It is the parent of the container's PID 1, writes the
//! log, records the exit code and cleans up at the end.
//!
//! It has one thread, one poll loop, a session of its own, and no descriptor of its caller's. The command that starts it is
//! a client like any other: it talks over a socket (`box_wire`), and the container goes on if it dies.
#![warn(missing_docs)]

mod born;
mod bundled;
mod clients;
mod early;
mod end;
mod idle;
mod log;
mod output;
mod pass;
mod prepare;
mod recover;
mod rules;
mod says;
mod serve;
mod sources;
mod start;
pub mod streams;

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use box_state::{Containers, StateError};
use kit_plan::{Fault, StepError};

pub use born::{Fresh, fork, fork_ahead, fork_watched, take_over};
pub use bundled::{bundled_at, refuse_bundled};
pub use early::Ahead;
pub use prepare::{cgroup_of, joins, plan};
pub use recover::{
    abandoned, empty_parents, end_start, is_forsaken, is_left, last_run, left_cgroups, replay,
    settled, starter, wait_for_leaving,
};

/// Why a monitor cannot be started, or cannot attend to a container.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum MonitorError {
    #[error("starting a monitor: {0}")]
    Fork(#[source] io::Error),
    #[error(transparent)]
    State(#[from] StateError),
    /// A value that one step leaves for another is missing, or a step failed.
    #[error("{0}")]
    Step(StepError),
    #[error("{doing}: {source}")]
    Io {
        doing: &'static str,
        source: io::Error,
    },
    #[error("attending container \"{id}\": it does not run")]
    NotRunning { id: String },
    #[error("{doing} container \"{name}\": its root is mounted at {at:?}")]
    Bundled {
        doing: &'static str,
        name: String,
        at: PathBuf,
    },
}

impl Fault for MonitorError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Step(error) => error.get_hint(),
            Self::Bundled { name, at, .. } => {
                let dir = at.parent().unwrap_or(at).display();
                Some(format!("rrun bundle --umount {name} {dir}"))
            }
            Self::Fork(_) | Self::Io { .. } | Self::NotRunning { .. } => None,
        }
    }
}

/// Connects to the monitor of a running container; `box_wire` has the frames that are spoken.
///
/// # Errors
/// The errno of open(2) or connect(2): ENOENT or ECONNREFUSED if no monitor listens.
pub fn connect(containers: &Containers, id: &str) -> io::Result<UnixStream> {
    // A socket's path is limited to 107 bytes, a root's is not: go by way of a descriptor.
    let dir = std::fs::File::open(containers.run_dir(id))?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    UnixStream::connect(format!("/proc/self/fd/{fd}/monitor.sock"))
}
