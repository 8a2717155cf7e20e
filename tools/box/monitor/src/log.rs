//! The container's log in docker's json-file format: a JSON object for each line of output.
//!
//! A program that writes faster than it is read from fills the pipe. As many whole lines of such a flood as fit are one
//! object, which is a third of the work and half of the file. They came together, so they have one time anyway.

use std::fs::File;
use std::io::Write;

use memchr::{memchr, memrchr};

use box_state::{Containers, now};

/// Bytes of an entry, docker's limit: a longer line becomes several entries.
const LONGEST: usize = 16 * 1024;

/// Bytes of one write(2).
const BATCH: usize = 256 * 1024;

/// A log that is appended to; its file is made with the first entry. On a full disk, or without a file, entries are lost and
/// the container goes on.
pub struct Log {
    containers: Containers,
    id: String,
    file: Option<File>,
    /// The beginning of a line whose end has not come, by stream.
    rest: [Vec<u8>; 2],
    /// Entries that have not been written; empty between calls.
    batch: Vec<u8>,
    /// Whether the file may end in the middle of an entry.
    is_torn: bool,
}

/// Finds the end of an entry's last line: memchr for one line, memrchr for as many whole ones as there are.
type FindEnd = fn(u8, &[u8]) -> Option<usize>;

pub const STREAMS: [&str; 2] = ["stdout", "stderr"];

impl Log {
    pub fn new(containers: &Containers, id: &str) -> Self {
        Self {
            containers: containers.clone(),
            id: id.to_owned(),
            file: None,
            rest: [Vec::new(), Vec::new()],
            batch: Vec::new(),
            is_torn: false,
        }
    }

    /// Logs what one read(2) gave. Its lines have one time: they came together. `flood`: it gave as much as it could.
    pub fn write(&mut self, stream: usize, mut bytes: &[u8], flood: bool) {
        let tail = tail(stream);
        let end: FindEnd = if flood { memrchr } else { memchr };
        if !self.rest[stream].is_empty() {
            let rest = &mut self.rest[stream];
            let Some(length) = first_entry(bytes, LONGEST - rest.len(), memchr) else {
                rest.extend(bytes);
                return;
            };
            rest.extend(&bytes[..length]);
            entry(&mut self.batch, rest, &tail);
            rest.clear();
            bytes = &bytes[length..];
        }
        while let Some(length) = first_entry(bytes, LONGEST, end) {
            entry(&mut self.batch, &bytes[..length], &tail);
            bytes = &bytes[length..];
            if self.batch.len() >= BATCH {
                self.append();
            }
        }
        self.rest[stream].extend(bytes);
        self.append();
    }

    /// At the end: a last line without its newline.
    pub fn finish(&mut self) {
        for stream in 0..STREAMS.len() {
            let rest = std::mem::take(&mut self.rest[stream]);
            if !rest.is_empty() {
                entry(&mut self.batch, &rest, &tail(stream));
            }
        }
        self.append();
    }

    /// Gives back the memory that only a busy container needs.
    pub fn shrink(&mut self) {
        self.batch = Vec::new();
        self.rest.iter_mut().for_each(Vec::shrink_to_fit);
    }

    fn append(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = self.containers.open_log(&self.id).ok();
        }
        if let Some(file) = &mut self.file {
            // On a full disk half an entry may have been written: the next one begins a line of its own.
            if self.is_torn {
                self.batch.insert(0, b'\n');
            }
            self.is_torn = file.write_all(&self.batch).is_err();
        }
        self.batch.clear();
    }
}

/// The length of the first entry of `bytes`: up to the end of a line that `end` finds in what an entry can hold, or
/// `longest` bytes of a longer line.
fn first_entry(bytes: &[u8], longest: usize, end: FindEnd) -> Option<usize> {
    let window = &bytes[..bytes.len().min(longest)];
    let whole = end(b'\n', window).map(|at| at + 1);
    whole.or_else(|| (window.len() == longest).then_some(longest))
}

/// What follows the text in each entry of a batch.
fn tail(stream: usize) -> String {
    let (stream, time) = (STREAMS[stream], now());
    format!("\",\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n")
}

fn entry(to: &mut Vec<u8>, text: &[u8], tail: &str) {
    to.extend(b"{\"log\":\"");
    // `from_utf8_lossy` alone goes byte by byte through what is UTF-8, too.
    match std::str::from_utf8(text) {
        Ok(text) => escape(to, text.as_bytes()),
        Err(_) => escape(to, String::from_utf8_lossy(text).as_bytes()),
    }
    to.extend(tail.as_bytes());
}

