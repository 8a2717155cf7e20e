//! Sysctls: the old value goes back only while the one that we wrote still stands.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use kit_plan::{UndoError, Undone};

use crate::not_ours;

pub fn restore(path: &Path, was: &str, wrote: &str) -> Result<Undone, UndoError> {
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
