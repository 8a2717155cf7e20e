//! `rrun logs`: prints a container's output from its log file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kit_cli::{ClosedPipe, Failure, Result, visible};
use serde::Deserialize;

use super::steps::find;
use box_state::Containers;

#[derive(clap::Args)]
pub struct Args {
    /// Follow the output until the container ends
    #[arg(short, long)]
    pub follow: bool,
    /// Print the time before each line
    #[arg(short, long)]
    pub timestamps: bool,
    /// Only the last N lines
    #[arg(
        short = 'n',
        long,
        default_value = "all",
        allow_hyphen_values = true,
        value_name = "N"
    )]
    pub tail: String,
    /// Only from a time on: 2026-01-31T12:00:00Z, or how long ago: 10m
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only up to a time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// A container; - reads several from standard input
    pub container: String,
}

#[derive(Deserialize)]
struct Entry {
    log: String,
    stream: String,
    time: String,
}

/// How often a growing file is read again.
const BEAT: Duration = Duration::from_millis(30);

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(std::slice::from_ref(&args.container), &["container"])?;
    kit_cli::each(&names, |name| one(args, name, containers))
}

fn one(args: &Args, name: &str, containers: &Containers) -> Result<()> {
    let box_ops::Subject {
        containers,
        container,
    } = &find(containers, name)?;
    let tail = match args.tail.as_str() {
        "all" => None,
        // As docker: a negative number, or an empty value, means all lines.
        text if text.is_empty() || text.starts_with('-') => None,
        text => Some(text.parse::<usize>().map_err(|_| {
            Failure::usage(format!("invalid value \"{text}\" for --tail")).hint("a number, or all")
        })?),
    };
    let window = Window {
        since: given(args.since.as_deref()).map(moment).transpose()?,
        until: given(args.until.as_deref()).map(moment).transpose()?,
    };
    // A container that never ran has no log.
    let Ok(file) = File::open(containers.log(&container.id)) else {
        return Ok(());
    };
    let mut reader = BufReader::new(file);
    let mut lines = read_lines(&mut reader)?;
    if let Some(tail) = tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    lines.retain(|line| window.has(line));
    show(&lines, args.timestamps, container.tty)?;
    if args.follow {
        let is_over = || {
            // The monitor reports the end after it has written the last line; a dead monitor writes no more.
            let state = containers.state(&container.id);
            !state.is_ok_and(|state| state.may_say_more()) || window.is_past()
        };
        follow(args, &window, is_over, &mut reader, container.tty)?;
    }
    Ok(())
}

/// An empty time counts as not given: scripts pass flags whether they have a value or not.
fn given(time: Option<&str>) -> Option<&str> {
    time.filter(|time| !time.is_empty())
}

/// `--since` and `--until`.
struct Window {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Window {
    fn has(&self, entry: &Entry) -> bool {
        let Ok(time) = entry.time.parse::<Timestamp>() else {
            return true;
        };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }

