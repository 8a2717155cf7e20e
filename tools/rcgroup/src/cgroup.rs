//! A cgroup to be made, for programs: its name and its limits in docker's words, as a plan.

use std::fs::File;

use kit_plan::Plan;

use crate::{CgroupError, Hierarchies, Limits, create, member, parse_bytes, parse_cpus};

/// A cgroup by its name, and what it is to be limited to; nothing is, unless it is said.
///
/// ```no_run
/// use rcgroup::{Cgroup, Hierarchies};
///
/// let host = Hierarchies::detect()?;
/// let group = Cgroup::named("bd1").memory("64m").cpus("1.5").pids(50);
/// println!("{}", group.plan(&host)?.script().unwrap());
/// # Ok::<(), rcgroup::CgroupError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Cgroup {
    name: String,
    memory: Option<String>,
    cpus: Option<String>,
    limits: Limits,
}

impl Cgroup {
    /// `web`, or `shop/web` in a cgroup `shop`: relative to the root of each hierarchy.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The most memory, in bytes or with a unit: `64m`, `2g`.
    pub fn memory(mut self, bytes: impl Into<String>) -> Self {
        self.memory = Some(bytes.into());
        self
    }

    /// How many CPUs' worth of time: `0.5`.
    pub fn cpus(mut self, cpus: impl Into<String>) -> Self {
        self.cpus = Some(cpus.into());
        self
    }

    /// The most processes and threads.
    pub fn pids(mut self, pids: u64) -> Self {
        self.limits.pids = Some(pids);
        self
    }

    /// All limits at once; those of [`Cgroup::memory`] and [`Cgroup::cpus`] come on top.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What makes it: the directories that this host needs, then the limits.
    ///
    /// # Errors
    /// A name that is none or is taken, a limit that cannot be read or that this host has no controller for.
    pub fn plan(&self, host: &Hierarchies) -> Result<Plan, CgroupError> {
        let mut limits = self.limits.clone();
        if let Some(text) = &self.memory {
            limits.memory_bytes = Some(parse_bytes(text)?);
        }
        if let Some(text) = &self.cpus {
            limits.nano_cpus = Some(parse_cpus(text)?);
        }
        create::plan(host, &self.name, &limits)
    }

    /// The files by which a process joins it, for `kit_sys::spawn::Spawn::cgroup` or [`member::join`]. It must be there.
    ///
    /// # Errors
    /// One that is not there, or may not be joined.
    pub fn open(&self, host: &Hierarchies) -> Result<Vec<File>, CgroupError> {
        member::open_to_join(&host.existing(&self.name)?)
    }
}
