//! `rrun start`.

use std::io::{self, Write};

use kit_cli::{Act, Failure, Result, emit};

use super::run::{detach_keys, finish, likely};
use super::{fault, find, told};
use crate::client::{self, Attach, Ended};
use box_monitor::{self as monitor, Fresh};
use box_state::{Container, Containers};
use box_wire::{Go, Request};

#[derive(clap::Args)]
pub struct Args {
    /// Attach to its output, and pass signals on
    #[arg(short, long)]
    pub attach: bool,
    /// Attach its input
    #[arg(short, long)]
    pub interactive: bool,
    #[command(flatten)]
    pub act: Act,
    /// Keys that leave the container running
    #[arg(long)]
    pub detach_keys: Option<String>,
    #[arg(required = true)]
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    if args.act.dry_run {
        return dry_run(&names, containers);
    }
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
        start(&containers, &container, args.act)?;
        emit(&format!("{name}\n"))
    })
}

/// The plan that its monitor would carry out; a script has one child, so it is of one container.
fn dry_run(names: &[String], containers: &Containers) -> Result {
    let [name] = names else {
        return Err(Failure::usage("a script starts one container")
            .hint("give --dry-run one name at a time")
            .into());
    };
    let (containers, container) = find(containers, name)?;
    if containers.state(&container.id).map_err(fault)?.is_running() {
        let nothing = kit_plan::Plan::new(format!("rrun start {name}"));
        emit(&nothing.script().map_err(Failure::from)?)?;
        return Ok(0);
    }
    let spec = containers.spec(&container.id).map_err(fault)?;
    let plan = monitor::plan(&containers, &container, spec).map_err(|e| told(e).exit(1))?;
    emit(&plan.script().map_err(Failure::from)?)?;
    Ok(0)
}

/// Starts one in the background; one that runs already is left alone, as docker does.
pub fn start(containers: &Containers, container: &Container, act: Act) -> Result<()> {
    super::stop::settled(containers, container);
    if containers.state(&container.id).map_err(fault)?.is_running() {
        return Ok(());
    }
    match launch(containers, container, act, false)?.1 {
        None => Ok(()),
        Some(Ended::Failed(failed)) => {
            // Another may have been quicker by a moment.
            super::stop::settled(containers, container);
            if containers.is_running(&container.id) {
                return Ok(());
            }
            Err(told(failed).exit(1).into())
        }
        Some(_) => Err(Failure::new(format!(
            "starting container \"{}\": its monitor is gone",
            container.name
        ))
        .into()),
    }
}

/// A monitor that has started it, or has said why it did not.
fn launch(
    containers: &Containers,
    container: &Container,
    act: Act,
    attach: bool,
) -> Result<(Fresh, Option<Ended>)> {
    super::bundle::refuse_bundled("starting", containers, container)?;
    let go = Go {
        id: container.id.clone(),
        attach,
        explain: act.explain,
        trace: act.trace,
        size: if attach && container.tty {
            client::size()
        } else {
            None
        },
    };
    let mut fresh = monitor::fork(containers, likely(container.net.is_own()))?;
    Request::Go(go).write(&mut fresh.socket)?;
    let ended = client::wait_started(&mut fresh.socket)?;
    Ok((fresh, ended))
}

fn attached(args: &Args, containers: &Containers, container: &Container) -> Result {
    super::stop::settled(containers, container);
    if containers.state(&container.id).map_err(fault)?.is_running() {
        let _ = io::stderr().write_all(b"hint: it runs already; attaching\n");
        let keys = args.detach_keys.as_deref();
        let ended = super::attach::attach(containers, container, args.interactive, keys, true)?;
        return finish(Some(ended), container);
    }
    let (mut fresh, ended) = launch(containers, container, args.act, true)?;
    if ended.is_some() {
        return finish(ended, container);
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
            .and_then(|state| state.process)
            .filter(|_| !container.tty),
    };
    let ended = client::relay(&mut fresh.socket, &mut attach)?;
    finish(Some(ended), container)
}
