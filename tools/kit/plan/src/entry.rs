//! What is in a journal: its first line, the lines after it, and how they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Fault, NetnsId, ProcessId, Undo};

const VERSION: u32 = 1;

/// The first line: whose journal it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    pub plan: String,
    pub instance: String,
    /// The command, for people.
    pub command: String,
    /// Set for a container's journal, which goes on past its last step: that container's ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub owner: ProcessId,
    /// The network namespace that a record means by "our own".
    #[serde(default)]
    pub netns: Option<NetnsId>,
}

/// A line after the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Intended {
        step: usize,
        undo: Vec<Undo>,
    },
    Done {
        step: usize,
        undo: Vec<Undo>,
    },
    Undone {
        step: usize,
        nth: usize,
    },
    /// The last step is done: the plan stands.
    Committed,
}

/// One thing that may have to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The step's place in its plan, from 0.
    pub step: usize,
    /// Its place among the records of that step.
    pub nth: usize,
    pub undo: Undo,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Intended,
    Done,
    Undone,
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{doing} journal {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "reading journal {path:?}: it has version {version}, newer than this command's {VERSION}"
    )]
    Newer { path: PathBuf, version: u32 },
    #[error("reading journal {path:?}: its first line is not a header")]
    NoHeader { path: PathBuf },
}

impl Fault for JournalError {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl Header {
    /// Whether it was written before this boot of the machine. One that cannot be told is of this.
    pub fn is_of_another_boot(&self) -> bool {
        kit_sys::process::boot_id().is_ok_and(|boot| boot != self.owner.boot)
    }

    /// For records that are in memory alone: nobody else will ask whose they are.
    pub fn unwritten(mark: &crate::Mark, command: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            plan: mark.plan.clone(),
            instance: mark.instance.name(),
            command: command.into(),
            container: None,
            owner: ProcessId {
                pid: std::process::id() as i32,
                start: 0,
                boot: String::new(),
            },
            netns: None,
        }
    }

    pub fn new(mark: &crate::Mark, command: impl Into<String>) -> io::Result<Self> {
        Ok(Self {
            version: VERSION,
            plan: mark.plan.clone(),
            instance: mark.instance.name(),
            command: command.into(),
            container: None,
            owner: ProcessId::of_self()?,
            netns: NetnsId::own().ok(),
        })
    }
}

/// The header, and all entries that are whole.
pub(crate) fn read(file: &File, path: &Path) -> Result<(Header, Vec<Entry>), JournalError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let fail = |source| JournalError::Io {
        doing: "reading",
        path: path.to_owned(),
        source,
    };
    // Bytes: a line may be cut short inside a character.
    let mut lines = BufReader::new(file).split(b'\n');
    let no_header = || JournalError::NoHeader {
        path: path.to_owned(),
    };
    let first = lines.next().ok_or_else(no_header)?.map_err(fail)?;
    let Version { version } = serde_json::from_slice(&first).map_err(|_| no_header())?;
    if version > VERSION {
        return Err(JournalError::Newer {
            path: path.to_owned(),
            version,
        });
    }
    let header = serde_json::from_slice(&first).map_err(|_| no_header())?;
    let mut entries = Vec::new();
    for line in lines {
        match serde_json::from_slice(&line.map_err(fail)?) {
            Ok(entry) => entries.push(entry),
            // Cut short by a kill or a full disk: the last one, and as good as not written.
            Err(_) => break,
        }
    }
    Ok((header, entries))
}
