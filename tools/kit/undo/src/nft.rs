//! Tables, rules and map elements of ours.

use kit_plan::{Undo, UndoError, Undone};

/// The sockets, one a network namespace, kept open.
#[derive(Default)]
pub struct Sockets;

impl Sockets {
    pub fn undo(&mut self, undo: &Undo) -> Result<Undone, UndoError> {
        Err(UndoError::new(
            format!("undoing {undo:?}"),
            "no nftables here",
        ))
    }
}
