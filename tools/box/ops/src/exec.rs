//! One more program in a running container.

use std::path::PathBuf;

use box_engine::exec::Exec;
use box_state::{Container, Containers};
use kit_plan::{Plan, ProcessId};
use kit_seccomp::Filter;
use oci_spec::runtime::Process;

use crate::OpsError;
use crate::frozen::thaw;
use crate::spec::capabilities::all_sets;
use crate::spec::env::{self, EnvChange};

/// What is asked for; all else the program has as the container's own has it.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Its name and arguments.
    pub command: Vec<String>,
    /// What is done to the container's environment, in this order.
    pub env: Vec<EnvChange>,
    /// `USER[:GROUP]`, looked up inside.
    pub user: Option<String>,
    /// An absolute path inside.
    pub workdir: Option<PathBuf>,
    /// All capabilities, and no filter of system calls.
    pub privileged: bool,
    /// A terminal of the container's, of [`size`](Self::size) rows and columns.
    pub tty: bool,
    /// Rows and columns.
    pub size: Option<(u16, u16)>,
    /// The caller writes to its standard input.
    pub stdin: bool,
    /// Nobody reads its output.
    pub detach: bool,
}

/// The plan that starts the program, for [`box_engine::exec::Running::of`], and the container's first process, beside which
/// alone the program can live. `name` is what the container is called in errors, `called` the plan's command.
///
/// # Errors
/// The container does not run, its files cannot be read, or its filter cannot be compiled.
pub fn plan(
    containers: &Containers,
    container: &Container,
    name: &str,
    asked: Program,
    called: String,
) -> Result<(Plan, ProcessId), OpsError> {
    let init = init(containers, container, name)?;
    let spec = containers.spec(&container.id)?;
    let mut process = spec.process().clone().unwrap_or_default();
    let filter = if asked.privileged {
        process.set_capabilities(Some(all_sets()?));
        None
    } else {
        Filter::of(&spec)?
    };
    dress(&mut process, &asked);
    let cgroup = box_monitor::cgroup_of(containers, container, init.pid);
    if let Some(way) = cgroup.as_ref().and_then(|(host, group)| thaw(host, group)) {
        let name = name.to_owned();
        return Err(OpsError::Paused { name, way });
    }
    // As docker: an empty one is the container's.
    let user = asked.user.filter(|user| !user.is_empty());
    let exec = Exec {
        init: init.clone(),
        process,
        filter,
        user: user.or_else(|| box_engine::user::asked(&spec).map(str::to_owned)),
        cgroup,
        tty: asked.tty,
        detach: asked.detach,
        stdin: asked.stdin,
        size: asked.size,
    };
    Ok((box_engine::exec::plan(exec, called), init))
}

/// The first process of a container that runs.
///
/// # Errors
/// It does not run, or its state cannot be read.
pub fn init(
    containers: &Containers,
    container: &Container,
    name: &str,
) -> Result<ProcessId, OpsError> {
    let state = containers.state(&container.id)?;
    let running = state.process.clone().filter(|_| state.is_running());
    running.ok_or_else(|| not_running(name))
}

/// Why nothing is executed in a container that has ended, or ends meanwhile.
#[must_use]
pub fn not_running(name: &str) -> OpsError {
    OpsError::NotRunning {
        doing: "executing in",
        name: name.to_owned(),
    }
}

fn dress(process: &mut Process, asked: &Program) {
    process.set_args(Some(asked.command.clone()));
    process.set_terminal(Some(asked.tty));
    if let Some(workdir) = &asked.workdir {
        process.set_cwd(workdir.clone());
    }
    let mut env = process.env().clone().unwrap_or_default();
    if asked.tty && !env.iter().any(|pair| pair.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    for change in &asked.env {
        env::apply(&mut env, change);
    }
    process.set_env(Some(env));
}
