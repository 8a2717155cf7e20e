//! `rcgroup exec`: joins a cgroup and becomes a program. The PID stays.

use std::convert::Infallible;
use std::ffi::OsString;

use crate::{CgroupError, Hierarchies, member};

#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error("joining cgroup \"{name}\": {source}")]
    Join {
        name: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Program(#[from] kit_sys::exec::ExecError),
}

impl ExecError {
    /// 127 not found, 126 cannot be executed, else 125.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Program(error) => error.exit_code(),
            _ => 125,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cgroup(error) => error.hint(),
            Self::Join { .. } => None,
            Self::Program(error) => error.hint(),
        }
    }
}

/// Joins `name` and executes `argv`. Returns only the reason why not.
pub fn exec(host: &Hierarchies, name: &str, argv: &[OsString]) -> Result<Infallible, ExecError> {
    let group = host.existing(name)?;
    let files = member::open_to_join(&group)?;
    member::join(&files).map_err(|source| ExecError::Join {
        name: name.to_owned(),
        source,
    })?;
    Err(kit_sys::exec::exec(argv).into())
}
