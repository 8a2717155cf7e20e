//! What killed commands and monitors have left: found by their journals and files, and undone by the steps of `rrun gc` and
//! by the next start. Only journals say what is undone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kit_plan::{Fate, Fault, ProcessId, Recovery, recover, recover_one};
use kit_undo::Kernel;

use box_state::{Container, Containers, Lock, RunState, Status, is_abandoned, is_id};
use box_wire::Failed;

/// How long a monitor may take to exit after it has reported the end of its container.
const PATIENCE: Duration = Duration::from_secs(5);

/// Replays each journal whose owner is dead: what an interrupted command had begun is undone, and the run of a container
/// that has ended is cleaned up. A container that runs is left alone. Each failure is in the result.
pub fn replay(containers: &Containers) -> Recovery {
    recover(
        &containers.roots.journals(),
        &Kernel::new(),
        &mut |header| match &header.container {
            Some(id) if containers.holding(id).is_running(id) => Fate::Leave,
            Some(_) => Fate::Replay,
            None => Fate::Drop,
        },
    )
}

/// What [`abandoned`] has found: journals whose owner is dead.
#[derive(Debug, Default)]
pub struct Abandoned {
    /// Whether [`replay`] has something to do: a journal to undo, to drop or to report as unreadable.
    pub due: bool,
    /// IDs of containers that run without a monitor.
    pub unattended: Vec<String>,
}

/// Finds the journals whose owner is dead. It changes nothing.
pub fn abandoned(containers: &Containers) -> Abandoned {
    let mut found = Abandoned::default();
    let files = std::fs::read_dir(containers.roots.journals());
    for file in files.into_iter().flatten().flatten() {
        let path = file.path();
        match path.extension().and_then(|end| end.to_str()) {
            Some("jsonl") => {}
            Some("new") => {
                found.due = true;
                continue;
            }
            _ => continue,
        }
        let journal = match kit_plan::Journal::open(&path) {
            Ok(Some(journal)) => journal,
            Ok(None) => continue,
            Err(_) => {
                found.due = true;
                continue;
            }
        };
        let id = journal.header.container.as_ref();
        let runs = id.is_some_and(|id| containers.holding(id).is_running(id));
        match id.filter(|_| runs && journal.is_committed()) {
            Some(id) => found.unattended.push(id.clone()),
            None => found.due = true,
        }
    }
    found
}

/// Undoes what is left of the last run of a container that is about to start, if its monitor and then its processes
/// were killed. The caller holds the container's lock.
pub fn last_run(containers: &Containers, id: &str) -> Result<(), Failed> {
    let path = containers.roots.journals().join(format!("{id}.jsonl"));
    if !path.exists() {
        return Ok(());
    }
    let runs = containers.is_running(id);
    let deadline = Instant::now() + PATIENCE;
    let recovery = loop {
        let recovery = recover_one(&path, &Kernel::new(), &mut |_| {
            if runs { Fate::Leave } else { Fate::Replay }
        });
        // A gc that undoes the same journal deletes it at its end, and must not delete the one of this start.
        let is_others = recovery.is_empty() && path.exists();
        if !is_others || Instant::now() >= deadline {
            break recovery;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wrong: Option<&dyn Fault> = match (recovery.errors.first(), recovery.unreadable.first()) {
        (Some(error), _) => Some(error),
        (None, Some(error)) => Some(error),
        (None, None) => None,
    };
    let hint = "what is left of its last run is in the way: rrun gc tries again";
    wrong.map_or(Ok(()), |error| {
        Err(Failed {
            hint: Some(hint.to_owned()),
            ..super::born::fault(error)
        })
    })
}

/// The monitor that is starting this container and has not finished; `None` if no process does.
pub fn starter(containers: &Containers, id: &str) -> Option<ProcessId> {
    let path = containers.roots.journals().join(format!("{id}.jsonl"));
    let journal = kit_plan::Journal::peek(&path).ok()?;
    let owner = journal.header.owner.clone();
    (!journal.is_committed() && !containers.is_running(id) && owner.is_alive()).then_some(owner)
}

/// Ends a start that hangs: its monitor is killed with SIGKILL, and what it had done is undone, the container's half-made
/// process among it. If no start is under way, nothing is done.
///
/// # Errors
/// What cannot be undone; a monitor that does not die within 5 seconds.
pub fn end_start(containers: &Containers, id: &str) -> Result<(), Failed> {
    let Some(monitor) = starter(containers, id) else {
        return Ok(());
    };
    let pid = rustix::process::Pid::from_raw(monitor.pid);
    let pidfd = pid.and_then(|pid| {
        let flags = rustix::process::PidfdFlags::empty();
        rustix::process::pidfd_open(pid, flags).ok()
    });
    // With the pidfd in hand the number cannot change its meaning any more.
    if let Some(pidfd) = pidfd.filter(|_| monitor.is_alive()) {
        let _ = rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Lock::try_take(containers, id) {
            Ok(Some(_lock)) => return last_run(containers, id),
            _ if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                return Err(Failed {
                    text: format!(
                        "ending the start of container \"{id}\": process {} does not die of SIGKILL",
                        monitor.pid
                    ),
                    hint: Some("a process in an uninterruptible wait? See ps -o stat".to_owned()),
                    exit: 1,
                });
            }
        }
    }
}

/// Waits, for at most 5 seconds, until no monitor is between its report and its exit: in that time it deletes its trash and
/// drops its journal, and a gc would take them for those of a killed monitor.
pub fn wait_for_leaving(containers: &Containers) {
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
            .holding(id)
            .state(id)
            .map_or(journal.is_committed(), |state| {
                state.status == Status::Exited
            });
        over && journal.header.owner.is_alive()
    })
}

