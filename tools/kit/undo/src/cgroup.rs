//! Cgroup directories, those below them first; what still runs in there is killed.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use kit_plan::{FileId, UndoError, Undone};
use rustix::process::{Pid, Signal, kill_process};

use crate::not_ours;

/// How long the killed may take to go: a process in an uninterruptible wait may need this.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn remove(path: &Path, id: Option<FileId>) -> Result<Undone, UndoError> {
    match FileId::of(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(format!("removing cgroup {path:?}"), e)),
        Ok(there) if id.is_some_and(|id| id != there) => {
            return Ok(not_ours("another cgroup has that name now"));
        }
        Ok(_) => {}
    }
    if id.is_none() {
        return remove_empty(path);
    }
    remove_all(path)
}

/// Nobody joins a group before it is written down as made: who is in this one is not ours to kill.
fn remove_empty(path: &Path) -> Result<Undone, UndoError> {
    match std::fs::remove_dir(path) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Undone::Absent),
        Err(e) if e.kind() == ErrorKind::ResourceBusy => Ok(not_ours("somebody is in it")),
        Err(e) => Err(UndoError::new(format!("removing cgroup {path:?}"), e)),
    }
}

fn remove_all(path: &Path) -> Result<Undone, UndoError> {
    for below in children(path) {
        remove_all(&below)?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::fs::remove_dir(path) {
            Ok(()) => return Ok(Undone::Removed),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Undone::Absent),
            Err(e) if Instant::now() > deadline => {
                return Err(UndoError::new(format!("removing cgroup {path:?}"), e));
            }
            Err(_) => kill_all(path),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn children(path: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    let dirs = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).collect()
}

/// SIGKILL to each member; never to ourselves, who may have been put in there by mistake.
fn kill_all(path: &Path) {
    let procs = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let us = std::process::id() as i32;
    for pid in procs
        .lines()
        .filter_map(|line| line.parse::<i32>().ok())
        .filter(|pid| *pid != us)
    {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
