//! The command `rrun`: what a user of docker types, and what comes of it.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod bytes;
mod client;
mod create;
mod engine;
mod exec;
mod explain;
mod forms;
mod gc;
mod hints;
mod images;
mod inside;
mod life;
mod list;
mod many;
mod names;
mod paused;
mod published;
mod readback;
mod replay;
mod run;
mod run_script;
mod slips;
mod top;
mod transient;
mod typed;
mod verbs;
mod versions;
mod volumes;
mod ways;
mod words;
