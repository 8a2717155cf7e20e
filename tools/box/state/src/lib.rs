//! The files of containers and volumes: plain text that root reads with cat and jq.
//!
//! `containers/ID/` in the root has `config.json` (the OCI runtime configuration), `container.json` (the name, the image
//! and what else config.json has no place for), `state.json` (how the last or present run is) and `log.jsonl`; `upper/` and
//! `work/` are the container's writable layer. Each file is written to a temporary name and renamed, so readers never
//! block. `names/NAME` holds an ID. The run directory has the same `containers/ID/` for the lock, the FIFOs and the
//! monitor's socket.
#![warn(missing_docs)]

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

/// The containers of one instance: where their files are, and how they are read and written. Ordinary containers keep
/// their files in the root, those of `--rootfs` in the run directory ([`Containers::bare`]); one value is about one of the
/// two kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containers {
    /// Where this kind of container keeps its files. For containers of `--rootfs`, `roots.root` is below the run directory.
    pub roots: Roots,
    /// The root of the ordinary containers, which `roots.root` is not for those of `--rootfs`.
    ordinary: PathBuf,
}

impl Containers {
    /// The ordinary containers of an instance. Nothing is read or made.
    pub fn new(roots: Roots) -> Self {
        let ordinary = roots.root.clone();
        Self { roots, ordinary }
    }

    /// The containers of `--rootfs`. They keep nothing in the root: their files are in the run directory, below `bare/`.
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

    /// The ordinary containers, then those of `--rootfs`.
    pub fn both(&self) -> [Self; 2] {
        let roots = Roots {
            root: self.ordinary.clone(),
            ..self.roots.clone()
        };
        [Self::new(roots), self.bare()]
    }

    /// The directory of a container's files and writable layer: it survives a reboot, but for `--rootfs`.
    pub fn dir(&self, id: &str) -> PathBuf {
        self.roots.root.join("containers").join(id)
    }

    /// The directory of a container's lock, FIFOs and socket, which a reboot empties. [`Containers::make_run_dir`] makes it.
    pub fn run_dir(&self, id: &str) -> PathBuf {
        self.roots.run.join("containers").join(id)
    }

    /// Where directories are moved to be deleted: a rename takes them away for everybody at once, and gc deletes what a
    /// killed command has left there.
    pub fn trash(&self) -> PathBuf {
        self.roots.root.join("trash")
    }

    /// The file that keeps the image of container `id` from being removed: a pin of runpack's, `images/pins/ID`.
    pub fn pin(&self, id: &str) -> PathBuf {
        self.roots.root.join("images/pins").join(id)
    }

    /// The directory that has a file for each container's name, which holds the ID of that container.
    pub fn names(&self) -> PathBuf {
        self.roots.root.join("names")
    }

    /// The Unix socket that the container's monitor listens on (`box_wire` has its frames).
    pub fn socket(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("monitor.sock")
    }

    /// A file that `restart` makes: while it exists, the monitor does not remove a container of `--rm` that ends.
    pub fn keep(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("keep")
    }

    /// The name of the container's cgroup, relative to each hierarchy's root: `INSTANCE/ID`, or the one of `--cgroup`.
    pub fn cgroup_name(&self, container: &Container) -> String {
        let own = || format!("{}/{}", self.roots.instance.name(), container.id);
        container.cgroup.clone().unwrap_or_else(own)
    }

    /// The container's log: a JSON object a line, in the form of docker's json-file driver.
    pub fn log(&self, id: &str) -> PathBuf {
        self.dir(id).join("log.jsonl")
    }
}
