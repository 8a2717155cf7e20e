//! `rrun gc`: what killed processes left is undone, and nothing else touched.

use std::time::{Duration, Instant};

use kit_plan::{Fate, Recovery, recover, recover_one};
use kit_undo::Kernel;

use super::end::UNKNOWN;
use super::wire::Failed;
use crate::state::{Containers, Status, now};
use crate::volume;

/// How long a monitor that is past its report may take to go.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was collected.
#[derive(Debug, Default)]
pub struct Collected {
    pub recovery: Recovery,
    /// Containers that run without a monitor: the caller starts one for each.
    pub unattended: Vec<String>,
    /// Temporary names and trash that were removed.
    pub removed: usize,
}

/// Replays journals, removes temporary names and trash, settles what is no longer running.
pub fn collect(containers: &Containers) -> Collected {
    wait_for_leaving(containers);
    let kernel = Kernel::new();
    let mut unattended = Vec::new();
    let recovery = recover(&containers.roots.journals(), &kernel, &mut |header| {
        let Some(id) = &header.container else {
            return Fate::Replay;
        };
        match containers.holding(id).state(id) {
            Ok(state) if state.is_running() => {
                unattended.push(id.clone());
                Fate::Leave
            }
            _ => Fate::Replay,
        }
    });
    settle(containers);
    let removed = sweep(containers);
    Collected {
        recovery,
        unattended,
        removed,
    }
}

/// Undoes what is left of the last run of a container that is about to start, if its monitor and then its processes
/// were killed. Its lock is the caller's.
pub fn last_run(containers: &Containers, id: &str) -> Result<(), Failed> {
    let path = containers.roots.journals().join(format!("{id}.jsonl"));
    if !path.exists() {
        return Ok(());
    }
    let runs = containers.state(id).is_ok_and(|state| state.is_running());
    let recovery = recover_one(&path, &Kernel::new(), &mut |_| {
        if runs { Fate::Leave } else { Fate::Replay }
    });
    let wrong: Option<&dyn std::error::Error> =
        match (recovery.errors.first(), recovery.unreadable.first()) {
            (Some(error), _) => Some(error),
            (None, Some(error)) => Some(error),
            (None, None) => None,
        };
    let hint = "what is left of its last run is in the way: rrun gc tries again";
    wrong.map_or(Ok(()), |error| {
        Err(super::born::failed(error, Some(hint), 125))
    })
}

/// A monitor reports before it has deleted its trash and dropped its journal: such a one is waited for.
fn wait_for_leaving(containers: &Containers) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && containers_leaving(containers) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn containers_leaving(containers: &Containers) -> bool {
    let Ok(files) = std::fs::read_dir(containers.roots.journals()) else {
        return false;
    };
    files.flatten().any(|file| {
        let Ok(journal) = kit_plan::Journal::peek(&file.path()) else {
            return false;
        };
        let Some(id) = &journal.header.container else {
            return false;
        };
        let over = containers
            .state(id)
            .map_or(journal.is_committed(), |state| {
                state.status == Status::Exited
            });
        over && journal.header.owner.is_alive()
    })
}

/// Containers whose file says "running" and that do not run: their monitor was killed, and then they ended.
fn settle(containers: &Containers) {
    for id in containers.ids() {
        let Ok(Some(_lock)) = crate::state::Lock::try_take(containers, &id) else {
            continue;
        };
        let Ok(mut state) = containers.state(&id) else {
            continue;
        };
        if !matches!(state.status, Status::Running | Status::Paused) || state.is_running() {
            continue;
        }
        state.status = Status::Exited;
        state.process = None;
        state.monitor = None;
        state.exit_code = UNKNOWN;
        state.finished_at = now();
        "its monitor was killed, so nobody saw its exit code".clone_into(&mut state.error);
        let _ = containers.save_state(&id, &state, true);
        if let Ok(container) = containers.load(&id)
            && container.auto_remove
        {
            let trash = containers.discard(&container).ok();
            super::end::release(containers, &container, trash.as_deref());
        }
    }
}

/// Trash, half-made containers, run directories of nobody, names of nobody.
fn sweep(containers: &Containers) -> usize {
    let mut removed = 0;
    let list = |dir: std::path::PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    for file in list(containers.trash()) {
        removed += usize::from(std::fs::remove_dir_all(file.path()).is_ok());
    }
    for file in list(containers.roots.root.join("containers")) {
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        if !crate::state::is_abandoned(&file.path()) {
            continue;
        }
        if let Some(id) = name.strip_prefix('.').and_then(|n| n.strip_suffix(".new")) {
            // Last: what else there is of it is known by this directory.
            for path in volume::leftovers(&containers.roots, id) {
                removed += usize::from(std::fs::remove_dir_all(path).is_ok());
            }
            removed += usize::from(std::fs::remove_dir_all(file.path()).is_ok());
        } else if never_to_start(containers, name)
            && let Ok(container) = containers.load(name)
        {
            let trash = containers.discard(&container).ok();
            super::end::release(containers, &container, trash.as_deref());
            removed += usize::from(trash.is_some_and(|dir| std::fs::remove_dir_all(dir).is_ok()));
        }
    }
    for file in list(containers.roots.run.join("containers")) {
        let Ok(id) = file.file_name().into_string() else {
            continue;
        };
        if containers.dir(&id).exists() || containers.is_being_made(&id) {
            continue;
        }
        // The lock decides: a monitor at the end of a --rm run still holds it.
        if let Ok(Some(_lock)) = crate::state::Lock::try_take(containers, &id) {
            removed += usize::from(std::fs::remove_dir_all(file.path()).is_ok());
        }
    }
    for (name, id) in containers.orphaned_names() {
        containers.free_name(&name, &id);
        removed += 1;
    }
    removed
}

/// Whether a run of --rm was killed just before its start; a replayed `--dry-run` is one too, and while it runs it has
/// its cgroup.
fn never_to_start(containers: &Containers, id: &str) -> bool {
    let is_new = containers
        .state(id)
        .is_ok_and(|state| state.starting && state.status == Status::Created);
    if !is_new
        || !containers
            .load(id)
            .is_ok_and(|container| container.auto_remove)
    {
        return false;
    }
    let cgroup = format!("{}/{id}", containers.roots.instance.name());
    let runs = rcgroup::Hierarchies::detect().map_or(true, |host| host.existing(&cgroup).is_ok());
    // Its monitor takes the lock before anything else.
    !runs && matches!(crate::state::Lock::try_take(containers, id), Ok(Some(_)))
}

/// The instance's parent in each hierarchy goes when nobody is left below it.
pub fn remove_empty_parents(instance: &kit_plan::Instance) {
    let Ok(host) = rcgroup::Hierarchies::detect() else {
        return;
    };
    let Ok(parent) = host.existing(&instance.name()) else {
        return;
    };
    for dir in parent.unique_dirs() {
        // Not empty is somebody's.
        let _ = std::fs::remove_dir(dir);
    }
}
