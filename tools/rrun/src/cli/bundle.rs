//! `rrun bundle C DIR`: an OCI bundle of a stopped container, for runc and crun.

use std::path::PathBuf;

use box_ops::bundle;
use box_state::Containers;
use kit_cli::{Act, Result, emit};

use super::steps::{fault, find};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// Unmount the root again; config.json stays
    #[arg(long)]
    pub umount: bool,
    /// A container that does not run
    pub container: String,
    /// The bundle: config.json and rootfs go into it. Made if it does not exist
    pub dir: PathBuf,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let of = find(containers, &args.container)?;
    if args.umount {
        args.act.run(&bundle::unmount(&args.container, &args.dir))?;
        return Ok(0);
    }
    let (plan, _lock) = bundle::plan(&of, &args.dir).map_err(fault)?;
    args.act.run(&plan)?;
    if !args.act.dry_run {
        emit(&format!("{}\n", args.dir.display()))?;
    }
    Ok(0)
}
