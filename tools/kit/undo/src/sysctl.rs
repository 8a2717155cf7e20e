//! Sysctls: the old value goes back only while the one that we wrote still stands.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use kit_net::NetError;
use kit_plan::{UndoError, Undone};
use nix::errno::Errno;

use crate::not_ours;

/// In `netns`; one that is gone took its sysctls along.
pub fn restore_in(
    netns: Option<&Path>,
    path: &Path,
    (was, wrote): (&str, &str),
) -> Result<Undone, UndoError> {
    let Some(netns) = netns else {
        return restore(path, was, wrote);
    };
    let Ok(file) = File::open(netns) else {
        return Ok(Undone::Absent);
    };
    match kit_net::within(file.as_fd(), || -> Result<_, NetError> {
        Ok(restore(path, was, wrote))
    }) {
        Ok(outcome) => outcome,
        // The file is there but no namespace is mounted on it any more.
        Err(NetError::Netns { source, .. })
            if source.raw_os_error() == Some(Errno::EINVAL as i32) =>
        {
            Ok(Undone::Absent)
        }
        Err(e) => Err(UndoError::new(format!("restoring {path:?} to {was}"), e)),
    }
}

fn restore(path: &Path, was: &str, wrote: &str) -> Result<Undone, UndoError> {
    let doing = || format!("restoring {path:?} to {was}");
    let now = match std::fs::read_to_string(path) {
        Ok(now) => now,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Undone::Absent),
        Err(e) => return Err(UndoError::new(doing(), e)),
    };
    if now.trim_end() == was {
        return Ok(Undone::Absent);
    }
    if now.trim_end() != wrote {
        return Ok(not_ours(format!(
            "somebody has set it to {} since",
            now.trim_end()
        )));
    }
    let written = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut f| f.write_all(was.as_bytes()));
    written.map_err(|e| UndoError::new(doing(), e))?;
    Ok(Undone::Removed)
}
