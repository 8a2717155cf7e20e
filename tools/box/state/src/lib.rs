//! What is on disk about containers: plain files that root reads with cat and jq.
//!
//! `containers/ID/` in the root has `config.json` (the OCI runtime configuration), `container.json` (what we
//! know beyond it), `state.json` (how it is) and `log.jsonl`; `upper/` and `work/` are its writable layer.
//! Each file is written to a temporary name and renamed, so readers never block. `names/NAME` holds an ID.
//! The run directory has the same `containers/ID/` for the lock, the FIFOs and the monitor's socket.

mod container;
mod create;
mod endpoint;
mod files;
mod lock;
mod names;
mod old;
mod resolve;
pub mod volume;

pub use container::{
    CONTAINER_VERSION, Container, Image, MountPoint, Net, Port, RunState, STATE_VERSION, Status,
};
pub use create::{Files, alone, at_work, is_abandoned};
pub use endpoint::{Attached, Endpoint};
pub use files::{StateError, now, write_atomic};
pub use lock::Lock;

use std::path::PathBuf;

use kit_plan::Roots;

/// The containers of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containers {
    pub roots: Roots,
    /// The root of the ordinary ones, which `roots` is not for those of `--rootfs`.
    ordinary: PathBuf,
}

impl Containers {
    pub fn new(roots: Roots) -> Self {
        let ordinary = roots.root.clone();
        Self { roots, ordinary }
    }

    /// Those of `--rootfs`: nothing of them is kept in the root, so their files lie in the run directory.
    #[must_use]
    pub fn bare(&self) -> Self {
        let root = self.roots.run.join("bare");
        Self {
            roots: Roots {
                root,
                ..self.roots.clone()
            },
            ordinary: self.ordinary.clone(),
        }
    }

    /// The ordinary ones, and those of `--rootfs`.
    pub fn both(&self) -> [Self; 2] {
        let roots = Roots {
            root: self.ordinary.clone(),
            ..self.roots.clone()
        };
        [Self::new(roots), self.bare()]
    }

    /// What survives a reboot.
    pub fn dir(&self, id: &str) -> PathBuf {
        self.roots.root.join("containers").join(id)
    }

    /// What need not.
    pub fn run_dir(&self, id: &str) -> PathBuf {
        self.roots.run.join("containers").join(id)
    }

    pub fn trash(&self) -> PathBuf {
        self.roots.root.join("trash")
    }

    /// The file that keeps a container's image from being removed: runpack's, `images/pins/OWNER`.
    pub fn pin(&self, id: &str) -> PathBuf {
        self.roots.root.join("images/pins").join(id)
    }

    pub fn names(&self) -> PathBuf {
        self.roots.root.join("names")
    }

    /// Where the monitor of a container listens.
    pub fn socket(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("monitor.sock")
    }

    /// While it is there, the end of a container of `--rm` does not remove it.
    pub fn keep(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("keep")
    }

    /// The container's cgroup, below the root of each hierarchy: its own, or the one of `--cgroup`.
    pub fn cgroup_name(&self, container: &Container) -> String {
        let own = || format!("{}/{}", self.roots.instance.name(), container.id);
        container.cgroup.clone().unwrap_or_else(own)
    }

    pub fn log(&self, id: &str) -> PathBuf {
        self.dir(id).join("log.jsonl")
    }
}
