//! What people type and read: sizes, CPUs, times, ports, signals, names with a slip in them.
//!
//! Pure functions of text: nothing here looks at the machine. Each kind of value has one parser, so that every
//! command takes the same spellings, and a text that reads back as the value it was made from.
//!
//! ```
//! use kit_units::{parse_bytes, parse_cpus, parse_signal, signal_name};
//!
//! assert_eq!(parse_bytes("1.5g")?, 1_610_612_736);
//! assert_eq!(parse_cpus("1.5")?, 1_500_000_000);
//! assert_eq!(parse_signal("RTMIN+3")?, 37);
//! assert_eq!(signal_name(37).as_deref(), Some("SIGRTMIN+3"));
//! # Ok::<(), kit_units::UnitError>(())
//! ```
#![warn(missing_docs)]

mod bytes;
mod cpu_list;
mod cpus;
mod duration;
mod error;
pub mod hex;
mod human;
mod near;
pub mod ports;
mod signal;
mod switch;

pub use bytes::parse_bytes;
pub use cpu_list::CpuList;
pub use cpus::{NANO, cpus_text, parse_cpus};
pub use duration::{duration_text, parse_duration};
pub use error::{Kind, UnitError};
pub use human::{bytes_size, human_duration, human_size, human_size_four};
pub use near::{is_near, nearest, nearest_of};
pub use ports::Proto;
pub use signal::{parse_signal, signal_name};
pub use switch::parse_bool;
