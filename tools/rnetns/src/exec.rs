//! `rnetns exec`: becomes a program inside a namespace. The PID stays, so signals reach it.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Netns, NetnsError};

/// Enters `netns` and executes `argv`, whose first word is looked up on `PATH`. Returns only the reason why not.
///
/// Unlike ip-netns(8) it makes no mount namespace and remounts no /sys: `rnetns exec` changes the network
/// stack and nothing else.
pub fn exec(netns: &Netns, argv: &[OsString]) -> Result<std::convert::Infallible, ExecError> {
    let file = netns.open()?;
    let entered = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
    entered.map_err(|errno| NetnsError::Io {
        doing: "entering network namespace",
        path: netns.path(),
        source: errno.into(),
    })?;
    let Some((program, args)) = argv.split_first() else {
        return Err(ExecError::Nothing);
    };
    kit_sys::signal::reset_all();
    let source = Command::new(program).args(args).exec();
    Err(ExecError::Exec {
        program: program.clone(),
        source,
    })
}

#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error("executing: no command given")]
    Nothing,
    #[error("executing {program:?}: {source}")]
    Exec {
        program: OsString,
        source: std::io::Error,
    },
}

impl ExecError {
    /// 127 not found, 126 cannot be executed, else 125.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exec { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 127,
            Self::Exec { .. } => 126,
            _ => 125,
        }
    }
}
