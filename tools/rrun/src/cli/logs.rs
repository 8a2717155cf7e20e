//! `rrun logs`: prints a container's output from its log file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IsTerminal, Write};
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

/// One line, or those of a flood: see box/monitor's log.
#[derive(Clone, Deserialize)]
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
    let may_say_more = || {
        let state = containers.state(&container.id);
        state.is_ok_and(|state| state.may_say_more())
    };
    // A container that has printed nothing has no log.
    let Some(file) = open(containers, &container.id, args.follow && may_say_more())? else {
        return Ok(());
    };
    let mut reader = BufReader::new(file);
    let mut printer = Printer::new(window, args.timestamps, container.tty);
    match tail {
        None => while printer.shows_next(&mut reader)? {},
        Some(tail) => {
            for line in last_lines(&mut reader, tail)? {
                printer.show(&line)?;
            }
        }
    }
    printer.flush()?;
    if args.follow {
        // The monitor reports the end after it has written the last line; a dead monitor writes no more.
        let is_over = |window: &Window| !may_say_more() || window.is_past();
        follow(is_over, &mut reader, &mut printer)?;
    }
    Ok(())
}

/// A container's log, if there is one. With `ahead` it is made: a container of `--rm` that prints a first line and ends
/// takes its log with it, and only who has the file open still reads it.
fn open(containers: &Containers, id: &str, ahead: bool) -> Result<Option<File>> {
    let opened = match File::open(containers.log(id)) {
        Err(e) if e.kind() == ErrorKind::NotFound && ahead => containers.open_log(id),
        opened => opened,
    };
    match opened {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some).map_err(unread),
    }
}

/// The last `most` lines that are there.
fn last_lines(reader: &mut BufReader<File>, most: usize) -> Result<VecDeque<Entry>> {
    let mut last = VecDeque::new();
    while let Some(entry) = next_entry(reader)? {
        let Entry { log, stream, time } = entry;
        for line in log.split_inclusive('\n') {
            last.push_back(Entry {
                log: line.to_owned(),
                stream: stream.clone(),
                time: time.clone(),
            });
            if last.len() > most {
                last.pop_front();
            }
        }
    }
    Ok(last)
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
    is_over: impl Fn(&Window) -> bool,
    reader: &mut BufReader<File>,
    printer: &mut Printer,
) -> Result<()> {
    loop {
        // Asked before the read, so that what was written before the end is still read.
        let is_over = is_over(&printer.window);
        let mut is_quiet = true;
        while printer.shows_next(reader)? {
            is_quiet = false;
        }
        printer.flush()?;
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

/// The next whole entry that is there; an incomplete one is read the next time.
fn next_entry(reader: &mut BufReader<File>) -> Result<Option<Entry>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(unread)?;
        if read == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            reader.seek_relative(-(read as i64)).map_err(unread)?;
            return Ok(None);
        }
        if let Ok(entry) = serde_json::from_slice(&line) {
            return Ok(Some(entry));
        }
    }
}

/// Prints lines to the stream that they came from; control characters are escaped on a terminal.
struct Printer {
    window: Window,
    timestamps: bool,
    colours: bool,
    out: BufWriter<io::Stdout>,
    /// Whether the two streams are terminals.
    terminals: (bool, bool),
}

impl Printer {
    fn new(window: Window, timestamps: bool, colours: bool) -> Self {
        Self {
            window,
            timestamps,
            colours,
            out: BufWriter::with_capacity(64 * 1024, io::stdout()),
            terminals: (io::stdout().is_terminal(), io::stderr().is_terminal()),
        }
    }

    /// Reads an entry and shows it; whether there was one.
    fn shows_next(&mut self, reader: &mut BufReader<File>) -> Result<bool> {
        let entry = next_entry(reader)?;
        if let Some(entry) = &entry {
            self.show(entry)?;
        }
        Ok(entry.is_some())
    }

    fn show(&mut self, entry: &Entry) -> Result<()> {
        if !self.window.has(entry) {
            return Ok(());
        }
        let is_error = entry.stream == "stderr";
        if is_error {
            self.flush()?;
        }
        let (out, err) = self.terminals;
        let escapes = if is_error { err } else { out };
        for line in entry.log.split_inclusive('\n') {
            let line = if escapes {
                Cow::Owned(harmless(line, self.colours))
            } else {
                Cow::Borrowed(line)
            };
            let time = if self.timestamps { &entry.time } else { "" };
            let between = if self.timestamps { " " } else { "" };
            let to: &mut dyn Write = if is_error {
                &mut io::stderr()
            } else {
                &mut self.out
            };
            told(write!(to, "{time}{between}{line}"))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        told(self.out.flush())
    }
}

/// A reader that has gone is no failure.
fn told(written: io::Result<()>) -> Result<()> {
    match written {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Err(ClosedPipe.into()),
        other => other.map_err(|e| Failure::doing("showing a log", e)),
    }
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
