//! `rrun gc`.

use box_ops::gc;
use box_state::Containers;
use kit_cli::{Act, Failure, Result, emit};
use kit_plan::{StepError, Vars};

use super::steps::{fault, observer};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// Leave an empty network as it is
    #[arg(long)]
    pub keep_network: bool,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let vars = Vars::of_roots(&containers.roots);
    let told = if args.act.dry_run {
        let (plan, told) = gc::plan(containers, args.keep_network);
        args.act.emit_script(&plan, &vars)?;
        told
    } else {
        let mut watch = observer(args.act, vars)?;
        let told = gc::run(containers, args.keep_network, watch.as_mut()).map_err(fault)?;
        emit(&told.text())?;
        told
    };
    if told.failures.is_empty() {
        return Ok(0);
    }
    let each: Vec<String> = told.failures.iter().map(ToString::to_string).collect();
    let hint = told.failures.iter().find_map(StepError::get_hint);
    Err(Failure::new(each.join("; ")).hint_from(hint))
}
