//! Why a verb on a container failed.

use std::path::Path;

use box_monitor::MonitorError;
use box_state::StateError;
use box_wire::Failed;
use kit_plan::{Fault, PlanError};

use crate::spec::SpecError;

/// Why a verb on a container or a volume failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum OpsError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Filter(#[from] kit_seccomp::SeccompError),
    /// The monitor reported this error: its line, hint and exit code are those of the start.
    #[error("{}", .0.text)]
    Failed(Failed),
    #[error("starting container \"{name}\": its monitor has ended")]
    Lost { name: String },
    #[error("removing container \"{name}\": it is running")]
    RemovingRunning { name: String },
    #[error("{doing} container \"{name}\": it is running")]
    Running { doing: &'static str, name: String },
    #[error("{doing} container \"{name}\": it is not running")]
    NotRunning { doing: &'static str, name: String },
    /// What enters a frozen cgroup is frozen before it runs; `way` is the command that lets it go on.
    #[error("executing in container \"{name}\": it is paused")]
    Paused { name: String, way: String },
    #[error(
        "bundling container \"{name}\": it has no image, and its root is a directory on this host"
    )]
    NoImage { name: String },
    #[error("removing volume \"{name}\": container \"{user}\" uses it")]
    VolumeInUse { name: String, user: String },
    #[error("removing volume \"{name}\": no such volume")]
    NoVolume { name: String, near: Option<String> },
    #[error("reading the root of container \"{name}\": {source}")]
    Root {
        name: String,
        source: rmount::MountError,
    },
    #[error("writing the user of container \"{name}\" as numbers: {reason}")]
    User { name: String, reason: String },
    #[error("talking to the monitor of container \"{name}\": {source}")]
    Talk {
        name: String,
        source: std::io::Error,
    },
}

impl Fault for OpsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Monitor(error) => error.hint(),
            Self::Failed(failed) => failed.hint.clone(),
            Self::RemovingRunning { name } => {
                Some(format!("rrun rm -f {name} removes it though it runs"))
            }
            Self::Running { name, .. } => Some(format!("rrun stop {name} ends it")),
            Self::VolumeInUse { user, .. } => Some(format!(
                "rrun rm -f {user} removes the container, whose files are lost with it"
            )),
            Self::NoVolume { near, .. } => Some(match near {
                Some(near) => format!("did you mean \"{near}\"? rrun volume ls shows them all"),
                None => "rrun volume ls shows them".to_owned(),
            }),
            Self::NotRunning { name, .. } => Some(format!("rrun start {name} starts it")),
            Self::Paused { way, .. } => Some(format!("{way} lets it go on")),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Plan(error) => error.exit(),
            Self::Spec(_) => 2,
            Self::Failed(failed) => failed.exit,
            _ => 1,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::State(error) => error.path(),
            _ => None,
        }
    }

    fn is_interruption(&self) -> bool {
        matches!(self, Self::Plan(error) if error.is_interruption())
    }
}
