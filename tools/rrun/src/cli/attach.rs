//! `rrun attach`: connects this terminal to a running container's program; starts no process.

use kit_cli::{Failure, Result};

use super::run::{detach_keys, finish};
use super::steps::{fault, find};
use super::talking;
use crate::client::{self, Attach, DetachKeys, Ended};
use box_monitor as monitor;
use box_state::{Container, Containers};
use box_wire::Request;

#[derive(clap::Args)]
pub struct Args {
    /// Do not pass input on
    #[arg(long)]
    pub no_stdin: bool,
    /// Keys that leave the container running
    #[arg(long)]
    pub detach_keys: Option<String>,
    /// Pass signals on to the container
    #[arg(long, default_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    /// A name, an ID, or the beginning of one
    pub container: String,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let box_ops::Subject {
        containers,
        container,
    } = &find(containers, &args.container)?;
    let state = containers.state(&container.id).map_err(fault)?;
    if !state.is_running() {
        return Err(Failure::new(format!(
            "attaching to container \"{}\": it is not running",
            args.container
        ))
        .hint(format!("rrun start -ai {} starts it", args.container)));
    }
    let keys = detach_keys(args.detach_keys.as_deref())?;
    let ended = attach(containers, container, !args.no_stdin, keys, args.sig_proxy)?;
    if matches!(ended, Ended::Escaped) {
        return Err(escaped());
    }
    finish(Some(ended), container)
}

/// docker's words when the detach keys end `attach` or `exec`.
pub fn escaped() -> Failure {
    Failure::new("read escape sequence").exactly(1)
}

pub fn attach(
    containers: &Containers,
    container: &Container,
    stdin: bool,
    detach_keys: DetachKeys,
    sig_proxy: bool,
) -> Result<Ended> {
    let state = containers.state(&container.id).map_err(fault)?;
    if state.is_unattended() {
        monitor::take_over(containers, &container.id)?;
    }
    let mut socket = monitor::connect(containers, &container.id).map_err(|e| {
        Failure::new(format!(
            "attaching to container \"{}\": {e}",
            container.name
        ))
    })?;
    let stdin = stdin && container.open_stdin;
    let version = box_wire::VERSION;
    Request::Attach { stdin, version }
        .write(&mut socket)
        .map_err(talking)?;
    if let Some((rows, columns)) = client::size().filter(|_| container.tty) {
        // As docker: what is on the screen was drawn for somebody else, and a change of size makes programs draw it again.
        for more in [1, 0] {
            Request::Resize(rows.saturating_add(more), columns.saturating_add(more))
                .write(&mut socket)
                .map_err(talking)?;
        }
    }
    let mut attach = Attach {
        stdin,
        stdout: true,
        stderr: true,
        tty: container.tty,
        detach_keys,
        // On a terminal the keyboard sends signals as bytes; closing the terminal ends only this client.
        forward: state.process.filter(|_| sig_proxy && !container.tty),
    };
    client::relay(&mut socket, &mut attach).map_err(Failure::new)
}
