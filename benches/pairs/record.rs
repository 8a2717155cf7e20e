//! What was measured, as it is written to JSON and read back.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::args::Args;
use crate::machine::Busy;
use crate::round::{Pace, Rounds};
use crate::rows::Row;
use crate::spread::Spread;

const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
pub struct Record {
    pub schema: u32,
    pub kind: String,
    /// UTC, ISO 8601.
    pub date: String,
    /// Name and value, in the order to print them in.
    pub machine: Vec<(String, String)>,
    pub pairs: Vec<Pair>,
    pub skipped: Vec<Skipped>,
    pub failed: Vec<Skipped>,
}

/// Ours beside one other.
#[derive(Serialize, Deserialize)]
pub struct Pair {
    pub row: String,
    pub what: String,
    /// The filesystem of the roots.
    pub on: String,
    pub pace: String,
    pub unit: String,
    pub rounds: usize,
    pub ours: Spread,
    pub beside: Option<Beside>,
    pub busy: Busy,
    /// Each round's figure.
    pub ours_raw: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
pub struct Beside {
    pub name: String,
    pub theirs: Spread,
    /// Ours by theirs, taken in each round.
    pub ratio: Spread,
    pub theirs_raw: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
pub struct Skipped {
    pub row: String,
    pub reason: String,
}

impl Skipped {
    pub fn new(row: &str, reason: String) -> Self {
        let row = row.to_owned();
        Self { row, reason }
    }
}

impl Pair {
    /// One for each other side; one without any if there is none.
    pub fn of(
        row: &Row,
        on: &str,
        pace: Pace,
        rounds: &Rounds,
        names: impl Iterator<Item = String>,
        busy: Busy,
    ) -> Vec<Self> {
        let ours = &rounds.0[0];
        let pair = |beside| Self {
            row: row.id.to_owned(),
            what: row.what.to_owned(),
            on: on.to_owned(),
            pace: pace.to_string(),
            unit: row.unit.to_string(),
            rounds: ours.len(),
            ours: Spread::of(ours),
            beside,
            busy,
            ours_raw: ours.clone(),
        };
        let all: Vec<Self> = rounds.0[1..]
            .iter()
            .zip(names)
            .map(|(theirs, name)| {
                let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
                pair(Some(Beside {
                    name,
                    theirs: Spread::of(theirs),
                    ratio: Spread::of(&ratios),
                    theirs_raw: theirs.clone(),
                }))
            })
            .collect();
        if all.is_empty() {
            vec![pair(None)]
        } else {
            all
        }
    }
}

impl Record {
    pub fn new(args: &Args) -> Self {
        let date = Command::new("date")
            .args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])
            .output();
        let date = date.map(|output| output.stdout).unwrap_or_default();
        let facts = args.fact.iter().filter_map(|fact| fact.split_once('='));
        Self {
            schema: SCHEMA,
            kind: "bench".to_owned(),
            date: String::from_utf8_lossy(&date).trim().to_owned(),
            machine: facts
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            pairs: Vec::new(),
            skipped: Vec::new(),
            failed: Vec::new(),
        }
    }

    pub fn read(file: &Path) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("reading {}: {error}", file.display());
        let text = std::fs::read(file).map_err(|error| failed(&error))?;
        let record: Self = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
        if record.kind != "bench" || record.schema != SCHEMA {
            return Err(failed(&"it is not what scripts/bench --json prints"));
        }
        Ok(record)
    }
}
