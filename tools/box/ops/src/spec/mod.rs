//! Flags, image configuration and host facts become an OCI runtime configuration, by pure functions.

pub mod build;
pub mod capabilities;
mod cgroup;
pub mod command;
pub mod env;
mod error;
pub mod names;
pub mod ports;
pub mod sizes;
pub mod volumes;

pub use error::SpecError;
