//! `rrun exec`: a new process in a running container.

use std::io::{self, IsTerminal};

use kit_cli::{Act, Failure, Result};
use kit_plan::{Mark, Observer, Silent};

use super::flags::Bytes;
use super::prepare::changes;
use super::run::detach_keys;
use super::steps::{fault, observer, vars};
use crate::client::exec::{Over, follow};
use crate::client::size;
use box_engine::exec::{Exec, Running, plan};
use box_monitor as monitor;
use box_ops::spec::capabilities::all_sets;
use box_state::Containers;
use kit_seccomp::Filter;

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
    pub env_file: Vec<std::path::PathBuf>,
    /// User, or UID, and :group
    #[arg(short, long)]
    pub user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    pub workdir: Option<std::path::PathBuf>,
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
    let state = containers.state(&container.id).map_err(fault)?;
    let not_running = || {
        let name = &args.container;
        Failure::new(format!(
            "executing in container \"{name}\": it is not running"
        ))
        .hint(format!("rrun start {name} starts it"))
        .exactly(1)
    };
    let Some(process) = state.process.clone().filter(|_| state.is_running()) else {
        return Err(not_running());
    };
    let follows = !args.detach && !args.act.dry_run;
    if args.tty && args.interactive && follows && !io::stdin().is_terminal() {
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave out -t when input comes from a pipe")
            .exactly(1));
    }
    let keys = detach_keys(args.detach_keys.as_deref())?;
    let spec = containers.spec(&container.id).map_err(fault)?;
    let mut own = spec.process().clone().unwrap_or_default();
    own.set_args(Some(args.command.clone()));
    own.set_terminal(Some(args.tty));
    if let Some(workdir) = &args.workdir {
        if !workdir.is_absolute() {
            return Err(Failure::new("Cwd must be an absolute path").exactly(126));
        }
        own.set_cwd(workdir.clone());
    }
    let mut env = own.env().clone().unwrap_or_default();
    if args.tty && !env.iter().any(|pair| pair.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    for change in changes(&args.env_file, &args.env)? {
        box_ops::spec::env::apply(&mut env, &change);
    }
    own.set_env(Some(env));
    let filter = if args.privileged {
        own.set_capabilities(Some(all_sets().map_err(Failure::new)?));
        None
    } else {
        Filter::of(&spec).map_err(Failure::new)?
    };
    let exec = Exec {
        init: process.clone(),
        process: own,
        filter,
        // As docker: an empty one is the container's.
        user: args
            .user
            .clone()
            .filter(|user| !user.is_empty())
            .or_else(|| box_engine::user::asked(&spec).map(str::to_owned)),
        cgroup: monitor::cgroup_of(containers, container, process.pid),
        tty: args.tty,
        detach: args.detach,
        stdin: args.interactive,
        size: size(),
    };
    let words = args.command.join(" ");
    let plan = plan(exec, format!("rrun exec {} {words}", args.container));
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
        if process.is_alive() {
            return Failure::from(error);
        }
        not_running()
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
