//! Overlay, bind and tmpfs mounts, and what changed in them.
//!
//! For builders of a runtime: [`overlay::mount_overlay`], [`bind::bind_into`] beneath a root that may be hostile,
//! [`attr::set_readonly_recursive`], [`attr::make_private`]; for readers of layers: [`whiteout`] and [`diff`].
//! Everything works on paths, descriptors and values, and in the mount namespace of the calling thread.
//!
//! ```no_run
//! use kit_plan::{Roots, Session};
//! use rmount::{Lowers, Overlay};
//!
//! let lowers = Lowers::topmost_first(["/layers/app", "/layers/base"]);
//! let overlay = Overlay::new(lowers.clone()).upper("/c1");
//! let mut run = Session::open(&Roots::from_env()?, "c1", kit_undo::Kernel::new())?;
//! run.apply(overlay.plan("/c1/root"))?;
//! for change in rmount::diff::diff("/c1/upper".as_ref(), &lowers)? {
//!     println!("{} {}", change.kind.letter(), change.path.display());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod attr;
pub mod bind;
#[cfg(feature = "cli")]
pub mod cli;
mod dangling;
pub mod diff;
mod error;
pub mod inroot;
pub mod list;
pub mod mountinfo;
pub mod near;
pub mod overlay;
pub mod plan;
mod says;
pub mod step;
pub mod tmpfs;
pub mod umount;
pub mod whiteout;
pub mod words;

pub use dangling::Dangling;
pub use error::MountError;
pub use overlay::{Lowers, Overlay};
pub use plan::scratch;
