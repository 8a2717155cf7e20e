//! What every command's `main` shares: exit codes, the error line, output for people and for programs, names
//! on standard input, and carrying out a plan. For `main.rs` and `cli.rs` only: libraries print nothing.
#![warn(missing_docs)]

mod act;
mod complete;
mod explain;
mod failure;
mod generate;
mod names;
mod output;
mod run;
pub mod template;
mod usage;

pub use act::{Act, Acting, need_root};
pub use explain::{explain, explained};
pub use failure::{ClosedPipe, Failure, Result};
pub use generate::with_examples;
pub use names::{Failures, each, names, os_names, refuse_heads, refuse_listed};
pub use output::{
    Output, Row, emit, emit_bytes, emit_json, emit_names, rows_like_docker, tables_like_docker,
    tell, visible,
};
pub use run::{flags_ahead, hand_over, is_terminal, run, run_words, warn};
pub use usage::{Advice, BadValue, advised_by};
