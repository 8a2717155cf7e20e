//! Control groups: this much and no more.
//!
//! One vocabulary for limits, docker's, on v1, v2 and hybrid hosts. A cgroup is a name relative to the root of
//! each hierarchy as our process sees it: `web` is `/sys/fs/cgroup/web` on a v2 host, and a directory of each
//! hierarchy that it needs on a v1 host. See cgroups(7), Documentation/admin-guide/cgroup-v2.rst.
//!
//! ```no_run
//! use rcgroup::{Hierarchies, Limits, create};
//!
//! let host = Hierarchies::detect()?;
//! let limits = Limits { memory_bytes: Some(64 << 20), pids: Some(50), ..Limits::default() };
//! let plan = create::plan(&host, "web", &limits)?;
//! println!("{}", plan.script().unwrap());
//! # Ok::<(), rcgroup::CgroupError>(())
//! ```
#![warn(missing_docs)]

mod cgroup;
#[cfg(feature = "cli")]
pub mod cli;
mod control;
pub mod create;
pub mod del;
mod error;
pub mod exec;
mod grow;
mod hierarchy;
mod limits;
pub mod map;
pub mod member;
mod says;
pub mod set;
pub mod show;
pub mod stats;

pub use cgroup::Cgroup;
pub use control::{read, write};
pub use error::CgroupError;
pub use hierarchy::{Group, Hierarchies, Mode, check_name, places};
pub use limits::{Limits, UNLIMITED, parse_bytes, parse_cpus, parse_pids};
pub use map::{Mapped, Setting, settings};
