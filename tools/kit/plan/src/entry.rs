//! What is in a journal: its first line, the lines after it, and how they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use kit_home::{JsonError, json_version};
use serde::{Deserialize, Serialize};

use crate::{Fault, NetnsId, ProcessId, Undo};

const VERSION: u32 = 1;

/// The first line: whose journal it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// Of the journal's form; a newer one is left alone.
    pub version: u32,
    /// The plan's ID, by which its file is named.
    pub plan: String,
    /// The instance's name.
    pub instance: String,
    /// The command, for people.
    pub command: String,
    /// Set for a container's journal, which goes on past its last step: that container's ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Who applies the plan.
    pub owner: ProcessId,
    /// The network namespace that a record means by "our own".
    #[serde(default)]
    pub netns: Option<NetnsId>,
}

/// A line after the first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A step is about to act; `undo` is what would undo it.
    Intended {
        /// Its place in the plan, from 0.
        step: usize,
        /// Without identities.
        undo: Vec<Undo>,
    },
    /// A step has acted; in place of what it intended.
    Done {
        /// Its place in the plan, from 0.
        step: usize,
        /// With the identities of what it made.
        undo: Vec<Undo>,
    },
    /// One of a step's records was undone.
    Undone {
        /// The step's place in the plan, from 0.
        step: usize,
        /// The record's place among the step's, from 0.
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
    /// What would undo it, or did.
    pub undo: Undo,
    /// How far it has come.
    pub state: State,
}

/// How far a record has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Written down before the step acted.
    Intended,
    /// The step acted; identities are known.
    Done,
    /// There is nothing left to undo.
    Undone,
}

/// A journal that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum JournalError {
    #[error("{doing} journal {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Later(JsonError),
    #[error("reading journal {path:?}: its first line is not a header")]
    NoHeader { path: PathBuf },
}

impl Fault for JournalError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Later(later) => Fault::hint(later),
            _ => None,
        }
    }

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

    /// Of this process, in the network namespace of the calling thread. `command` is for people.
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
    json_version(path, &first, VERSION).map_err(|error| match error {
        JsonError::Shape { .. } => no_header(),
        later @ JsonError::Later { .. } => JournalError::Later(later),
    })?;
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
