//! `rrun start`.

use std::io::{self, Write};

use kit_cli::{Act, Failure, Result, emit};

use super::run::{detach_keys, finish};
use super::steps::{self, fault, find, vars, watching};
use super::told;
use crate::client::{self, Attach, Ended};
use box_monitor as monitor;
use box_ops::start::{self as ops, Outcome};
use box_ops::{Subject, stop};
use box_state::Containers;
use kit_plan::{Plan, Vars};

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
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

impl Args {
    fn attaches(&self) -> bool {
        self.attach || self.interactive
    }
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "start")?;
    if args.act.dry_run {
        return dry_run(args, &names, containers);
    }
    if args.attaches() {
        let [name] = names.as_slice() else {
            return Err(Failure::usage(
                "you cannot start and attach multiple containers at once",
            ));
        };
        return attached(args, &find(containers, name)?);
    }
    kit_cli::each(&names, |name| {
        let of = find(containers, name)?;
        ops::start(
            &of,
            watching(args.act, &vars(&of.containers, &of.container.id)),
        )
        .map_err(fault)?;
        emit(&format!("{name}\n"))
    })
}

/// Prints the plan that its monitor would carry out, of one container: a script has one child. Where the verb does not
/// wait for the program, the script does not.
fn dry_run(args: &Args, names: &[String], containers: &Containers) -> Result {
    let act = args.act;
    let [name] = names else {
        return Err(Failure::usage("a script starts one container")
            .hint("give --dry-run one name at a time"));
    };
    let Subject {
        containers,
        container,
    } = find(containers, name)?;
    if containers.state(&container.id).map_err(fault)?.is_running() {
        let nothing = Plan::new(format!("rrun start {name}"));
        act.emit_script(&nothing, &Vars::default())?;
        return Ok(0);
    }
    let spec = containers.spec(&container.id).map_err(fault)?;
    let plan = monitor::plan(&containers, &container, spec).map_err(|e| told(e).exit(1))?;
    let printed = (!args.attaches()).then_some(name.as_str());
    act.emit_script_in(&plan, &vars(&containers, &container.id), printed)?;
    Ok(0)
}

fn attached(args: &Args, of: &Subject) -> Result {
    let Subject {
        containers,
        container,
    } = of;
    // What is wrong in itself is told before anything starts.
    let keys = detach_keys(args.detach_keys.as_deref())?;
    stop::settled(containers, container);
    if containers.state(&container.id).map_err(fault)?.is_running() {
        let _ = io::stderr().write_all(b"hint: it runs already; attaching\n");
        let ended = super::attach::attach(containers, container, args.interactive, keys, true)?;
        return finish(Some(ended), container);
    }
    let size = if container.tty { client::size() } else { None };
    let watch = watching(args.act, &vars(containers, &of.container.id));
    let (mut fresh, outcome) = ops::launch(of, watch, true, size).map_err(fault)?;
    match outcome {
        Outcome::Started => kit_cli::explained(),
        Outcome::Failed(failed) => return finish(Some(Ended::Failed(failed)), container),
        Outcome::Lost => return finish(Some(Ended::Lost), container),
    }
    let mut attach = Attach {
        stdin: container.open_stdin && args.interactive,
        stdout: true,
        stderr: true,
        tty: container.tty,
        detach_keys: keys,
        forward: containers
            .state(&container.id)
            .ok()
            .and_then(|state| state.process)
            .filter(|_| !container.tty),
    };
    let ended = client::relay(&mut fresh.socket, &mut attach).map_err(Failure::new)?;
    finish(Some(ended), container)
}
