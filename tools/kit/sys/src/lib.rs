//! Kernel calls that nix and rustix lack.
//!
//! The only crate of the workspace in which `unsafe` is allowed; each block says why it is sound. Everything
//! exported from here is safe to call. What a crate already offers does not belong here; `tree` is what std offers, for trees that mean harm; `calls`
//! is a record of what was called.
#![warn(missing_docs)]
#![allow(unsafe_code)]

pub mod bpf;
pub mod calls;
pub mod clone;
pub mod exec;
pub mod fds;
pub mod file;
pub mod memory;
pub mod mount;
pub mod ns;
pub mod process;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod title;
pub mod tree;
