//! The steps of the verbs that make, end, rename and remove a container.
//!
//! They write no journal. A signal cannot be taken back and a removal cannot be undone; only a name that was taken is
//! freed again. All parts of a container that is being made are found by its temporary directory, so gc removes what a
//! killed verb leaves.

mod again;
pub(crate) mod collect;
mod process;
mod removal;
mod rename;

pub(crate) use again::{Keep, StartAgain};
pub use process::send;
pub(crate) use process::{Attend, Await, EndStart, Send};
pub(crate) use removal::{DOOMED, Delete, Discard};
pub(crate) use rename::{FreeName, SaveContainer, TakeName};