    fn is_past(&self) -> bool {
        self.until.is_some_and(|until| Timestamp::now() > until)
    }
}

/// RFC 3339, a date or a time without a zone (UTC), seconds since the epoch, or how long ago.
fn moment(text: &str) -> Result<Timestamp> {
    let ago = |span: SignedDuration| Timestamp::now().checked_sub(span).ok();
    let civil = |time: DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let epoch = |seconds: f64| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok();
    let found = (text.parse().ok())
        .or_else(|| text.parse().ok().and_then(civil))
        .or_else(|| text.parse().ok().and_then(epoch))
        .or_else(|| text.parse().ok().and_then(ago));
    found.ok_or_else(|| {
        Failure::usage(format!("invalid time \"{text}\""))
            .hint("2026-01-31T12:00:00Z, or how long ago: 90s, 10m, 1h30m")
    })
}

/// Prints new lines until the container has ended and all is read.
fn follow(
    args: &Args,
    window: &Window,
    is_over: impl Fn() -> bool,
    reader: &mut BufReader<File>,
    colours: bool,
) -> Result<()> {
    loop {
        // Asked before the read, so that what was written before the end is still read.
        let is_over = is_over();
        let mut lines = read_lines(reader)?;
        let is_quiet = lines.is_empty();
        lines.retain(|line| window.has(line));
        show(&lines, args.timestamps, colours)?;
        if is_quiet && is_over {
            return Ok(());
        }
        if is_quiet {
            std::thread::sleep(BEAT);
        }
    }
}

fn unread(error: io::Error) -> Failure {
    Failure::doing("reading a log", error)
}

/// Reads the whole lines that are there; an incomplete line is read the next time.
fn read_lines(reader: &mut BufReader<File>) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).map_err(unread)?;
        if read == 0 {
            return Ok(entries);
        }
        if !line.ends_with('\n') {
            reader.seek_relative(-(read as i64)).map_err(unread)?;
            return Ok(entries);
        }
        if let Ok(entry) = serde_json::from_str(&line) {
            entries.push(entry);
        }
    }
}

/// Prints lines to the stream that they came from; control characters are escaped on a terminal.
fn show(entries: &[Entry], timestamps: bool, colours: bool) -> Result<()> {
    let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
    for Entry { log, stream, time } in entries {
        let is_terminal = if stream == "stderr" { err } else { out };
        let log = if is_terminal {
            harmless(log, colours)
        } else {
            log.clone()
        };
        let text = if timestamps {
            format!("{time} {log}")
        } else {
            log
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
            other => other.map_err(|e| Failure::doing("showing a log", e))?,
        }
    }
    Ok(())
}

/// Control characters escaped, but for the ends of lines and tabs, and with `colours`, which a program on a
/// terminal of its own may print, SGR sequences (ECMA-48 8.3.117).
fn harmless(log: &str, colours: bool) -> String {
    let mut safe = String::with_capacity(log.len());
    let mut rest = log;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\u{1b}' if colours => sgr(rest).unwrap_or(1),
            c => c.len_utf8(),
        };
        let (part, after) = rest.split_at(taken);
        if taken > c.len_utf8() || matches!(c, '\n' | '\r' | '\t') {
            safe.push_str(part);
        } else {
            safe.push_str(&visible(part));
        }
        rest = after;
    }
    safe
}

/// The length of an SGR sequence at the beginning of `text`: ESC [ parameters m.
fn sgr(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    (parameters.as_bytes()[end] == b'm').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_docker_takes_them() {
        for (text, epoch) in [
            ("2026-01-31T12:00:00Z", 1_769_860_800),
            ("2026-01-31T13:00:00+01:00", 1_769_860_800),
            ("2026-01-31T12:00:00", 1_769_860_800),
            ("2026-01-31", 1_769_817_600),
            ("1769860800", 1_769_860_800),
        ] {
            assert_eq!(moment(text).unwrap().as_second(), epoch, "{text}");
        }
        let ago = Timestamp::now().as_second() - moment("1h30m").unwrap().as_second();
        assert!((5400..=5402).contains(&ago), "{ago}");
        let refused = moment("soon").unwrap_err();
        assert_eq!(refused.to_string(), "invalid time \"soon\"");
    }

    #[test]
    fn a_log_cannot_steer_the_terminal() {
        let steering = "a\tb\u{1b}[2J\r\nc\n";
        assert_eq!(harmless(steering, false), "a\tb\\u{1b}[2J\r\nc\n");
        assert_eq!(harmless(steering, true), "a\tb\\u{1b}[2J\r\nc\n");
        let red = "\u{1b}[1;31mé\u{1b}[m\u{1b}[31";
        assert_eq!(harmless(red, true), "\u{1b}[1;31mé\u{1b}[m\\u{1b}[31");
        assert_eq!(harmless(red, false), "\\u{1b}[1;31mé\\u{1b}[m\\u{1b}[31");
    }
}
