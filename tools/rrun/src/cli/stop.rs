//! `rrun stop`, `kill`, `restart` and `wait`.

use box_ops::spec::sizes::parse_signal;
use box_ops::stop;
use box_state::Containers;
use kit_cli::{Act, Failure, Result, emit};

use super::steps::{self, fault, find, vars, watching};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// Seconds until SIGKILL; -1 waits for ever
    #[arg(short, long, visible_alias = "timeout", allow_hyphen_values = true)]
    pub time: Option<i64>,
    /// The signal, instead of the container's own
    #[arg(short, long)]
    pub signal: Option<String>,
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct KillArgs {
    #[command(flatten)]
    pub act: Act,
    /// The signal, by its name or number
    #[arg(short, long, default_value = "KILL")]
    pub signal: String,
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct RestartArgs {
    #[command(flatten)]
    pub act: Act,
    /// Seconds until SIGKILL
    #[arg(short, long, visible_alias = "timeout", allow_hyphen_values = true)]
    pub time: Option<i64>,
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct WaitArgs {
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "stop")?;
    // As docker: an empty one is the container's own.
    let signal = args.signal.as_deref().filter(|signal| !signal.is_empty());
    steps::each(args.act, "stop", &names, containers, |of| {
        stop::stages(of, args.time, signal).map_err(fault)
    })
}

pub fn kill(args: &KillArgs, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "kill")?;
    // As docker: an empty one is SIGKILL.
    let signal = match args.signal.as_str() {
        "" => stop::SIGKILL,
        given => parse_signal(given).map_err(Failure::usage)?,
    };
    steps::each(args.act, "kill", &names, containers, |of| {
        stop::kill(of, signal).map_err(fault)
    })
}

pub fn restart(args: &RestartArgs, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "restart")?;
    steps::each(args.act, "restart", &names, containers, |of| {
        let watch = watching(args.act, &vars(containers, &of.container.id));
        stop::restart(of, args.time, watch).map_err(fault)
    })
}

pub fn wait(args: &WaitArgs, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "wait")?;
    kit_cli::each(&names, |name| {
        let code = stop::wait(&find(containers, name)?).map_err(fault)?;
        emit(&format!("{code}\n"))
    })
}
