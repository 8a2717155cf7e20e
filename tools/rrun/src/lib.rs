//! Containers: all of the primitives, composed. This is docker's face: words, output, the terminal.
//!
//! What the words mean is done by `box_ops`, whose plans and functions any program can call.

pub mod cli;
pub mod client;
