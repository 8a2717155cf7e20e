//! `rrun gc`.

use kit_cli::{Failure, Result, emit};
use rbridge::network;

use crate::monitor;
use crate::state::Containers;

#[derive(clap::Args)]
pub struct Args {
    /// Leave an empty network as it is
    #[arg(long)]
    pub keep_network: bool,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let mut failures = Vec::new();
    for containers in containers.both() {
        let collected = monitor::collect(&containers);
        for header in &collected.recovery.replayed {
            emit(&format!("undone: {}\n", header.command))?;
        }
        for id in &collected.unattended {
            monitor::take_over(&containers, id)?;
            emit(&format!("attended: {id}\n"))?;
        }
        if collected.removed > 0 {
            emit(&format!(
                "removed: {} left-over names and directories\n",
                collected.removed
            ))?;
        }
        failures.extend(collected.recovery.errors.iter().map(ToString::to_string));
        failures.extend(
            collected
                .recovery
                .unreadable
                .iter()
                .map(ToString::to_string),
        );
        release_orphans(&containers);
    }
    let store = runpack::Store::open(&containers.roots.root);
    if store.dir().exists() {
        store.gc().map_err(|e| Failure::new(&e))?;
    }
    if !args.keep_network {
        network(containers)?;
    }
    let released = rbridge::release_unused();
    failures.extend(released.err().map(|error| error.to_string()));
    monitor::remove_empty_parents(&containers.roots.instance);
    if failures.is_empty() {
        Ok(0)
    } else {
        Err(Failure::new(failures.join("; ")).into())
    }
}

/// Pins and memberships of containers that are gone.
fn release_orphans(containers: &Containers) {
    let gone = |id: &str| !containers.dir(id).exists();
    let store = runpack::Store::open(&containers.roots.root);
    for pin in store.pins().unwrap_or_default() {
        if gone(&pin.owner) && !containers.run_dir(&pin.owner).exists() {
            let _ = store.unpin(&pin.owner);
        }
    }
}

fn network(containers: &Containers) -> Result<()> {
    let roots = &containers.roots;
    let dir = network::Dir::new(roots, network::DEFAULT);
    if !dir.path().exists() {
        return Ok(());
    }
    let wrong = |e: rbridge::BridgeError| Failure::new(&e).hint_from(e.hint().as_deref());
    let nft = kit_net::Nft::open().map_err(|e| Failure::new(&e).hint_from(e.hint()))?;
    if network::remove(roots, &nft, network::DEFAULT).map_err(wrong)? {
        emit("removed: the empty network\n")?;
    }
    Ok(())
}
