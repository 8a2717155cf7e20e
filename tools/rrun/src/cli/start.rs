//! `rrun start`.

use std::io::{self, Write};

use kit_cli::{Failure, Result, emit};

use super::run::{detach_keys, finish};
use super::{fault, find, told};
use crate::client::{self, Attach, Ended};
use crate::monitor;
use crate::monitor::wire::{Go, Request};
use crate::state::{Container, Containers};

#[derive(clap::Args)]
pub struct Args {
    /// Attach to its output, and pass signals on
    #[arg(short, long)]
    pub attach: bool,
    /// Attach its input
    #[arg(short, long)]
    pub interactive: bool,
    /// Print each step on standard error as it happens
    #[arg(long)]
    pub explain: bool,
    /// Print each step on standard error as a JSON line
    #[arg(long, conflicts_with = "explain")]
    pub trace: bool,
    /// Keys that leave the container running
    #[arg(long)]
    pub detach_keys: Option<String>,
    #[arg(required = true)]
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    if args.attach || args.interactive {
        let [name] = names.as_slice() else {
            return Err(
                Failure::usage("you cannot start and attach multiple containers at once").into(),
            );
        };
        let (containers, container) = find(containers, name)?;
        return attached(args, &containers, &container);
    }
    kit_cli::each(&names, |name| {
        let (containers, container) = find(containers, name)?;
        start(&containers, &container, args.explain, args.trace)?;
        emit(&format!("{name}\n"))
    })
}

/// Starts one in the background; one that runs already is left alone, as docker does.
pub fn start(
    containers: &Containers,
    container: &Container,
    explain: bool,
    trace: bool,
) -> Result<()> {
    if containers.state(&container.id).map_err(fault)?.is_running() {
        return Ok(());
    }
    super::stop::settled(containers, container);
    let go = Go {
        id: container.id.clone(),
        attach: false,
        explain,
        trace,
        size: None,
    };
    let mut fresh = monitor::fork(containers)?;
    Request::Go(go).write(&mut fresh.socket)?;
    match client::wait_started(&mut fresh.socket)? {
        None => Ok(()),
        Some(Ended::Failed(failed)) => Err(told(failed).exit(1).into()),
        Some(_) => Err(Failure::new(format!(
            "starting container \"{}\": its monitor is gone",
            container.name
        ))
        .into()),
    }
}

fn attached(args: &Args, containers: &Containers, container: &Container) -> Result {
    if containers.state(&container.id).map_err(fault)?.is_running() {
        let _ = io::stderr().write_all(b"hint: it runs already; attaching\n");
        return super::attach::attach(
            containers,
            container,
            args.interactive,
            args.detach_keys.as_deref(),
            true,
        );
    }
    super::stop::settled(containers, container);
    let size = if container.tty { client::size() } else { None };
    let go = Go {
        id: container.id.clone(),
        attach: true,
        explain: args.explain,
        trace: args.trace,
        size,
    };
    let mut fresh = monitor::fork(containers)?;
    Request::Go(go).write(&mut fresh.socket)?;
    if let Some(ended) = client::wait_started(&mut fresh.socket)? {
        return finish(Some(ended), container);
    }
    let mut attach = Attach {
        stdin: container.open_stdin && args.interactive,
        stdout: true,
        stderr: true,
        tty: container.tty,
        detach_keys: detach_keys(args.detach_keys.as_deref())?,
        forward: containers
            .state(&container.id)
            .ok()
            .and_then(|state| state.process),
    };
    let ended = client::relay(&mut fresh.socket, &mut attach)?;
    finish(Some(ended), container)
}
