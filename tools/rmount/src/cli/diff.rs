//! `rmount diff`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use kit_cli::{Failure, Output, Result, Row, visible};
use kit_plan::os_text::OsText;
use serde::Serialize;

use super::real;
use crate::diff::{self, Change};
use crate::overlay::Lowers;
use crate::{MountError, mountinfo};

#[derive(Args)]
pub(super) struct Diff {
    #[command(flatten)]
    output: Output,
    /// Where an overlay is mounted, - reads it from standard input; or an upper directory, which without its lowers
    /// cannot always tell added from changed
    path: OsString,
    /// The upper's lowers, topmost first
    lowers: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Entry {
    schema: u32,
    kind: &'static str,
    name: OsText,
    change: diff::Kind,
    #[serde(rename = "type")]
    file_type: &'static str,
    metadata_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<OsText>,
    #[serde(skip)]
    letter: char,
}

impl From<Change> for Entry {
    fn from(change: Change) -> Self {
        Self {
            schema: 1,
            kind: "change",
            name: change.path.into(),
            change: change.kind,
            file_type: change.file_type,
            metadata_only: change.metadata_only,
            redirect: change.redirect.map(Into::into),
            letter: change.kind.letter(),
        }
    }
}

impl Row for Entry {
    const HEAD: &'static [&'static str] = &["CHANGE", "PATH"];

    fn cells(&self) -> Vec<String> {
        vec![self.letter.to_string(), self.name()]
    }

    fn name(&self) -> String {
        self.name.0.to_string_lossy().into_owned()
    }
}

impl Diff {
    pub(super) fn run(self) -> Result {
        let names = kit_cli::os_names(std::slice::from_ref(&self.path), &["mount"])?;
        let path = match &names[..] {
            // Nothing on standard input does nothing.
            [] => return Ok(0),
            [path] => real(path.as_ref())?,
            several => {
                let text = format!("reading changes: {} mounts are named", several.len());
                return Err(Failure::usage(text).hint("name one"));
            }
        };
        let changes = self.changes(&path)?;
        let entries: Vec<Entry> = changes.into_iter().map(Entry::from).collect();
        if self.output.quiet {
            kit_cli::emit_names(entries.iter().map(|entry| &*entry.name.0))?;
            return Ok(0);
        }
        if self.output.json || self.output.jsonl {
            self.output.list(&entries)?;
            return Ok(0);
        }
        // As docker diff prints it: no heading.
        let lines = entries
            .iter()
            .map(|entry| format!("{} {}\n", entry.letter, visible(&entry.name())));
        kit_cli::emit(&lines.collect::<String>())?;
        Ok(0)
    }

    fn changes(&self, path: &Path) -> Result<Vec<Change>> {
        if self.lowers.is_empty() {
            let mounts = mountinfo::mounts()?;
            if let Some(mount) =
                mountinfo::at(&mounts, path).filter(|mount| mount.fstype == "overlay")
            {
                return diff::diff_mounted(mount)?.ok_or_else(|| {
                    let error =
                        MountError::wrong("reading changes of", path, "that overlay has no upper");
                    Failure::new(error)
                });
            }
        }
        let lowers = self
            .lowers
            .iter()
            .map(|lower| real(lower))
            .collect::<Result<Vec<_>>>()?;
        Ok(diff::diff(path, &Lowers::topmost_first(lowers))?)
    }
}
