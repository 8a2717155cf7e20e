//! The files of containers and volumes: plain text that root reads with cat and jq.
//!
//! `containers/ID/` in the root has `config.json` (the OCI runtime configuration), `container.json` (the name, the image
//! and what else config.json has no place for), `state.json` (how the last or present run is) and `log.jsonl`; `upper/` and
//! `work/` are the container's writable layer. Each file is written to a temporary name and renamed, so readers never
//! block. `names/NAME` holds an ID. The run directory has the same `containers/ID/` for the lock, the FIFOs and the
//! monitor's socket.
//!
//! A transient container, which is gone after a reboot, has the same in `transient/` of the run directory, so that its start
//! and its end wait for no disk. What its program may fill is on the disk: `layers/INSTANCE/ID/` in the root has its
//! `upper/`, `work/` and `log.jsonl`.
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
    Asked, CONTAINER_VERSION, Container, Image, MountPoint, Net, Port, RunState, STATE_VERSION,
    Status,
};

pub use create::{Files, alone, at_work, is_abandoned};
pub use endpoint::{Attached, Endpoint};
pub use files::{StateError, now, write_atomic};
pub use lock::Lock;

use std::path::PathBuf;

use kit_plan::Roots;

/// Whether a text has the form of a container's ID: 64 lower-case hex digits.
pub fn is_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The containers of one instance: where their files are, and how they are read and written. Ordinary containers keep
/// their files in the root, transient ones in the run directory ([`Containers::transient`]); one value is about one of the
/// two kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Containers {
    /// The instance. Both kinds have their images, volumes and layers in its root.
    pub roots: Roots,
    is_transient: bool,
}

impl Containers {
    /// The ordinary containers of an instance. Nothing is read or made.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            is_transient: false,
        }
    }

    /// The containers that a reboot ends for good: those of `run --rm` and of `--rootfs`. Their files are in the run
    /// directory, below `transient/`.
    #[must_use]
    pub fn transient(&self) -> Self {
        Self {
            roots: self.roots.clone(),
            is_transient: true,
        }
    }

    /// Whether these are the transient containers.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// The ordinary containers, then the transient ones.
    pub fn both(&self) -> [Self; 2] {
        [Self::new(self.roots.clone()), self.transient()]
    }

    /// The directory that has `containers/`, `names/` and `trash/` of this kind.
    fn home(&self) -> PathBuf {
        if self.is_transient {
            self.roots.run.join("transient")
        } else {
            self.roots.root.clone()
        }
    }

    /// The directory that has a directory for each container.
    pub(crate) fn all(&self) -> PathBuf {
        self.home().join("containers")
    }

    /// The directory of a container's files. That of an ordinary container is its writable layer too.
    pub fn dir(&self, id: &str) -> PathBuf {
        self.all().join(id)
    }

    /// The directory of what a container's program may fill, which is on the disk: `upper/`, `work/` and the log.
    pub fn layer(&self, id: &str) -> PathBuf {
        if self.is_transient {
            self.layers().join(id)
        } else {
            self.dir(id)
        }
    }

    /// The directory that has the layers of the transient containers. It is this instance's: another one that has the
    /// same root cannot know which of these are in use.
    pub fn layers(&self) -> PathBuf {
        let layers = self.roots.root.join("layers");
        layers.join(self.roots.instance.name())
    }

    /// The directory of a container's lock, FIFOs and socket, which a reboot empties. [`Containers::make_run_dir`] makes it.
    pub fn run_dir(&self, id: &str) -> PathBuf {
        self.roots.run.join("containers").join(id)
    }

    /// Where directories are moved to be deleted: a rename takes them away for everybody at once, and gc deletes what a
    /// killed command has left there.
    pub fn trash(&self) -> PathBuf {
        self.home().join("trash")
    }

    /// The file that keeps the image of container `id` from being removed: a pin of runpack's, `images/pins/ID` in the root
    /// or, of a transient container, in the run directory.
    pub fn pin(&self, id: &str) -> PathBuf {
        let root = if self.is_transient {
            &self.roots.run
        } else {
            &self.roots.root
        };
        root.join("images/pins").join(id)
    }

    /// The directory that has a file for each container's name, which holds the ID of that container.
    pub fn names(&self) -> PathBuf {
        self.home().join("names")
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

    /// The container's log: a JSON object a line, in the form of docker's json-file driver. It is made with the first line.
    pub fn log(&self, id: &str) -> PathBuf {
        self.layer(id).join("log.jsonl")
    }
}
