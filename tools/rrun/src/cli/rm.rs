//! `rrun rm` and `rename`.

use kit_cli::{Failure, Result, emit};

use super::{fault, find, stop};
use crate::state::{Container, Containers, Lock};
use crate::volume;

#[derive(clap::Args)]
pub struct Args {
    /// Kill one that runs; be quiet about one that is not there
    #[arg(short, long)]
    pub force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,
    /// Containers; - reads them from standard input
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    if args.containers.is_empty() {
        return Err(Failure::usage("rm needs at least one container")
            .hint("rrun ps -a shows them")
            .into());
    }
    kit_cli::each(&names, |name| {
        let (containers, container) = match containers.find(name) {
            Ok(found) => found,
            Err(_) if args.force => return Ok(()),
            Err(error) => return Err(fault(error).into()),
        };
        remove(&containers, &container, name, args)?;
        emit(&format!("{name}\n"))
    })
}

fn remove(containers: &Containers, container: &Container, name: &str, args: &Args) -> Result<()> {
    if containers
        .state(&container.id)
        .is_ok_and(|state| state.is_running())
    {
        if !args.force {
            return Err(
                Failure::new(format!("removing container \"{name}\": it is running"))
                    .hint(format!("rrun stop {name} first, or rrun rm -f {name}"))
                    .into(),
            );
        }
        stop::stop(containers, container, Some(0), Some("KILL"))?;
    }
    stop::settled(containers, container);
    let lock = Lock::try_take(containers, &container.id).map_err(fault)?;
    if lock.is_none() {
        return Err(Failure::new(format!(
            "removing container \"{name}\": another command is at work on it"
        ))
        .into());
    }
    if !containers.dir(&container.id).exists() {
        // It was --rm, and its monitor has removed it by now.
        return Ok(());
    }
    let trash = containers.discard(container).map_err(fault)?;
    release(containers, container, args.volumes);
    let _ = std::fs::remove_dir_all(trash);
    Ok(())
}

/// Frees what a removed container held: the pin on its image, and with `volumes` its anonymous volumes.
pub fn release(containers: &Containers, container: &Container, volumes: bool) {
    let store = runpack::Store::open(&containers.roots.root);
    if container.image.is_some() {
        let _ = store.unpin(&container.id);
    }
    if volumes {
        for point in volume::anonymous(container) {
            let _ = volume::remove(&containers.roots, &point);
        }
    }
}

pub fn rename(containers: &Containers, from: &str, to: &str) -> Result {
    let (containers, mut container) = find(containers, from)?;
    crate::spec::names::check_name(to).map_err(Failure::usage)?;
    containers.take_name(to, &container.id).map_err(fault)?;
    let old = std::mem::replace(&mut container.name, to.to_owned());
    containers.save(&container).map_err(fault)?;
    containers.free_name(&old, &container.id);
    Ok(0)
}
