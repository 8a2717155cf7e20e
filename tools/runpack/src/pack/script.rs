//! The first line of a script, as the kernel reads it (`fs/binfmt_script.c`): an interpreter and at most one argument, which is all the
//! rest of the line. And what env(1) makes of that argument.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::PackError;

/// The kernel reads this much of a file to see what it is (`BINPRM_BUF_SIZE`).
const KERNEL_READS: usize = 256;

/// What follows `#!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang {
    pub interpreter: PathBuf,
    pub argument: Option<OsString>,
}

impl Shebang {
    /// `None` if the file is no script.
    pub fn parse(path: &Path, file: &[u8]) -> Result<Option<Self>, PackError> {
        let file = &file[..file.len().min(KERNEL_READS)];
        let Some(line) = file.strip_prefix(b"#!") else {
            return Ok(None);
        };
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let path = || path.to_owned();
        if line.ends_with(b"\r") {
            return Err(PackError::CarriageReturn { path: path() });
        }
        let line = line.trim_ascii();
        let end = line
            .iter()
            .position(|b| matches!(b, b' ' | b'\t'))
            .unwrap_or(line.len());
        let (interpreter, rest) = line.split_at(end);
        let interpreter = PathBuf::from(OsStr::from_bytes(interpreter));
        if interpreter.as_os_str().is_empty() {
            return Err(PackError::EmptyShebang { path: path() });
        }
        if interpreter.is_relative() {
            return Err(PackError::RelativeInterpreter {
                path: path(),
                interpreter,
            });
        }
        let rest = rest.trim_ascii();
        let argument = (!rest.is_empty()).then(|| OsStr::from_bytes(rest).to_owned());
        Ok(Some(Self {
            interpreter,
            argument,
        }))
    }

    /// The program that env(1) will look for through PATH, if the interpreter is env.
    pub fn program_of_env(&self, script: &Path) -> Result<Option<OsString>, PackError> {
        if self.interpreter.file_name() != Some(OsStr::new("env")) {
            return Ok(None);
        }
        let Some(argument) = &self.argument else {
            return Ok(None);
        };
        let text = argument.to_string_lossy();
        let Some(words) = after_split_option(&text) else {
            // Without -S the kernel's one argument is one word, spaces and all, unless it is an option env takes as it is.
            if text.contains([' ', '\t']) {
                let words = text.into_owned();
                return Err(PackError::EnvTakesOneWord {
                    path: script.to_owned(),
                    words,
                });
            }
            return Ok((!text.starts_with('-')).then(|| argument.clone()));
        };
        Ok(first_program(words).map(OsString::from))
    }
}

/// What `-S`, `-vS` or `--split-string=` has env split.
fn after_split_option(text: &str) -> Option<&str> {
    ["--split-string=", "--split-string ", "-S", "-vS", "-iS"]
        .iter()
        .find_map(|option| text.strip_prefix(option))
}

/// Passes over env's own options and assignments.
fn first_program(words: &str) -> Option<&str> {
    let mut words = words.split_ascii_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-u" | "--unset" | "-C" | "--chdir" => {
                words.next();
            }
            _ if word.starts_with('-') || word.contains('=') => {}
            _ => return Some(word),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Shebang>, PackError> {
        Shebang::parse(Path::new("/s"), text.as_bytes())
    }

    fn env(text: &str) -> Result<Option<OsString>, String> {
        let shebang = parse(text).unwrap().unwrap();
        shebang
            .program_of_env(Path::new("/s"))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn all_after_the_interpreter_is_one_argument() {
        let shebang = parse("#! /bin/awk -f  -v x \nrest").unwrap().unwrap();
        assert_eq!(shebang.interpreter, Path::new("/bin/awk"));
        assert_eq!(shebang.argument.unwrap(), "-f  -v x");
    }

    #[test]
    fn bad_first_lines_have_their_own_words() {
        let said = |text| parse(text).unwrap_err().to_string();
        assert!(said("#!/bin/sh\r\necho\r\n").contains("CR LF"));
        assert!(said("#!/bin/sh -e\r\n").contains("CR LF"));
        assert_eq!(said("#! \n"), "script \"/s\": no interpreter after #!");
        assert_eq!(
            said("#!sh\n"),
            "script \"/s\": its interpreter \"sh\" is not an absolute path"
        );
        assert!(parse("echo\n").unwrap().is_none());
    }

    #[test]
    fn env_is_seen_through() {
        assert_eq!(env("#!/usr/bin/env python3\n"), Ok(Some("python3".into())));
        assert_eq!(
            env("#!/usr/bin/env -S python3 -u\n"),
            Ok(Some("python3".into()))
        );
        assert_eq!(
            env("#!/usr/bin/env -S -i -u HOME A=b perl -w\n"),
            Ok(Some("perl".into()))
        );
        assert_eq!(env("#!/bin/sh env\n"), Ok(None));
        assert_eq!(env("#!/usr/bin/env\n"), Ok(None));
        let said = env("#!/usr/bin/env python3 -u\n").unwrap_err();
        assert_eq!(
            said,
            "script \"/s\": env looks for one program named \"python3 -u\""
        );
    }
}
