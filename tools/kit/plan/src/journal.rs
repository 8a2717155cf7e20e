//! What a plan did, record by record, in a file that outlives the process that did it.
//!
//! JSON Lines, appended with one write(2) each and not synced: it is for SIGKILL, not for a power cut, after
//! which the kernel's objects are gone anyway. The owner holds an flock(2) for life. A line that was cut short
//! is the last one and stands for something that had not begun or is not known to be done.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::entry::read;
use crate::{
    Entry, Header, JournalError, Observer, Record, State, Undo, UndoError, Undoer, Undone,
};
use kit_home::lock::{self, Hold};

/// A plan's records, on disk or, for a plan of one kernel-atomic step, in memory alone.
#[derive(Debug)]
pub struct Journal {
    /// Its first line.
    pub header: Header,
    records: Vec<Record>,
    committed: bool,
    file: Option<(File, PathBuf)>,
    /// Where the steps of the plan that is being applied begin, among those of the plans before.
    base: usize,
    spared: Vec<Spared>,
}

/// Something that a plan made and an undo left where it is: it is another's by now, or has something of another's in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spared {
    /// What was to be taken away.
    pub undo: Undo,
    /// Why it was not: `it is not empty`.
    pub why: String,
}

impl Spared {
    /// Of what is no file nobody asks again.
    fn is_there(&self) -> bool {
        match &self.undo {
            Undo::Unlink { path, .. } | Undo::Rmdir { path, .. } | Undo::Tree { path, .. } => {
                std::fs::symlink_metadata(path).is_ok()
            }
            _ => true,
        }
    }
}

impl std::fmt::Display for Spared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.undo, self.why)
    }
}

impl Journal {
    /// Records that die with the process.
    pub fn in_memory(header: Header) -> Self {
        Self {
            header,
            records: Vec::new(),
            committed: false,
            file: None,
            base: 0,
            spared: Vec::new(),
        }
    }

    /// `DIR/PLAN.jsonl`, locked. It appears by a rename, so nobody sees one without its header.
    pub fn create(dir: &Path, header: Header) -> Result<Self, JournalError> {
        let path = dir.join(format!("{}.jsonl", header.plan));
        let temporary = dir.join(format!(".{}.new", header.plan));
        let fail = |doing| {
            let path = path.clone();
            move |source| JournalError::Io {
                doing,
                path,
                source,
            }
        };
        std::fs::create_dir_all(dir).map_err(fail("creating"))?;
        let file = loop {
            let file = OpenOptions::new()
                .append(true)
                .read(true)
                .create(true)
                .mode(0o600)
                .open(&temporary)
                .map_err(fail("creating"))?;
            lock::wait(&file, Hold::Alone).map_err(fail("locking"))?;
            // A gc that got the lock first has removed the file: take another.
            if is_still(&file, &temporary) {
                break file;
            }
        };
        let mut journal = Self {
            header,
            records: Vec::new(),
            committed: false,
            file: Some((file, path.clone())),
            base: 0,
            spared: Vec::new(),
        };
        let header = serde_json::to_vec(&journal.header).map_err(|e| fail("writing")(e.into()))?;
        let written = journal
            .append(header)
            .and_then(|()| std::fs::rename(&temporary, &path).map_err(fail("creating")));
        if written.is_err() {
            // Still locked by us, so nobody else's.
            let _ = std::fs::remove_file(&temporary);
        }
        written.map(|()| journal)
    }

