//! The steps of the verbs that make, end, rename and remove a container.
//!
//! They write no journal. Those that end one undo nothing but a taken name: a signal is sent, and what was removed
//! is gone. Of one that is being made everything is found by its temporary directory. So what a killed verb leaves
//! is for gc.

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
