//! Containers: all of the primitives, composed.
//!
//! One engine, two faces: [`engine`] turns an OCI runtime configuration into a process; everything that is like
//! docker turns flags into such a configuration by pure functions ([`spec`]). A [`monitor`] stays with each
//! container; [`state`] is what is on disk.

pub mod cli;
pub mod client;
pub mod engine;
pub mod monitor;
pub mod network;
pub mod spec;
pub mod state;
pub mod volume;
