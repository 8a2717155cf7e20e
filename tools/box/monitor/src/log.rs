//! The container's log: docker's json-file format, a line of output a line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use box_state::now;

/// docker's own limit: a longer line is several entries.
const LONGEST: usize = 16 * 1024;

#[derive(Serialize)]
struct Entry<'a> {
    log: &'a str,
    stream: &'a str,
    time: String,
}

/// Appends; a full disk loses log lines, never the container.
pub struct Log {
    file: Option<File>,
    /// The beginning of a line whose end has not come, by stream.
    rest: [Vec<u8>; 2],
}

pub const STREAMS: [&str; 2] = ["stdout", "stderr"];

impl Log {
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .ok();
        Self {
            file,
            rest: [Vec::new(), Vec::new()],
        }
    }

    pub fn write(&mut self, stream: usize, bytes: &[u8]) {
        let mut rest = std::mem::take(&mut self.rest[stream]);
        rest.extend(bytes);
        let mut lines = Vec::new();
        let mut from = 0;
        while from < rest.len() {
            let window = &rest[from..rest.len().min(from + LONGEST)];
            match window.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    entry(&mut lines, stream, &window[..=at]);
                    from += at + 1;
                }
                None if window.len() == LONGEST => {
                    entry(&mut lines, stream, window);
                    from += LONGEST;
                }
                None => break,
            }
        }
        rest.drain(..from);
        self.rest[stream] = rest;
        self.append(&lines);
    }

    /// At the end: a last line without its newline.
    pub fn finish(&mut self) {
        let mut lines = Vec::new();
        for stream in 0..STREAMS.len() {
            let rest = std::mem::take(&mut self.rest[stream]);
            if !rest.is_empty() {
                entry(&mut lines, stream, &rest);
            }
        }
        self.append(&lines);
    }

    fn append(&mut self, lines: &[u8]) {
        if let Some(file) = self.file.as_mut().filter(|_| !lines.is_empty()) {
            let _ = file.write_all(lines);
        }
    }
}

fn entry(to: &mut Vec<u8>, stream: usize, text: &[u8]) {
    let entry = Entry {
        log: &String::from_utf8_lossy(text),
        stream: STREAMS[stream],
        time: now(),
    };
    if serde_json::to_writer(&mut *to, &entry).is_ok() {
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_entry_however_it_arrives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path);
        log.write(0, b"one\ntw");
        log.write(1, b"err\n");
        log.write(0, b"o\nthree");
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
}
