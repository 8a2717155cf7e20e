//! `rrun exec`: a new process in a running container.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use kit_cli::{Act, Failure, Result};
use kit_plan::{Mark, Observer, Silent};

use super::flags::Bytes;
use super::prepare::changes;
use super::run::detach_keys;
use super::steps::{fault, observer, vars};
use crate::client::exec::{Over, follow};
use crate::client::size;
use box_engine::exec::Running;
use box_ops::{OpsError, exec};
use box_state::Containers;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// In the background
    #[arg(short, long)]
    pub detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set a variable
    #[arg(short, long, value_name = "K[=V]", value_parser = Bytes)]
    pub env: Vec<String>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// User, or UID, and :group
    #[arg(short, long, value_parser = Bytes)]
    pub user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    pub workdir: Option<std::ffi::OsString>,
    /// All capabilities
    #[arg(long)]
    pub privileged: bool,
    /// Keys that end this client alone
    #[arg(long)]
    pub detach_keys: Option<String>,
    /// A name, an ID, or the beginning of one
    pub container: String,
    /// The program and its words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_parser = Bytes)]
    pub command: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let (containers, container) = &containers
        .find(&args.container)
        .map_err(|e| fault(e).exactly(1))?;
    let follows = !args.detach && !args.act.dry_run;
    if args.tty && args.interactive && follows && !io::stdin().is_terminal() {
        exec::init(containers, container, &args.container).map_err(failed)?;
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave out -t when input comes from a pipe")
            .exactly(1));
    }
    let keys = detach_keys(args.detach_keys.as_deref())?;
    let called = format!("rrun exec {} {}", args.container, args.command.join(" "));
    let (plan, init) = exec::plan(
        containers,
        container,
        &args.container,
        program(args)?,
        called,
    )
    .map_err(failed)?;
    if args.act.dry_run {
        args.act
            .emit_script(&plan, &vars(containers, &container.id))?;
        return Ok(0);
    }
    let mark = Mark::new(containers.roots.instance.clone());
    let told = args.act.explain.is_some() || args.act.trace;
    let mut watch: Box<dyn Observer> = if told {
        observer(args.act, vars(containers, &container.id))?
    } else {
        Box::new(Silent)
    };
    let mut cx = box_ops::apply(&plan, mark, watch.as_mut()).map_err(|error| {
        if init.is_alive() {
            return Failure::from(error);
        }
        failed(exec::not_running(&args.container))
    })?;
    drop(watch);
    let running = Running::of(&mut cx).map_err(Failure::new)?;
    if args.detach {
        running
            .leave(running.terminal.as_ref())
            .map_err(Failure::new)?;
        return Ok(0);
    }
    let keys = if args.tty { Some(keys) } else { None };
    match follow(running, args.interactive, keys).map_err(Failure::new)? {
        Over::Exited(code) => Ok(code),
        Over::Escaped => Err(super::attach::escaped()),
    }
}

/// docker's code for a container that does not run, or is paused, is 1, not that of its own failures.
fn failed(error: OpsError) -> Failure {
    let is_down = matches!(error, OpsError::NotRunning { .. } | OpsError::Paused { .. });
    let failure = fault(error);
    if is_down { failure.exactly(1) } else { failure }
}

fn program(args: &Args) -> Result<exec::Program> {
    // As docker: an empty one is the container's.
    let workdir = args.workdir.as_ref().filter(|dir| !dir.is_empty());
    if workdir.is_some_and(|dir| !Path::new(dir).is_absolute()) {
        return Err(Failure::new("Cwd must be an absolute path").exactly(126));
    }
    Ok(exec::Program {
        command: args.command.clone(),
        env: changes(&args.env_file, &args.env)?,
        user: args.user.clone(),
        workdir: workdir.map(PathBuf::from),
        privileged: args.privileged,
        tty: args.tty,
        size: size(),
        stdin: args.interactive,
        detach: args.detach,
    })
}
