//! Containers: all of the primitives, composed. This is docker's face: words, output, the terminal.
//!
//! Flags become an OCI runtime configuration by pure functions ([`spec`]); `box_engine` turns that into a process,
//! with which a `box_monitor` stays; `box_state` is what is on disk.

pub mod cli;
pub mod client;
pub mod spec;
pub mod volume;
