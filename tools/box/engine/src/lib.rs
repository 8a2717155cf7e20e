//! The engine: an OCI bundle becomes a process. It takes config.json, a root, and steps of its caller's for each [`Phase`],
//! and has no notion of images, names or networks. Each field of config.json is carried out, or refused by its name:
//! docs/oci.md, [`fields`].
//!
//! [`Engine::plan`] makes a plan, which `kit_plan` applies, prints as a script and undoes.
#![warn(missing_docs)]

mod attributes;
mod bundle;
mod caps;
mod cgroup;
pub mod cgroupfs;
mod config;
mod container;
mod dev;
pub mod devices;
mod engine;
mod error;
pub mod exec;
pub mod fields;
mod find;
pub mod hooks;
mod idmap;
mod in_sh;
pub mod init;
mod mask;
mod mounts;
mod names;
mod namespaces;
mod process;
mod resolve;
pub mod resources;
mod rootfs;
mod says;
pub mod source;
pub mod spawn;
mod stdio;
pub mod sysctl;
mod terminal;
mod told;
pub mod user;
mod values;

pub use bundle::{Bundle, OCI_VERSION};
pub use container::{Container, Deleted, NotStarted, Prepared};
pub use engine::{Engine, Phase, Stdio, mount, root_at};
pub use error::EngineError;
pub use find::DEFAULT_PATH;
pub use process::STDIO;
pub use rmount::overlay::{Lowers, Overlay, OverlayOptions, Upper};
pub use rootfs::Root;
pub use spawn::{PID, PIDFD, program};
pub use stdio::{Fifo, Streams, fifo_path};
pub use terminal::{TERMINAL_TO, is_terminal, receive, resize, send, set_size};
