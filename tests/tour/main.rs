//! What the README promises, typed by a newcomer: its blocks, `scripts/quickstart`, `scripts/install`, a tutorial's words, and
//! whole Debian systems.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod debian;
mod help;
mod install;
mod quickstart;
mod readme;
mod transcript;
