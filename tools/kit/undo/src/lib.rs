//! Undoes journalled kernel objects: the [`Undoer`] for the real kernel.
//!
//! One file a kind. Each undoes a *done* record only if the identity matches, and an *intended* one only if
//! our mark is on the object; what is gone already is success. Idempotent, so two recoveries may race.
#![warn(missing_docs)]

mod cgroup;
mod file;
mod link;
mod mount;
mod nft;
mod process;
mod sysctl;

pub use cgroup::{remove_tree as remove_cgroups, thaw};

use std::cell::RefCell;

use kit_plan::{Record, State, Undo, UndoError, Undoer, Undone};

/// Keeps its nftables socket open from one element to the next: closing one after a delete waits for a grace
/// period of the kernel, some 10 ms. Whoever cares drops this after it has reported.
#[derive(Default)]
pub struct Kernel {
    nft: RefCell<nft::Sockets>,
}

impl Kernel {
    /// Opens nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Undoer for Kernel {
    fn undo(&self, record: &Record) -> Result<Undone, UndoError> {
        let done = record.state == State::Done;
        match &record.undo {
            Undo::Link {
                netns,
                name,
                group,
                index,
                netns_id,
            } => {
                let made = index.zip(*netns_id);
                link::delete(netns.as_deref(), name, *group, made)
            }
            Undo::Addr {
                netns,
                name,
                index,
                netns_id,
                addr,
            } => link::remove_addr(netns.as_deref(), name, index.zip(*netns_id), addr),
            Undo::LinkState {
                netns,
                name,
                index,
                netns_id,
                was,
            } => link::restore(netns.as_deref(), name, index.zip(*netns_id), was),
            Undo::NftTable { .. }
            | Undo::NftRule { .. }
            | Undo::NftElement { .. }
            | Undo::Flows { .. } => self.nft.borrow_mut().undo(&record.undo),
            Undo::Cgroup { path, id } => cgroup::remove(path, *id),
            Undo::Unmount { path, id } => mount::unmount(path, *id),
            Undo::Unlink { path, id } => file::unlink(path, *id, done),
            Undo::Rmdir { path, id } => file::rmdir(path, *id),
            Undo::Tree { path, id } => file::remove_tree(path, *id, done),
            Undo::Kill { process } => process::kill(process.as_ref()),
            Undo::Restore {
                path,
                was,
                wrote,
                netns,
                ..
            } => sysctl::restore_in(netns.as_deref(), path, (was, wrote)),
            other => Err(UndoError::new(
                format!("undoing {other:?}"),
                "this command does not know that kind",
            )),
        }
    }
}

fn not_ours(why: impl Into<String>) -> Undone {
    Undone::NotOurs(why.into())
}
