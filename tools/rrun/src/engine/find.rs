//! Finding a program on the container's PATH, and saying why it does not run: execve(2) answers ENOENT when the
//! interpreter is missing, and ENOEXEC when the machine is another.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::spec::env::DEFAULT_PATH;

/// 127 not found, 126 cannot be executed.
#[derive(Debug)]
pub struct NotRunnable {
    pub reason: String,
    pub hint: Option<String>,
    pub exit: u8,
}

impl NotRunnable {
    fn new(exit: u8, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
            exit,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A name without a slash is looked up on the PATH of `env`; what it finds may still not run.
pub fn program(name: &str, env: &[String]) -> Result<PathBuf, NotRunnable> {
    if name.is_empty() {
        return Err(NotRunnable::new(127, "the command is empty"));
    }
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        on_path(name, env)?
    };
    refuse_ourselves(&path)?;
    Ok(path)
}

fn on_path(name: &str, env: &[String]) -> Result<PathBuf, NotRunnable> {
    let path = env
        .iter()
        .find_map(|pair| pair.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    let mut denied = None;
    for dir in path.split(':') {
        let file = Path::new(if dir.is_empty() { "." } else { dir }).join(name);
        match std::fs::metadata(&file) {
            Ok(meta) if meta.is_file() && meta.mode() & 0o111 != 0 => return Ok(file),
            Ok(meta) if meta.is_file() => denied = Some(file),
            _ => {}
        }
    }
    Err(match denied {
        Some(file) => NotRunnable::new(126, format!("{file:?} is not executable"))
            .hint("chmod +x it in the image"),
        None => NotRunnable::new(127, format!("no such command on PATH {path}"))
            .hint("give its path, or look with: ls inside the container"),
    })
}

/// Our own executable is the one file of the host's that this process still holds. A program, or the
/// interpreter of a script, that leads to it by /proc/self/exe would run it inside, where it could then be
/// opened for writing (CVE-2019-5736). While the monitor runs it, the kernel refuses that with ETXTBSY too.
fn refuse_ourselves(path: &Path) -> Result<(), NotRunnable> {
    let Ok(ours) = std::fs::metadata("/proc/self/exe") else {
        return Ok(());
    };
    let is_ours = |path: &Path| {
        std::fs::metadata(path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == (ours.dev(), ours.ino()))
    };
    if is_ours(path)
        || script_interpreter(path).is_some_and(|interpreter| is_ours(Path::new(&interpreter)))
    {
        return Err(NotRunnable::new(
            126,
            "it leads out of the container, to the runtime itself",
        ));
    }
    Ok(())
}

fn head(path: &Path) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut bytes));
    bytes.truncate(read.unwrap_or(0));
    bytes
}

/// The interpreter of a `#!` script, as the kernel reads it.
fn script_interpreter(path: &Path) -> Option<String> {
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

/// Why execve(2) refused `path`.
pub fn diagnose(path: &Path, errno: Errno) -> NotRunnable {
    if !path.exists() {
        return NotRunnable::new(127, "no such file in the container");
    }
    if path.is_dir() {
        return NotRunnable::new(126, "it is a directory");
    }
    match errno {
        Errno::ENOENT => missing_interpreter(path),
        Errno::EACCES => {
            NotRunnable::new(126, "it is not executable").hint("chmod +x it in the image")
        }
        Errno::ENOEXEC => wrong_format(path),
        _ => NotRunnable::new(126, errno.desc()),
    }
}

fn missing_interpreter(path: &Path) -> NotRunnable {
    if let Some(interpreter) = script_interpreter(path) {
        if let Some(clean) = interpreter.strip_suffix('\r') {
            return NotRunnable::new(
                126,
                format!("its first line asks for {clean:?} followed by a carriage return"),
            )
            .hint("the script has Windows line ends: sed -i 's/\\r$//' it");
        }
        return NotRunnable::new(
            126,
            format!("its interpreter {interpreter:?} is not in the container"),
        );
    }
    match elf_interpreter(&head(path)) {
        Some(loader) => NotRunnable::new(126, format!("its ELF interpreter {loader:?} is not in the container"))
            .hint("a program for another libc, or one copied without its libraries: runpack pack --bin takes them along"),
        None => NotRunnable::new(126, "its interpreter is not in the container"),
    }
}

fn wrong_format(path: &Path) -> NotRunnable {
    let bytes = head(path);
    match bytes.get(..20) {
        Some(elf) if elf.starts_with(b"\x7fELF") => {
            let machine = u16::from_le_bytes([elf[18], elf[19]]);
            NotRunnable::new(
                126,
                format!(
                    "it is a program for {}, and this machine is {}",
                    machine_name(machine),
                    std::env::consts::ARCH
                ),
            )
            .hint("use an image for this machine")
        }
        _ if bytes.is_empty() => NotRunnable::new(126, "the file is empty"),
        _ => NotRunnable::new(
            126,
            "it is neither a program nor a script that begins with #!",
        ),
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
    fn a_name_is_found_on_the_path_that_the_container_has() {
        let env = ["PATH=/nowhere:/usr/bin:/bin".to_owned()];
        assert!(program("sh", &env).unwrap().ends_with("sh"));
        let missing = program("no-such-thing", &env).unwrap_err();
        assert_eq!(
            (missing.exit, missing.reason.as_str()),
            (127, "no such command on PATH /nowhere:/usr/bin:/bin")
        );
    }

    #[test]
    fn our_own_executable_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("trap");
        std::fs::write(&script, "#!/proc/self/exe\n").unwrap();
        assert_eq!(
            program(script.to_str().unwrap(), &[]).unwrap_err().exit,
            126
        );
        assert_eq!(program("/proc/self/exe", &[]).unwrap_err().exit, 126);
    }

    #[test]
    fn the_interpreter_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/usr/bin/perl9 -w\n").unwrap();
        assert_eq!(
            diagnose(&script, Errno::ENOENT).reason,
            "its interpreter \"/usr/bin/perl9\" is not in the container"
        );
        std::fs::write(&script, "#!/bin/sh\r\necho\r\n").unwrap();
        assert!(
            diagnose(&script, Errno::ENOENT)
                .reason
                .ends_with("carriage return")
        );
    }
}
