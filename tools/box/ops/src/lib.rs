//! The verbs on containers as plans and functions that a program can call: create, start, exec, stop, remove, rename,
//! bundle, gc. Flags arrive parsed ([`spec`]); this crate has no command line and prints nothing.
#![warn(missing_docs)]

pub mod bundle;
pub mod create;
mod error;
pub mod exec;
pub mod frozen;
pub mod gc;
pub mod remove;
mod says;
pub mod size;
pub mod spec;
pub mod start;
mod steps;
pub mod stop;
mod subject;
pub mod volume;
mod work;

pub use error::OpsError;
pub use start::Watch;
pub use steps::send;
pub use subject::Subject;
pub use work::{Work, apply, side_by_side};
