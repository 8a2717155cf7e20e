//! `rnetns exec`: becomes a program inside a namespace. The PID stays, so signals reach it.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::fd::AsFd;

use kit_plan::Fault;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Netns, NetnsError};

/// Enters `netns` and executes `argv`, whose first word is looked up on `PATH`. Returns only the reason why not.
///
/// Unlike ip-netns(8) it makes no mount namespace and remounts no /sys: `rnetns exec` changes the network
/// stack and nothing else.
pub fn exec(netns: &Netns, argv: &[OsString]) -> Result<Infallible, ExecError> {
    let file = netns.open()?;
    let entered = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
    entered.map_err(|errno| NetnsError::Io {
        doing: "entering network namespace",
        path: netns.path(),
        source: errno.into(),
    })?;
    Err(kit_sys::exec::exec(argv).into())
}

#[derive(Debug, thiserror::Error)]
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
