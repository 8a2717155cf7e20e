//! `rcgroup exec`: joins a cgroup and becomes a program. The PID stays.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// Joins `name` and executes `argv`. Returns only the reason why not.
pub fn exec(
    host: &Hierarchies,
    name: &str,
    argv: &[OsString],
) -> Result<std::convert::Infallible, ExecError> {
    let group = host.existing(name)?;
    let files = member::open_to_join(&group)?;
    member::join(&files).map_err(|source| ExecError::Join {
        name: name.to_owned(),
        source,
    })?;
    let program = argv.first().cloned().unwrap_or_default();
    kit_sys::signal::reset_all();
    let source = Command::new(&program).args(argv.iter().skip(1)).exec();
    Err(ExecError::Exec { program, source })
}