/// The inside of a JSON string (RFC 8259 §7).
fn escape(to: &mut Vec<u8>, mut text: &[u8]) {
    loop {
        let (plain, special) = text.split_at(plain(text));
        to.extend(plain);
        let Some((byte, after)) = special.split_first() else {
            return;
        };
        match byte {
            b'"' => to.extend(b"\\\""),
            b'\\' => to.extend(b"\\\\"),
            b'\n' => to.extend(b"\\n"),
            b'\r' => to.extend(b"\\r"),
            b'\t' => to.extend(b"\\t"),
            control => to.extend(format!("\\u{control:04x}").as_bytes()),
        }
        text = after;
    }
}

/// How many bytes from the front need no escape. Eight at a time: see "Determine if a word has a byte less than n" in
/// Bit Twiddling Hacks; a borrow can only mark a byte above one that is rightly marked, and the lowest counts.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = below(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
        let found = found & (ONES * 0x80);
        if found != 0 {
            return nth * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let more = rest.iter().position(is_special).unwrap_or(rest.len());
    words.len() * 8 + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_plan::Roots;
    use std::path::{Path, PathBuf};

    /// A log in a room of its own, and where it is.
    fn log_in(room: &Path, id: &str) -> (Log, PathBuf) {
        let containers = Containers::new(Roots::at(room.join("root"), room.join("run")));
        let containers = containers.transient();
        (Log::new(&containers, id), containers.log(id))
    }

    #[test]
    fn a_log_is_made_with_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, path) = log_in(dir.path(), "quiet");
        log.write(0, b"no line", false);
        log.shrink();
        assert!(!path.exists());
        log.finish();
        assert!(path.exists());
    }

    #[test]
    fn a_line_is_an_entry_however_it_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, path) = log_in(dir.path(), "log");
        log.write(0, b"one\ntw", false);
        log.write(1, b"err\n", false);
        log.write(0, b"o\nthree", false);
        log.finish();
        let text = std::fs::read_to_string(path).unwrap();
        let logged: Vec<(String, String)> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|entry| {
                (
                    entry["stream"].as_str().unwrap().into(),
                    entry["log"].as_str().unwrap().into(),
                )
            })
            .collect();
        let expected = [
            ("stdout", "one\n"),
            ("stderr", "err\n"),
            ("stdout", "two\n"),
            ("stdout", "three"),
        ];
        assert_eq!(
            logged,
            expected.map(|(stream, log)| (stream.to_owned(), log.to_owned()))
        );
    }

    fn texts(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let entry = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
        text.lines()
            .map(|line| entry(line)["log"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_byte_comes_back_from_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, path) = log_in(dir.path(), "log");
        // Each character at each place of a word.
        let all: String = (0..=0x17f).filter_map(char::from_u32).collect();
        let all = all.replace('\n', "");
        let lines: Vec<String> = (0..9)
            .map(|n| format!("{}{all}\n", "x".repeat(n)))
            .collect();
        for line in &lines {
            log.write(0, line.as_bytes(), false);
        }
        log.write(0, b"no \xff UTF-8\n", false);
        let mut expected = lines;
        expected.push("no \u{fffd} UTF-8\n".to_owned());
        assert_eq!(texts(&path), expected);
    }

    #[test]
    fn a_line_longer_than_an_entry_is_several_however_it_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("{}\nshort\n", "x".repeat(LONGEST * 2 + 10));
        for size in [7, LONGEST - 1, LONGEST, LONGEST + 1, long.len()] {
            let (mut log, path) = log_in(dir.path(), &size.to_string());
            for piece in long.as_bytes().chunks(size) {
                log.write(0, piece, false);
            }
            let lengths: Vec<usize> = texts(&path).iter().map(String::len).collect();
            assert_eq!(lengths, [LONGEST, LONGEST, 11, 6], "by {size}");
        }
    }

    #[test]
    fn of_a_flood_as_many_lines_as_fit_are_an_entry_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, path) = log_in(dir.path(), "log");
        let text = "a line \"of\" a flood\n".repeat(5000);
        for piece in text.as_bytes().chunks(64 * 1024) {
            log.write(0, piece, piece.len() == 64 * 1024);
        }
        log.finish();
        let entries = texts(&path);
        assert_eq!(entries.concat(), text);
        assert!(entries.iter().all(|entry| entry.len() <= LONGEST));
        assert!(entries.iter().all(|entry| entry.ends_with('\n')));
        assert!(entries[0].len() > LONGEST - 30 && entries[3].len() > LONGEST - 30);
        // The rest did not fill the buffer: a line is an entry.
        assert_eq!(entries.last().unwrap(), "a line \"of\" a flood\n");
    }
}
