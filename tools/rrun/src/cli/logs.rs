//! `rrun logs`: what a container has said, from its log file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

use kit_cli::{ClosedPipe, Failure, Result};
use serde::Deserialize;

use super::fault;
use crate::state::Containers;

#[derive(clap::Args)]
pub struct Args {
    /// Go on with what it says from now, until it ends
    #[arg(short, long)]
    pub follow: bool,
    /// The time before each line
    #[arg(short, long)]
    pub timestamps: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, default_value = "all", value_name = "N")]
    pub tail: String,
    pub container: String,
}

#[derive(Deserialize)]
struct Entry {
    log: String,
    stream: String,
    time: String,
}

/// How often a growing file is looked at.
const BEAT: Duration = Duration::from_millis(30);

pub fn run(args: &Args, containers: &Containers) -> Result {
    let container = containers.resolve(&args.container).map_err(fault)?;
    let tail = match args.tail.as_str() {
        "all" => None,
        // docker: a negative number is all of them.
        text if text.starts_with('-') => None,
        text => Some(text.parse::<usize>().map_err(|_| {
            Failure::usage(format!("invalid value \"{text}\" for --tail")).hint("a number, or all")
        })?),
    };
    // Nothing was ever said by one that never ran.
    let Ok(file) = File::open(containers.log(&container.id)) else {
        return Ok(0);
    };
    let mut reader = BufReader::new(file);
    let mut lines = read_lines(&mut reader)?;
    if let Some(tail) = tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    show(&lines, args.timestamps)?;
    if args.follow {
        follow(args, containers, &container.id, &mut reader)?;
    }
    Ok(0)
}

/// Until it has ended and all is read.
fn follow(
    args: &Args,
    containers: &Containers,
    id: &str,
    reader: &mut BufReader<File>,
) -> Result<()> {
    loop {
        // Looked at first: what was written before the end is then still read.
        let running = containers.state(id).is_ok_and(|state| state.is_running());
        let lines = read_lines(reader)?;
        show(&lines, args.timestamps)?;
        if lines.is_empty() && !running {
            return Ok(());
        }
        if lines.is_empty() {
            std::thread::sleep(BEAT);
        }
    }
}

/// The whole lines that are there; half a one stays for the next time.
fn read_lines(reader: &mut BufReader<File>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        if read == 0 {
            return Ok(entries);
        }
        if !line.ends_with('\n') {
            reader.seek_relative(-(read as i64))?;
            return Ok(entries);
        }
        if let Ok(entry) = serde_json::from_str(&line) {
            entries.push(entry);
        }
    }
}

/// stdout to stdout, stderr to stderr, as they came.
fn show(entries: &[Entry], timestamps: bool) -> Result<()> {
    for Entry { log, stream, time } in entries {
        let text = if timestamps {
            format!("{time} {log}")
        } else {
            log.clone()
        };
        let written = if stream == "stderr" {
            io::stderr().write_all(text.as_bytes())
        } else {
            io::stdout()
                .write_all(text.as_bytes())
                .and_then(|()| io::stdout().flush())
        };
        match written {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Err(ClosedPipe.into()),
            other => other?,
        }
    }
    Ok(())
}
