//! `rcgroup exec`: joins a cgroup and becomes a program. The PID stays.

use std::convert::Infallible;
use std::ffi::OsString;

use kit_plan::Fault;

use crate::{CgroupError, Hierarchies, member};

/// Why a program was not executed in a cgroup.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
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

impl Fault for ExecError {
    /// 127 not found, 126 cannot be executed, else 125.
    fn exit(&self) -> u8 {
        match self {
            Self::Program(error) => error.exit(),
            _ => 125,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Cgroup(error) => error.hint(),
            Self::Join { .. } => None,
            Self::Program(error) => Fault::hint(error),
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
