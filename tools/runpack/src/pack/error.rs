//! What can be wrong with a program that is to be packed. The kernel's own word for most of these is ENOENT, about a file that is plainly
//! there; so each case has its true cause here, and the way out as a hint.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use kit_plan::{FAILED, Fault, USAGE, quote};

/// The call that failed, as its manual page has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// open(2)
    Open,
    /// read(2)
    Read,
    /// stat(2)
    Stat,
    /// Listing a directory.
    ReadDir,
    /// write(2)
    Write,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Stat => "look at",
            Self::ReadDir => "list",
            Self::Write => "write",
        })
    }
}

/// Why an image could not be made of what was asked for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum PackError {
    #[error("program {name:?}: not found through PATH")]
    NoProgram {
        name: OsString,
        /// Programs of PATH with a name almost the same.
        near: Vec<String>,
        /// It exists, in a directory that PATH does not name.
        elsewhere: Option<PathBuf>,
    },
    #[error("{call} {path:?}: {}", errno(.source))]
    Io {
        call: Call,
        path: PathBuf,
        source: io::Error,
    },
    #[error("program {path:?}: is a directory")]
    IsDirectory { path: PathBuf },
    #[error("program {path:?}: not a regular file")]
    NotAFile { path: PathBuf },
    #[error("program {path:?}: not executable")]
    NotExecutable { path: PathBuf },
    #[error("program {path:?}: neither an ELF program nor a script that begins with #!")]
    NotAProgram { path: PathBuf },
    #[error("program {path:?}: a damaged ELF file: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("program {path:?}: built for {theirs}, and this machine is {ours}")]
    OtherMachine {
        path: PathBuf,
        theirs: &'static str,
        ours: &'static str,
    },
    #[error("program {path:?}: its ELF interpreter {interpreter:?} is not on this machine")]
    NoInterpreter {
        path: PathBuf,
        interpreter: PathBuf,
        /// 32-bit, on a machine of 64.
        foreign_class: bool,
    },
    #[error("library {name:?}: not found, and {needed_by:?} needs it")]
    NoLibrary {
        name: OsString,
        needed_by: PathBuf,
        stray: Stray,
    },
    #[error(
        "script {path:?}: its first line ends in CR LF, so the kernel looks for an interpreter whose name ends in \\r"
    )]
    CarriageReturn { path: PathBuf },
    #[error("script {path:?}: no interpreter after #!")]
    EmptyShebang { path: PathBuf },
    #[error("script {path:?}: its interpreter {interpreter:?} is not an absolute path")]
    RelativeInterpreter { path: PathBuf, interpreter: PathBuf },
    #[error("script {path:?}: its interpreter {interpreter:?} is not on this machine")]
    NoScriptInterpreter { path: PathBuf, interpreter: PathBuf },
    #[error("script {path:?}: env looks for one program named {words:?}")]
    EnvTakesOneWord { path: PathBuf, words: String },
    #[error("script {path:?}: more than {levels} interpreters that are scripts themselves")]
    TooDeep { path: PathBuf, levels: usize },
    #[error("add {spec:?}: {reason}")]
    BadAdd { spec: String, reason: &'static str },
    #[error("add to {path:?}: the image has {there} there")]
    Conflict { path: PathBuf, there: &'static str },
    #[error("read {path:?}: it changed while it was packed")]
    Changed { path: PathBuf },
    #[error("--user {name:?}: not in the image's {file}")]
    NoAccount { name: String, file: &'static str },
    #[error("{flag} {value:?}: {reason}")]
    BadValue {
        flag: &'static str,
        value: String,
        reason: &'static str,
    },
}

/// Where a library that ld.so would not find lies all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stray {
    /// It is nowhere.
    Nowhere,
    /// In a directory of `/etc/ld.so.conf`: the cache is older than the file.
    NotInCache(PathBuf),
    /// In a directory of `LD_LIBRARY_PATH`.
    ByEnvironment(PathBuf),
    /// Found, but built for another instruction set or word size.
    OtherKind(PathBuf),
}

impl PackError {
    pub(crate) fn io(call: Call, path: &Path, source: io::Error) -> Self {
        Self::Io {
            call,
            path: path.to_owned(),
            source,
        }
    }
}

impl Fault for PackError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoProgram {
                elsewhere: Some(path),
                ..
            } => format!("it is {}, in a directory that PATH does not name: give the path", quote(path)),
            Self::NoProgram { near, .. } if !near.is_empty() => format!("did you mean {}?", near.join(", ")),
            Self::IsDirectory { path } => format!("--add {0}:{0} takes a directory with all in it", quote(path)),
            Self::NotExecutable { path } => format!("chmod +x {}; to take it as data: --add", quote(path)),
            Self::NotAProgram { .. } => "a script needs a first line such as #!/bin/sh; to take it as data: --add".into(),
            Self::OtherMachine { path, .. } => format!("as data, for an emulator, it can be had with --add {0}:{0}", quote(path)),
            Self::NoInterpreter {
                foreign_class: true, ..
            } => "the program is of 32 bits: dpkg --add-architecture i386 && apt-get update && apt-get install libc6:i386".into(),
            Self::NoInterpreter { .. } => "it was linked for another C library: install that, or link the program statically".into(),
            Self::NoLibrary { stray, name, .. } => stray.hint(&name.to_string_lossy()),
            Self::CarriageReturn { path } => format!("sed -i 's/\\r$//' {}", quote(path)),
            Self::NoScriptInterpreter { interpreter, .. } => {
                format!("install {}, or change the script's first line", interpreter.display())
            }
            Self::EnvTakesOneWord { words, .. } => {
                format!("the kernel passes all that follows env as one word; #!/usr/bin/env -S {words} splits it")
            }
            Self::NoAccount { file, .. } => {
                format!("give a number, or --add a file with that name in it: --add FILE:{file}")
            }
            _ => return None,
        })
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadValue { .. } | Self::BadAdd { .. } | Self::NoAccount { .. } => USAGE,
            _ => FAILED,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl Stray {
    fn hint(&self, name: &str) -> String {
        match self {
            Self::Nowhere => format!(
                "install the package that has {name}: the program does not start here either"
            ),
            Self::NotInCache(path) => format!(
                "it is {}, which /etc/ld.so.cache does not have yet: run ldconfig",
                path.display()
            ),
            Self::ByEnvironment(path) => {
                let dir = quote(path.parent().unwrap_or(path));
                format!(
                    "this shell's LD_LIBRARY_PATH has it; for the image: --env LD_LIBRARY_PATH={dir}"
                )
            }
            Self::OtherKind(path) => {
                format!("{} is built for another kind of processor", path.display())
            }
        }
    }
}

/// The kernel's words alone: `io::Error` would add "(os error 2)".
fn errno(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}
