//! What is measured: tables, one a group of commands. A row is data; how it is measured is elsewhere.

mod containers;
mod images;
mod many;
mod primitives;

use std::fmt;

use crate::round::Pace;
use crate::side::Side;

/// Everything, in the order of the table.
pub const ROWS: [&[&Row]; 4] = [primitives::ROWS, many::ROWS, images::ROWS, containers::ROWS];

pub struct Row {
    /// What a person types to choose it.
    pub id: &'static str,
    /// As the table says it.
    pub what: &'static str,
    pub unit: Unit,
    pub paces: &'static [Pace],
    pub media: Media,
    /// In a network namespace of its own, so that names may be plain and the host's links stay as they are.
    pub apart: bool,
    pub needs: &'static [&'static str],
    /// Once, in an empty directory, before the setup of each side.
    pub setup: &'static str,
    pub ours: Side,
    pub peers: &'static [Side],
}

impl Row {
    /// A row with one filesystem, one pace and no preparation.
    const fn new(id: &'static str, what: &'static str, ours: Side, peers: &'static [Side]) -> Self {
        Self {
            id,
            what,
            unit: Unit::Ms,
            paces: WARM,
            media: Media::Memory,
            apart: false,
            needs: &[],
            setup: "",
            ours,
            peers,
        }
    }
}

pub const WARM: &[Pace] = &[Pace::Warm];
pub const BOTH: &[Pace] = &[Pace::Warm, Pace::Cold];

/// Where the roots are. The run root is always on a tmpfs.
pub enum Media {
    Memory,
    Disk,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Ms,
    /// Of memory: what the last timed command prints.
    KiB,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ms => "ms",
            Self::KiB => "KiB",
        })
    }
}
