//! Where the toolkit keeps things, and how files are shared between processes that know nothing of each other.
//!
//! The two roots and the instance that they make ([`Roots`]), locks that end with their process ([`lock`]), files
//! that are seen whole or not at all ([`replace`]), that say of which version they are ([`json_version`]), and what is mounted
//! where ([`mountinfo`]). No notion of a
//! container, of a network or of an image.
//!
//! ```
//! use kit_home::{Replace, Roots, lock, replace};
//!
//! let dir = std::env::temp_dir().join(format!("home-{}", std::process::id()));
//! let roots = Roots::at(dir.join("root"), dir.join("run"));
//! roots.prepare()?;
//! let _lock = lock::Lock::wait(&roots.run.join("lock"), lock::Hold::Alone)?;
//! let path = roots.root.join("count");
//! replace(&path, b"1\n", &Replace::beside(&roots.root.join(".count.new")))?;
//! assert_eq!(std::fs::read(&path)?, b"1\n");
//! # std::fs::remove_dir_all(dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod json;
pub mod lock;
pub mod mountinfo;
mod replace;
mod roots;
mod small;

pub use json::{JsonError, json_version};
pub use replace::{Replace, replace};
pub use roots::{Instance, Roots, RootsError, is_an_instances_group};
pub use small::{read_at_most, read_regular, read_small, too_large};