/// The state to write for a container whose state.json says "running" while its PID 1 is dead, because its monitor was
/// killed before the end: "exited", with exit code 255. `None` if state.json is right.
pub fn settled(containers: &Containers, id: &str) -> Option<RunState> {
    let mut state = containers.state(id).ok()?;
    if !matches!(state.status, Status::Running | Status::Paused) || state.is_running() {
        return None;
    }
    state.end(None);
    Some(state)
}

/// Whether no process will remove this container of `--rm`: the `run` or `restart` that was to start it was killed before
/// that. A container that runs from a script of `--dry-run` has the same files, but it has a cgroup.
pub fn is_forsaken(containers: &Containers, container: &Container) -> bool {
    let id = &container.id;
    let left = containers.state(id).is_ok_and(|state| match state.status {
        Status::Created => state.starting,
        Status::Exited => true,
        _ => false,
    });
    if !container.auto_remove || !left || !is_abandoned(&containers.dir(id)) {
        return false;
    }
    let cgroup = format!("{}/{id}", containers.roots.instance.name());
    let runs = rcgroup::Hierarchies::detect().map_or(true, |host| host.existing(&cgroup).is_ok());
    // A monitor that starts it takes the lock first.
    !runs && matches!(Lock::try_take(containers, id), Ok(Some(_)))
}

/// Removes what a container's own cgroup has left once its run is undone: a limit that `rcgroup set` gave it has made
/// directories in hierarchies where the run had none, which no journal names.
pub fn remove_cgroup(containers: &Containers, container: &Container) {
    if container.cgroup.is_some() {
        return;
    }
    let host = super::early::hierarchies().ok();
    let group = host.and_then(|host| host.existing(&containers.cgroup_name(container)).ok());
    for dir in group.iter().flat_map(rcgroup::Group::unique_dirs) {
        // What is left is removed by gc.
        let _ = kit_undo::remove_cgroups(dir);
    }
}

/// Cgroups of the instance's that their containers have left: see [`is_left`].
pub fn left_cgroups(containers: &Containers) -> Vec<PathBuf> {
    let host = rcgroup::Hierarchies::detect().ok();
    let parent = host.and_then(|host| host.existing(&containers.roots.instance.name()).ok());
    let parents = parent.iter().flat_map(rcgroup::Group::unique_dirs);
    let below = parents.flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten());
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let below = below.map(|entry| entry.path());
    below.filter(|dir| is_left(containers, dir)).collect()
}

/// Whether the directory is that of a container's cgroup in which no process is, nor will be soon. A start makes its
/// journal before its cgroup, and its end removes it after. The container's lock is not taken to find this out: a start
/// that comes meanwhile would be refused.
pub fn is_left(containers: &Containers, dir: &Path) -> bool {
    let id = dir
        .file_name()
        .and_then(|id| id.to_str())
        .unwrap_or_default();
    let journal = || containers.roots.journals().join(format!("{id}.jsonl"));
    let is_empty = || std::fs::read(dir.join("cgroup.procs")).is_ok_and(|procs| procs.is_empty());
    is_id(id) && is_empty() && !journal().exists() && !containers.holding(id).is_running(id)
}

/// The cgroup directories of the instance that have no container's cgroup in them, one in each hierarchy at most.
pub fn empty_parents(instance: &kit_plan::Instance) -> Vec<PathBuf> {
    let host = rcgroup::Hierarchies::detect().ok();
    let parent = host.and_then(|host| host.existing(&instance.name()).ok());
    let is_empty = |dir: &Path| {
        let inside = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut kinds = inside.filter_map(|entry| entry.file_type().ok());
        !kinds.any(|kind| kind.is_dir())
    };
    let dirs = parent.iter().flat_map(|parent| parent.unique_dirs());
    dirs.filter(|dir| is_empty(dir))
        .map(Path::to_owned)
        .collect()
}
