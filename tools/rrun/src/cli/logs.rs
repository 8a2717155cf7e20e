//! soon
use crate::state::Containers;
use kit_cli::Result;
#[derive(clap::Args)]
pub struct Args {
    pub names: Vec<String>,
}
pub fn run(_: &Args, _: &Containers) -> Result {
    Ok(0)
}
