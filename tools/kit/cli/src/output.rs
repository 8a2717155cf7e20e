//! stdout is data: aligned columns for a person, `--json`, `--jsonl`, `-q`.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;

use crate::{ClosedPipe, Failure, Result, is_terminal};

// How a verb that lists prints.
#[allow(missing_docs)] // what is written here as documentation would begin the help of each verb
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Output {
    /// One JSON array
    #[arg(long, conflicts_with_all = ["jsonl", "quiet"])]
    pub json: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with = "quiet")]
    pub jsonl: bool,
    /// Names only; of images their IDs
    #[arg(short, long)]
    pub quiet: bool,
}

/// Something that is listed. Serialized it has `kind`, `name` and `schema`.
pub trait Row: Serialize {
    /// The words above the columns.
    const HEAD: &'static [&'static str];
    /// One text a column.
    fn cells(&self) -> Vec<String>;
    /// What `-q` prints, and what `-` takes.
    fn name(&self) -> String;
}

impl Output {
    /// Prints the rows as was asked for.
    pub fn list<R: Row>(self, rows: &[R]) -> Result<()> {
        if self.json {
            return emit_json(rows);
        }
        if self.jsonl {
            let lines: std::result::Result<Vec<String>, _> =
                rows.iter().map(serde_json::to_string).collect();
            let all: String = lines
                .map_err(unsayable)?
                .into_iter()
                .map(|line| line + "\n")
                .collect();
            return emit(&all);
        }
        if self.quiet {
            let names: Vec<String> = rows.iter().map(Row::name).collect();
            return emit_names(names.iter().map(OsStr::new));
        }
        emit(&table(R::HEAD, rows.iter().map(Row::cells)))
    }
}

/// Prints `value` as JSON, indented.
pub fn emit_json(value: &(impl Serialize + ?Sized)) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(unsayable)?;
    emit(&(text + "\n"))
}

fn unsayable(error: serde_json::Error) -> Failure {
    Failure::doing("writing JSON", error)
}

static LIKE_DOCKER: AtomicBool = AtomicBool::new(false);

/// From here on tables have docker's columns: three spaces between them, and none narrower than ten.
pub fn tables_like_docker() {
    LIKE_DOCKER.store(true, Ordering::Relaxed);
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    let like_docker = LIKE_DOCKER.load(Ordering::Relaxed);
    for column in table.column_iter_mut() {
        column.set_padding((0, if like_docker { 3 } else { 2 }));
        if like_docker {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(10)));
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The same of rows of any width, the heads first: docker's `--format 'table …'`.
pub fn rows_like_docker(rows: &[Vec<String>]) -> String {
    let visible = |row: &Vec<String>| row.iter().map(|cell| visible(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(visible).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let pad = (width + 3).max(10) - cell.chars().count();
            format!("{cell}{}", " ".repeat(pad))
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Text with its control characters escaped: a name in a listing may come from a hostile image.
pub fn visible(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            if let Some(byte) = kit_plan::os_text::escaped_byte(c) {
                format!("\\x{byte:02x}").chars().collect()
            } else if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// Names, one a line, as `-` reads them: the bytes of one that is not UTF-8. One with a line break would be other names
/// there, or that of something else if it were escaped: it is left out, and told.
pub fn emit_names<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
    let mut lines = Vec::new();
    let mut left_out = None;
    for name in names {
        if is_terminal() {
            lines.extend(visible(&name.to_string_lossy()).into_bytes());
        } else if name
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'\n' | b'\r'))
        {
            left_out.get_or_insert(name);
            continue;
        } else {
            lines.extend(name.as_bytes());
        }
        lines.push(b'\n');
    }
    emit_bytes(&lines)?;
    let Some(name) = left_out else {
        return Ok(());
    };
    let text = format!("listing {name:?}: the name has a line break");
    Err(Failure::new(text).hint("--jsonl prints it, as - of other verbs reads it"))
}

/// As [`emit`], of what a verb has done to one of several names: it goes on to the next, though nobody reads.
pub fn tell(text: &str) -> Result<()> {
    match emit(text) {
        Err(error) if error.is_closed_pipe() => Ok(()),
        told => told,
    }
}

/// Writes to standard output; a reader that has gone is [`ClosedPipe`].
pub fn emit(text: &str) -> Result<()> {
    emit_bytes(text.as_bytes())
}

/// The same of what may not be UTF-8: a path.
pub fn emit_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
        Err(e) => Err(Failure::doing("writing to standard output", e)),
    }
}
