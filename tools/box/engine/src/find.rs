//! Finding a program on the container's PATH, and saying why it does not run there. What execve(2) means by its
//! errno, [`kit_sys::exec`] tells.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kit_sys::exec::{Refusal, script_interpreter};
use rustix::io::Errno;

/// The PATH on which a program is looked for when its environment has none: docker's default.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program does not run: exit code 127 if it was not found, 126 if it cannot be executed.
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

/// The path of a program. A name without a slash is looked up on the PATH of `env`; execve(2) may still refuse the result.
pub fn program(name: impl AsRef<OsStr>, env: &[String]) -> Result<PathBuf, NotRunnable> {
    let name = name.as_ref();
    if name.is_empty() {
        return Err(NotRunnable::new(127, "the command is empty"));
    }
    let path = if name.as_encoded_bytes().contains(&b'/') {
        PathBuf::from(name)
    } else {
        on_path(name, env)?
    };
    refuse_ourselves(&path)?;
    Ok(path)
}

fn on_path(name: &OsStr, env: &[String]) -> Result<PathBuf, NotRunnable> {
    let path = env
        .iter()
        .rev()
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
        None if name.as_encoded_bytes().starts_with(b"-") => {
            NotRunnable::new(127, format!("no such command on PATH {path}")).hint(
                "flags of rrun stand before IMAGE: what follows it is the program and its words",
            )
        }
        None => NotRunnable::new(127, format!("no such command on PATH {path}"))
            .hint("give its path, like /usr/bin/env: PATH is the image's, or that of -e PATH=…"),
    })
}

/// Refuses a path that leads to our own executable, the one file of the host's that this process still holds. A program, or
/// the interpreter of a script, that leads to it by /proc/self/exe would run it inside, where it could then be opened for
/// writing (CVE-2019-5736). While the monitor runs it, the kernel refuses that with ETXTBSY too.
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

/// Why execve(2) refused `path`.
pub fn diagnose(path: &Path, errno: Errno) -> NotRunnable {
    let refusal = Refusal::of(path, errno);
    let why = NotRunnable::new(refusal.exit_code(), refusal.reason("in the container"));
    match refusal {
        Refusal::NotExecutable => why.hint("chmod +x it in the image"),
        Refusal::CarriageReturn(_) => {
            why.hint("the script has Windows line ends: sed -i 's/\\r$//' it")
        }
        Refusal::Loader(_) => why.hint(
            "a program for another libc, or one copied without its libraries: runpack pack --bin takes them along",
        ),
        Refusal::Machine(_) => why.hint("use an image for this machine"),
        _ => why,
    }
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
}
