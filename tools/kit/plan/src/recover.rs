//! Replaying the journals of processes that are gone. Two of these may run at once: each journal has a lock,
//! and every undo is idempotent.

use std::path::{Path, PathBuf};

use kit_home::lock::{self, Hold};

use crate::{
    Header, Journal, JournalError, Record, Silent, Spared, UndoError, Undoer, Undone, netns,
};

/// What is to become of an unlocked journal whose plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its container lives, or it is none of the caller's business.
    Leave,
    /// Undo all of it and remove it.
    Replay,
    /// What was made is whole, and its user's, as that of a verb which was killed at its very end: the journal alone goes.
    Drop,
}

/// What a recovery did.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Journals that were replayed to the end and removed.
    pub replayed: Vec<Header>,
    /// Unlocked ones that were left, by the judge's word.
    pub left: Vec<(PathBuf, Header)>,
    /// Those that were removed and not replayed, by the judge's word.
    pub dropped: Vec<Header>,
    /// What was made and is left where it is, since it is another's by now or holds something of another's.
    pub spared: Vec<Spared>,
    /// What could not be undone; its journal stays.
    pub errors: Vec<UndoError>,
    /// Journals that could not be read, a newer version's among them; they are left alone.
    pub unreadable: Vec<JournalError>,
}

impl Recovery {
    /// There was nothing to recover, or another process is at work on it.
    pub fn is_empty(&self) -> bool {
        self.replayed.is_empty()
            && self.left.is_empty()
            && self.errors.is_empty()
            && self.unreadable.is_empty()
    }
}

/// Replays each journal in `dir` whose owner is gone, in the network namespace that it was written in: those
/// that were still building always, a committed one as `judge` says, whosever it is. A missing `dir` is an empty one.
pub fn recover(
    dir: &Path,
    undoer: &dyn Undoer,
    judge: &mut dyn FnMut(&Header) -> Fate,
) -> Recovery {
    let mut recovery = Recovery::default();
    let Ok(files) = std::fs::read_dir(dir) else {
        return recovery;
    };
    let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    paths.sort();
    for path in paths {
        match path.extension().and_then(|e| e.to_str()) {
            Some("jsonl") => replay(&path, undoer, judge, &mut recovery),
            Some("new") => remove_unborn(&path),
            _ => {}
        }
    }
    recovery
}

/// As [`recover`], of one journal. Where there is none, or its owner lives, nothing is done.
pub fn recover_one(
    path: &Path,
    undoer: &dyn Undoer,
    judge: &mut dyn FnMut(&Header) -> Fate,
) -> Recovery {
    let mut recovery = Recovery::default();
    if path.exists() {
        replay(path, undoer, judge, &mut recovery);
    }
    recovery
}

fn replay(
    path: &Path,
    undoer: &dyn Undoer,
    judge: &mut dyn FnMut(&Header) -> Fate,
    recovery: &mut Recovery,
) {
    let mut journal = match Journal::open(path) {
        Ok(Some(journal)) => journal,
        Ok(None) => return,
        Err(error) => return recovery.unreadable.push(error),
    };
    let header = journal.header.clone();
    if journal.is_committed() {
        match judge(&header) {
            Fate::Leave => return recovery.left.push((path.to_owned(), header)),
            Fate::Drop => {
                match journal.discard() {
                    Ok(()) => recovery.dropped.push(header),
                    Err(error) => recovery.unreadable.push(error),
                }
                return;
            }
            Fate::Replay => {}
        }
    }
    let undone = if header.is_of_another_boot() {
        Ok(journal.rollback(&FilesAlone(undoer), &mut Silent))
    } else {
        netns::within(header.netns, || journal.rollback(undoer, &mut Silent))
    };
    recovery.spared.extend_from_slice(journal.spared());
    match undone {
        Ok(errors) if errors.is_empty() => {}
        Ok(errors) => return recovery.errors.extend(errors),
        Err(e) => {
            let doing = format!("entering the network namespace of {path:?}");
            return recovery.errors.push(UndoError::new(doing, e));
        }
    }
    match journal.discard() {
        Ok(()) => recovery.replayed.push(header),
        Err(error) => recovery.unreadable.push(error),
    }
}

/// For a journal of another boot: what it says of the kernel went with that, and whatever has those numbers now is
/// another's.
struct FilesAlone<'a>(&'a dyn Undoer);

impl Undoer for FilesAlone<'_> {
    fn undo(&self, record: &Record) -> Result<Undone, UndoError> {
        if record.undo.ends_with_the_boot() {
            return Ok(Undone::Absent);
        }
        self.0.undo(record)
    }
}

/// A journal whose maker died before its header was whole: nothing had begun.
fn remove_unborn(path: &Path) {
    let Ok(file) = std::fs::File::open(path) else {
        return;
    };
    if lock::attempt(&file, Hold::Alone).is_ok_and(|locked| locked) {
        let _ = std::fs::remove_file(path);
    }
}