    /// Takes over what another process left: `None` if its owner lives, or somebody else was quicker.
    pub fn open(path: &Path) -> Result<Option<Self>, JournalError> {
        let fail = |doing| {
            let path = path.to_owned();
            move |source| JournalError::Io {
                doing,
                path,
                source,
            }
        };
        let file = match OpenOptions::new().append(true).read(true).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail("opening")(e)),
        };
        let locked = lock::attempt(&file, Hold::Alone).map_err(fail("locking"))?;
        if !locked || !is_still(&file, path) {
            return Ok(None);
        }
        let (header, entries) = read(&file, path)?;
        let mut journal = Self {
            header,
            records: Vec::new(),
            committed: false,
            file: Some((file, path.to_owned())),
            base: 0,
            spared: Vec::new(),
        };
        journal.take_all(entries);
        Ok(Some(journal))
    }

    /// What a journal says, without its lock: for `ps`, `inspect` and `doctor`.
    pub fn peek(path: &Path) -> Result<Self, JournalError> {
        let file = File::open(path).map_err(|source| JournalError::Io {
            doing: "opening",
            path: path.to_owned(),
            source,
        })?;
        let (header, entries) = read(&file, path)?;
        let mut journal = Self::in_memory(header);
        journal.take_all(entries);
        Ok(journal)
    }

    /// All of them, in the order in which their steps began.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether its plan came to its end: what it made stands.
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// What undoing has left where it was, of what is known to have been made: somebody has a use for it.
    pub fn spared(&self) -> &[Spared] {
        &self.spared
    }

    /// The steps of the next plan are numbered after those that are in it.
    pub(crate) fn next_plan(&mut self) -> usize {
        let last = self.records.iter().map(|record| record.step + 1).max();
        self.base = self.base.max(last.unwrap_or(0));
        self.base
    }

    /// Whether nothing in it is left to undo: [`Journal::spared`] says what of it is there nevertheless.
    pub fn is_undone(&self) -> bool {
        let mut states = self.records.iter().map(|record| record.state);
        states.all(|state| state == State::Undone)
    }

    /// Writes down what a step is about to do. Nothing may act before this has returned.
    pub fn intend(&mut self, step: usize, undo: Vec<Undo>) -> Result<(), JournalError> {
        let step = self.base + step;
        self.enter(Entry::Intended { step, undo })
    }

    /// Writes down what it did, with identities, in place of what it intended.
    pub fn done(&mut self, step: usize, undo: Vec<Undo>) -> Result<(), JournalError> {
        let step = self.base + step;
        self.enter(Entry::Done { step, undo })
    }

    /// Writes down that the plan came to its end.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        let entered = self.enter(Entry::Committed);
        self.committed = entered.is_ok();
        entered
    }

    /// Undoes all that is not undone yet, last first, going on past a failure; what failed is returned and
    /// stays in the journal, for another try.
    pub fn rollback(&mut self, undoer: &dyn Undoer, watch: &mut dyn Observer) -> Vec<UndoError> {
        self.undo_from(0, undoer, watch)
    }

    /// Undoes the records of step `first` and of those after it.
    pub fn undo_from(
        &mut self,
        first: usize,
        undoer: &dyn Undoer,
        watch: &mut dyn Observer,
    ) -> Vec<UndoError> {
        let mut errors = Vec::new();
        let due: Vec<Record> = self
            .records
            .iter()
            .rev()
            .filter(|record| record.step >= first && record.state != State::Undone)
            .cloned()
            .collect();
        for record in due {
            let outcome = undoer.undo(&record);
            watch.undone(&record, outcome.as_ref());
            match outcome {
                // If this line is lost, undoing once more finds the thing absent.
                Ok(undone) => {
                    // What was only intended may never have been made: a thing of that name is another's.
                    if let (Undone::NotOurs(why), State::Done) = (undone, record.state) {
                        let undo = record.undo.clone();
                        self.spared.push(Spared { undo, why });
                    }
                    let _ = self.enter(Entry::Undone {
                        step: record.step,
                        nth: record.nth,
                    });
                }
                Err(error) => errors.push(error),
            }
        }
        // A directory that was not empty may have gone with the one that it was in.
        self.spared.retain(Spared::is_there);
        errors
    }

    /// Forgets all records, for another plan by the same owner: all is undone, or what was made now belongs to the user.
    pub fn clear(&mut self) -> Result<(), JournalError> {
        self.records.clear();
        self.spared.clear();
        self.base = 0;
        self.committed = false;
        let Some((file, _)) = &self.file else {
            return Ok(());
        };
        let to_header = || {
            let mut header = Vec::new();
            let mut reader = BufReader::new(file);
            reader.rewind()?;
            let length = reader.read_until(b'\n', &mut header)?;
            file.set_len(length as u64)
        };
        to_header().map_err(|e| self.failed(e))
    }

    /// Removes the file: all is undone, or what was made now belongs to the user.
    pub fn discard(self) -> Result<(), JournalError> {
        let Some((_lock, path)) = self.file else {
            return Ok(());
        };
        std::fs::remove_file(&path).map_err(|source| JournalError::Io {
            doing: "removing",
            path,
            source,
        })
    }

    fn enter(&mut self, entry: Entry) -> Result<(), JournalError> {
        let line = self
            .file
            .as_ref()
            .map(|_| serde_json::to_vec(&entry))
            .transpose();
        // Memory first: if the disk is full, the rollback that follows still knows the identities.
        self.take(entry);
        match line.map_err(|e| self.failed(e.into()))? {
            Some(line) => self.append(line),
            None => Ok(()),
        }
    }

    fn append(&mut self, mut line: Vec<u8>) -> Result<(), JournalError> {
        line.push(b'\n');
        let Some((file, _)) = &mut self.file else {
            return Ok(());
        };
        file.write_all(&line).map_err(|e| self.failed(e))
    }

    fn failed(&self, source: io::Error) -> JournalError {
        let path = self
            .file
            .as_ref()
            .map(|(_, path)| path.clone())
            .unwrap_or_default();
        JournalError::Io {
            doing: "writing",
            path,
            source,
        }
    }

    fn take_all(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.take(entry);
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Intended { step, undo } => self.replace(step, undo, State::Intended),
            Entry::Done { step, undo } => self.replace(step, undo, State::Done),
            Entry::Undone { step, nth } => {
                for record in &mut self.records {
                    if record.step == step && record.nth == nth {
                        record.state = State::Undone;
                    }
                }
            }
            Entry::Committed => self.committed = true,
        }
    }

    fn replace(&mut self, step: usize, undo: Vec<Undo>, state: State) {
        self.records.retain(|record| record.step != step);
        let records = undo.into_iter().enumerate();
        self.records.extend(records.map(|(nth, undo)| Record {
            step,
            nth,
            undo,
            state,
        }));
    }
}

/// Whether `path` still is this file, and not unlinked or replaced since it was opened.
fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
