//! Who is in a cgroup: joining, listing, freezing, killing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{CgroupError, Group, read, write};

const PATIENCE: Duration = Duration::from_secs(5);

/// The files to join by, opened for writing: on v1 `tasks`, which moves one thread and is quick; on v2
/// `cgroup.procs`. A process with several threads must use [`join_process`].
pub fn open_to_join(group: &Group) -> Result<Vec<File>, CgroupError> {
    let file = if group.dirs.contains_key("") {
        "cgroup.procs"
    } else {
        "tasks"
    };
    let open = |dir: &Path| {
        let path = dir.join(file);
        OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(CgroupError::io("opening", &path))
    };
    group.unique_dirs().into_iter().map(open).collect()
}

/// Joins by the files of [`open_to_join`]. Only for a single-threaded process.
pub fn join(files: &[File]) -> std::io::Result<()> {
    // "0" is the writer: moving oneself spares the kernel a grace period of 10 ms and more.
    files.iter().try_for_each(|mut file| file.write_all(b"0"))
}

/// Moves a whole process.
pub fn join_process(group: &Group, pid: i32) -> Result<(), CgroupError> {
    for dir in group.unique_dirs() {
        write(&dir.join("cgroup.procs"), &pid.to_string())?;
    }
    Ok(())
}

/// The processes of a group, not of those below it.
pub fn pids(group: &Group) -> Result<Vec<i32>, CgroupError> {
    let mut pids: Vec<i32> = Vec::new();
    for dir in group.unique_dirs() {
        let procs = read(&dir.join("cgroup.procs"))?;
        pids.extend(procs.lines().filter_map(|line| line.parse::<i32>().ok()));
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// The groups directly below.
pub fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    dirs.sort();
    dirs
}

/// Stops all processes of a group where they are, or lets them go on. Waits until they are.
pub fn freeze(group: &Group, frozen: bool) -> Result<(), CgroupError> {
    let (dir, file, text, state) = match (group.dirs.get(""), group.dirs.get("freezer")) {
        (Some(dir), _) => (
            dir,
            "cgroup.freeze",
            if frozen { "1" } else { "0" },
            if frozen { "frozen 1" } else { "frozen 0" },
        ),
        (None, Some(dir)) => (
            dir,
            "freezer.state",
            if frozen { "FROZEN" } else { "THAWED" },
            if frozen { "FROZEN" } else { "THAWED" },
        ),
        (None, None) => {
            return Err(CgroupError::NoController {
                controller: "freezer",
                what: "running at all",
            });
        }
    };
    write(&dir.join(file), text)?;
    let seen = dir.join(if file == "cgroup.freeze" {
        "cgroup.events"
    } else {
        file
    });
    let deadline = Instant::now() + PATIENCE;
    while !read(&seen)?.lines().any(|line| line == state) {
        if Instant::now() > deadline {
            return Err(CgroupError::NoEffect {
                path: seen.clone(),
                wanted: state.to_owned(),
                kept: read(&seen)?,
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Kills what is in `dir` and below, and removes the directories.
pub fn kill_and_remove(dir: &Path) -> Result<(), CgroupError> {
    let removed = kit_undo::remove_cgroups(dir);
    removed
        .map(drop)
        .map_err(CgroupError::io("removing cgroup", dir))
}
