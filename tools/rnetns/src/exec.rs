//! `rnetns exec`: becomes a program inside a namespace. The PID stays, so signals reach it.

use std::convert::Infallible;
use std::ffi::OsString;

use kit_plan::Fault;

use crate::{Netns, NetnsError, enter};

/// Enters `netns` as [`enter::like_ip`] does, and executes `argv`, whose first word is looked up on `PATH`. Returns only the
/// reason why not.
pub fn exec(netns: &Netns, argv: &[OsString]) -> Result<Infallible, ExecError> {
    enter::like_ip(netns)?;
    Err(kit_sys::exec::exec(argv).into())
}

/// Why a program was not executed in a namespace.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum ExecError {
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error(transparent)]
    Program(#[from] kit_sys::exec::ExecError),
}

impl Fault for ExecError {
    /// 127 not found, 126 cannot be executed, else 125.
    fn exit(&self) -> u8 {
        match self {
            Self::Netns(_) => 125,
            Self::Program(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Netns(error) => error.hint(),
            Self::Program(error) => Fault::hint(error),
        }
    }
}
