//! Cgroup directories, those below them first; what still runs in there is killed. The one loop for this: `rcgroup del
//! --force` has it too.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
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
    match remove_tree(path) {
        Ok(true) => Ok(Undone::Removed),
        Ok(false) => Ok(Undone::Absent),
        Err(e) => Err(UndoError::new(format!("removing cgroup {path:?}"), e)),
    }
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

/// Removes a group with those below it, and ends who is in there; `false` if there is none. Of a group that v1 has
/// frozen, its directory in the freezer's hierarchy has to be removed first: elsewhere nothing lets go of the killed.
pub fn remove_tree(path: &Path) -> io::Result<bool> {
    match std::fs::remove_dir(path) {
        Ok(()) => return Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(_) => {}
    }
    let mut groups = Vec::new();
    collect(path, &mut groups);
    let deadline = Instant::now() + PATIENCE;
    for dir in groups.iter().rev() {
        loop {
            match std::fs::remove_dir(dir) {
                Ok(()) => break,
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                Err(e) if Instant::now() > deadline => return Err(e),
                Err(_) => end(&groups),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(true)
}

/// `path` and all below it, each before those below it.
fn collect(path: &Path, groups: &mut Vec<PathBuf>) {
    groups.push(path.to_owned());
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        collect(&entry.path(), groups);
    }
}

/// All are killed before any is thawed, so that none of the frozen runs on.
fn end(groups: &[PathBuf]) {
    for dir in groups {
        kill_all(dir);
    }
    for dir in groups {
        thaw(dir);
    }
}

/// Lets go of whom a group of v1's freezer holds, if it does: the killed stay as long as they are frozen
/// (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst). One that cannot be written leaves them there.
pub fn thaw(dir: &Path) {
    let file = OpenOptions::new()
        .write(true)
        .open(dir.join("freezer.state"));
    if let Ok(mut file) = file {
        let _ = file.write_all(b"THAWED");
    }
}

/// SIGKILL to each member; never to ourselves, who may have been put in there by mistake. A threaded group of v2 has
/// no `cgroup.procs` to read, and any thread's number ends its process.
fn kill_all(path: &Path) {
    let procs = std::fs::read_to_string(path.join("cgroup.procs"))
        .or_else(|_| std::fs::read_to_string(path.join("cgroup.threads")))
        .unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_threaded_group_is_ended() {
        let find = "findmnt -rn -t cgroup2 -o TARGET | head -n 1";
        let root = kit_test::sh(find);
        let group = format!("{}/t-threaded-{}", root.trim(), std::process::id());
        let mut sleep = Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = sleep.id();
        kit_test::sh(&format!(
            "mkdir {group} {group}/below; echo threaded >{group}/below/cgroup.type
             echo {pid} >{group}/cgroup.procs; echo {pid} >{group}/below/cgroup.threads"
        ));
        let removed = remove_tree(Path::new(&group));
        let _ = sleep.kill();
        sleep.wait().unwrap();
        kit_test::sh(&format!("rmdir {group}/below {group} 2>/dev/null || :"));
        assert!(removed.unwrap());
        assert!(!remove_tree(Path::new(&group)).unwrap());
    }
}
