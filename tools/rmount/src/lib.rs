//! Overlay, bind and tmpfs mounts, and what changed in them.
//!
//! For builders of a runtime: [`overlay::mount_overlay`], [`bind::bind_into`] beneath a root that may be hostile,
//! [`attr::set_readonly_recursive`], [`attr::make_private`]; for readers of layers: [`whiteout`] and [`diff`].
//! Everything works on paths, descriptors and values, and in the mount namespace of the calling thread.
//!
//! ```no_run
//! use rmount::overlay::{Overlay, OverlayOptions, Upper, mount_overlay};
//!
//! let overlay = Overlay {
//!     lowers: vec!["/layers/app".into(), "/layers/base".into()],
//!     upper: Some(Upper { upper: "/c1/upper".into(), work: "/c1/work".into() }),
//!     options: OverlayOptions::default(),
//! };
//! mount_overlay(&overlay, std::path::Path::new("/c1/root"))?;
//! for change in rmount::diff::diff("/c1/upper".as_ref(), &overlay.lowers)? {
//!     println!("{} {}", change.kind.letter(), change.path.display());
//! }
//! # Ok::<(), rmount::MountError>(())
//! ```

pub mod attr;
pub mod bind;
#[cfg(feature = "cli")]
pub mod cli;
pub mod diff;
mod error;
pub mod inroot;
pub mod list;
pub mod mountinfo;
pub mod near;
pub mod overlay;
pub mod step;
pub mod tmpfs;
pub mod umount;
pub mod whiteout;

pub use error::MountError;
