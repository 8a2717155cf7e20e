//! Becoming a program, the last thing that an `exec` verb does, and why execve(2) would not: it answers ENOENT
//! for a missing interpreter, and ENOEXEC for another machine's program.

use std::ffi::{CString, OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use rustix::io::Errno;

/// Executes `argv`, whose first word is looked up on `PATH`; the PID stays. Returns only the reason why not.
///
/// What the caller ignores, as nohup(1) does, the program ignores too: only SIGPIPE, which Rust's start-up code
/// ignores, gets its default action back.
pub fn exec(argv: &[OsString]) -> ExecError {
    let program = argv.first().cloned().unwrap_or_default();
    let refusal = match on_path(&program) {
        Some(path) => Refusal::of(&path, execute(&path, argv)),
        None => Refusal::NoCommand,
    };
    ExecError { program, refusal }
}

/// Not execvp(3), nor std's `exec`, which is that: what the kernel answers ENOEXEC for they give to /bin/sh, an empty
/// file and another machine's program too.
fn execute(path: &Path, argv: &[OsString]) -> Errno {
    let word = |word: &OsStr| CString::new(word.as_bytes());
    let words: Result<Vec<CString>, _> = argv.iter().map(|each| word(each)).collect();
    let (Ok(path), Ok(words)) = (word(path.as_os_str()), words) else {
        return Errno::INVAL;
    };
    // SAFETY: SIG_DFL is no handler function, so nothing of ours can run in signal context.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    match nix::unistd::execv(&path, &words) {
        Ok(never) => match never {},
        Err(errno) => Errno::from_raw_os_error(errno as i32),
    }
}

/// The file that execvp(3) would try first, whether or not it can be executed.
fn on_path(program: &OsStr) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let files = || std::env::split_paths(&path).map(|dir| dir.join(program));
    let can = |mode: u32| {
        move |file: &PathBuf| {
            std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.mode() & mode == mode)
        }
    };
    if program.is_empty() {
        return None;
    }
    files().find(can(0o100)).or_else(|| files().find(can(0)))
}

/// A program that was not executed. Prints as `executing "object": reason`.
#[derive(Debug, thiserror::Error)]
#[error("executing {program:?}: {}", refusal.reason("on this machine"))]
#[allow(missing_docs)] // each variant is its message
pub struct ExecError {
    pub program: OsString,
    pub refusal: Refusal,
}

impl ExecError {
    /// 127 not found, 126 cannot be executed: as env(1).
    pub fn exit_code(&self) -> u8 {
        self.refusal.exit_code()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.refusal {
            Refusal::NotExecutable => Some(format!("chmod +x {}", self.program.display())),
            Refusal::CarriageReturn(_) => Some(format!(
                "the script has Windows line ends: sed -i 's/\\r$//' {}",
                self.program.display()
            )),
            _ => None,
        }
    }
}

/// Why a program does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No directory of `PATH` has it.
    NoCommand,
    /// A path with a slash leads to nothing.
    NoFile,
    /// The path is one of a directory.
    Directory,
    /// It has no execute permission.
    NotExecutable,
    /// A script's interpreter is not there.
    Interpreter(String),
    /// A script's first line ends in CR LF.
    CarriageReturn(String),
    /// An ELF program's interpreter, the dynamic loader, is not there.
    Loader(String),
    /// A program for another machine, by that one's name.
    Machine(String),
    /// A file without a byte.
    Empty,
    /// Neither a program nor a script.
    Format,
    /// Anything else, as the kernel says it.
    Errno(Errno),
}

impl Refusal {
    /// Why execve(2) answered `errno` for `path`.
    pub fn of(path: &Path, errno: Errno) -> Self {
        if !path.exists() {
            return Self::NoFile;
        }
        if path.is_dir() {
            return Self::Directory;
        }
        match errno {
            Errno::NOENT => missing_interpreter(path),
            Errno::ACCESS => Self::NotExecutable,
            Errno::NOEXEC => wrong_format(path),
            other => Self::Errno(other),
        }
    }

    /// In words; `place` is where the program would run: "on this machine", "in the container".
    pub fn reason(&self, place: &str) -> String {
        match self {
            Self::NoCommand => "no such command on PATH".to_owned(),
            Self::NoFile => format!("no such file {place}"),
            Self::Directory => "it is a directory".to_owned(),
            Self::NotExecutable => "it is not executable".to_owned(),
            Self::Interpreter(path) => format!("its interpreter {path:?} is not {place}"),
            Self::CarriageReturn(path) => {
                format!("its first line asks for {path:?} followed by a carriage return")
            }
            Self::Loader(path) => format!("its ELF interpreter {path:?} is not {place}"),
            Self::Machine(other) => {
                let this = std::env::consts::ARCH;
                format!("it is a program for {other}, and this machine is {this}")
            }
            Self::Empty => "the file is empty".to_owned(),
            Self::Format => "it is neither a program nor a script that begins with #!".to_owned(),
            Self::Errno(errno) => nix::errno::Errno::from_raw(errno.raw_os_error())
                .desc()
                .to_owned(),
        }
    }

