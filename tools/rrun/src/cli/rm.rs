//! `rrun rm` and `rename`.

use box_ops::remove::{self, Removal};
use box_state::{Containers, StateError};
use kit_cli::{Act, Failure, Result};

use super::steps::{self, fault, find};

#[derive(clap::Args)]
pub struct RenameArgs {
    #[command(flatten)]
    pub act: Act,
    /// A name, an ID, or the beginning of one
    pub container: String,
    /// The new name
    pub name: String,
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// Kill a container that runs; be quiet about one that does not exist
    #[arg(short, long)]
    pub force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,
    /// Containers; - reads them from standard input
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = steps::names(&args.containers, "rm")?;
    if args.containers.is_empty() {
        return Err(Failure::usage("rm needs at least one container").hint("rrun ps -a shows them"));
    }
    // As docker: what is not there is as good as removed. Any other reason is told.
    let unknown = |name: &str| matches!(containers.find(name), Err(StateError::Unknown { .. }));
    let mut names = names;
    names.retain(|name| !args.force || !unknown(name));
    let how = Removal {
        force: args.force,
        volumes: args.volumes,
    };
    steps::each(args.act, "rm", &names, containers, |of| {
        if args.force && !args.act.dry_run {
            box_ops::stop::settled(&of.containers, &of.container);
        }
        remove::stages(of, how).map_err(fault)
    })
}

pub fn rename(args: &RenameArgs, containers: &Containers) -> Result {
    let of = find(containers, &args.container)?;
    let plan = remove::rename(of, &args.name).map_err(fault)?;
    steps::carry_out(args.act, &plan, containers)?;
    Ok(0)
}