    /// 127 not found, 126 cannot be executed: as env(1).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCommand | Self::NoFile => 127,
            _ => 126,
        }
    }
}

/// Of a regular file: opening a FIFO that nobody writes to would wait for ever, and a device may do something.
fn head(path: &Path) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    if !std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Vec::new();
    }
    let opened = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let read = opened.and_then(|mut file| file.read(&mut bytes));
    bytes.truncate(read.unwrap_or(0));
    bytes
}

/// The interpreter of a `#!` script, as the kernel reads it.
pub fn script_interpreter(path: &Path) -> Option<String> {
    let bytes = head(path);
    let line = bytes
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    line.trim_start_matches([' ', '\t'])
        .split([' ', '\t'])
        .next()
        .map(str::to_owned)
}

fn missing_interpreter(path: &Path) -> Refusal {
    if let Some(interpreter) = script_interpreter(path) {
        return match interpreter.strip_suffix('\r') {
            Some(clean) => Refusal::CarriageReturn(clean.to_owned()),
            None => Refusal::Interpreter(interpreter),
        };
    }
    elf_interpreter(&head(path)).map_or(Refusal::Errno(Errno::NOENT), Refusal::Loader)
}

fn wrong_format(path: &Path) -> Refusal {
    let bytes = head(path);
    match bytes.get(..20) {
        Some(elf) if elf.starts_with(b"\x7fELF") => {
            Refusal::Machine(machine_name(u16::from_le_bytes([elf[18], elf[19]])))
        }
        _ if bytes.is_empty() => Refusal::Empty,
        _ => Refusal::Format,
    }
}

/// `e_machine` of elf.h, the ones that images are built for.
fn machine_name(machine: u16) -> String {
    let known = [
        (3, "i386"),
        (40, "arm"),
        (62, "x86_64"),
        (183, "aarch64"),
        (21, "ppc64"),
        (22, "s390x"),
        (243, "riscv64"),
    ];
    let name = known
        .iter()
        .find(|(number, _)| *number == machine)
        .map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| format!("machine {machine}"))
}

/// `PT_INTERP` of a 64-bit little-endian ELF file, if its head holds it (elf(5)).
fn elf_interpreter(bytes: &[u8]) -> Option<String> {
    const PT_INTERP: u32 = 3;
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let half =
        |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?) as usize);
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (word(32)? as usize, half(54)?, half(56)?);
    (0..count).find_map(|index| {
        let at = table + index * size;
        let kind = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        if kind != PT_INTERP {
            return None;
        }
        let (offset, length) = (word(at + 8)? as usize, word(at + 32)? as usize);
        let text = bytes.get(offset..offset + length)?;
        Some(
            String::from_utf8_lossy(text)
                .trim_end_matches('\0')
                .to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_in_a_programs_place_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let mode = rustix::fs::Mode::from_raw_mode(0o755);
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        assert_eq!(script_interpreter(&fifo), None);
        assert_eq!(Refusal::of(&fifo, Errno::NOEXEC), Refusal::Empty);
    }

    #[test]
    fn the_interpreter_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        let why = |text: &str| {
            std::fs::write(&script, text).unwrap();
            Refusal::of(&script, Errno::NOENT).reason("in the container")
        };
        assert_eq!(
            why("#!/usr/bin/perl9 -w\n"),
            "its interpreter \"/usr/bin/perl9\" is not in the container"
        );
        assert_eq!(
            why("#!/bin/sh\r\necho\r\n"),
            "its first line asks for \"/bin/sh\" followed by a carriage return"
        );
    }

    #[test]
    fn a_command_that_is_nowhere_is_127_and_one_that_cannot_run_126() {
        let error = exec(&["no-such-command".into()]);
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            (
                "executing \"no-such-command\": no such command on PATH",
                127
            )
        );
        let error = exec(&["/etc/passwd".into()]);
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            ("executing \"/etc/passwd\": it is not executable", 126)
        );
        assert_eq!(exec(&["/etc".into()]).exit_code(), 126);
        assert_eq!(exec(&["/no/such".into()]).exit_code(), 127);
    }
}
