//! A program in what was made for it: a cgroup, a network namespace, a root of its own. Not a container: it keeps its
//! user, its capabilities and the system's calls, which box/engine takes from one.
//!
//! ```no_run
//! use kit_sys::spawn::Spawn;
//!
//! // Of rcgroup::member::open_to_join and rnetns::Netns::open; the root is a mounted overlay.
//! # let (tasks, netns): (Vec<std::fs::File>, std::fs::File) = (Vec::new(), std::fs::File::open("/proc/self/ns/net")?);
//! let child = Spawn::new(["sh", "-c", "ip addr; exec httpd -f"])
//!     .cgroup(tasks)
//!     .netns(netns)
//!     .root("/srv/bd1/root")
//!     .spawn()?;
//! println!("it ended: {}", child.wait()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    unmount,
};
use rustix::process::{chdir, pivot_root};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::clone::{Cloned, clone_into, clone_plain};

/// The exit code of a verb that runs a program, when it is not the program that failed.
const OURS: u8 = 125;

/// What a program's standard input, output and error are.
#[derive(Debug, Default)]
pub enum Stdio {
    /// The caller's.
    #[default]
    Inherit,
    /// /dev/null, all three.
    Null,
    /// These: input, output, error.
    Fds([OwnedFd; 3]),
}

/// A program to be started, and what it is to be in. Environment and working directory are the caller's unless said
/// otherwise; with a root of its own it begins in `/`.
#[derive(Debug, Default)]
pub struct Spawn {
    argv: Vec<OsString>,
    cgroup: Vec<File>,
    netns: Option<OwnedFd>,
    root: Option<PathBuf>,
    cwd: Option<PathBuf>,
    env: Option<Vec<(OsString, OsString)>>,
    stdio: Stdio,
    unshare: u64,
}

/// A program that was not started. Prints as one line; [`SpawnError::exit_code`] is env(1)'s.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A child has one thread only, and a lock that another one holds would stay held in it for ever.
    #[error("starting a program: this process has {0} threads, and must have one")]
    Threads(usize),
    /// The child itself could not be made.
    #[error("starting a program: {0}")]
    Clone(#[source] io::Error),
    /// What the child said before it ended: `executing "httpd": no such command on PATH`.
    #[error("{text}")]
    Child {
        /// The whole line.
        text: String,
        /// What to do about it, if that is known.
        hint: Option<String>,
        /// 127 not found, 126 cannot be executed, else 125.
        exit: u8,
    },
}

impl SpawnError {
    /// 127 for a program that is not found, 126 for one that cannot be executed, else 125.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Child { exit, .. } => *exit,
            _ => OURS,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Child { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

impl Spawn {
    /// A program and its words. The program is looked up on `PATH`, inside the root that it gets.
    pub fn new(argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Joins a cgroup by its files, `cgroup.procs` or on v1 a `tasks` of each hierarchy, open for writing.
    #[must_use]
    pub fn cgroup(mut self, files: impl IntoIterator<Item = File>) -> Self {
        self.cgroup.extend(files);
        self
    }

    /// Enters a network namespace.
    #[must_use]
    pub fn netns(mut self, netns: impl Into<OwnedFd>) -> Self {
        self.netns = Some(netns.into());
        self
    }

    /// Gets this directory as its root, in a mount namespace of its own; the host's mounts are not there (pivot_root(2)).
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Begins in this directory: of its root, if it has one.
    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// Has this variable beside the caller's.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let all = self
            .env
            .get_or_insert_with(|| std::env::vars_os().collect());
        let (key, value) = (key.into(), value.into());
        all.retain(|(other, _)| *other != key);
        all.push((key, value));
        self
    }

    /// Has none of the caller's variables; those of [`Spawn::env`] after this call alone.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.env = Some(Vec::new());
        self
    }

    /// Its standard streams.
    #[must_use]
    pub fn stdio(mut self, stdio: Stdio) -> Self {
        self.stdio = stdio;
        self
    }

    /// Gets new namespaces of these kinds, such as `UnshareFlags::NEWPID | UnshareFlags::NEWUTS`. With one of PIDs and a
    /// root it has a /proc of its own, if the root has the directory.
    #[must_use]
    pub fn unshare(mut self, kinds: UnshareFlags) -> Self {
        self.unshare |= u64::from(kinds.bits());
        self
    }

    /// Starts it, and returns once it has been executed.
    ///
    /// # Errors
    /// Whatever stood in the way, the program's own absence included; nothing is left of the child then.
    pub fn spawn(mut self) -> Result<Cloned, SpawnError> {
        let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        if threads > 1 {
            return Err(SpawnError::Threads(threads));
        }
        let clone_error = |errno: Errno| SpawnError::Clone(errno.into());
        let (mut says, said) = io::pipe().map_err(SpawnError::Clone)?;
        // clone3(2) is refused by some sandboxes; without new namespaces clone(2) does as well.
        let flags = self.unshare;
        let mut body = || {
            let Err(failed) = self.execute();
            // Nobody to tell if this fails.
            let _ = (&said).write_all(&failed.bytes());
            0
        };
        let child = if flags == 0 {
            clone_plain(&mut body)
        } else {
            clone_into(flags, None, &mut body)
        };
        let child = child.map_err(clone_error)?;
        // Else its own end would keep the pipe open.
        drop(said);
        let mut bytes = Vec::new();
        says.read_to_end(&mut bytes).map_err(SpawnError::Clone)?;
        if bytes.is_empty() {
            return Ok(child);
        }
        let _ = child.wait();
        Err(Failed::read(&bytes))
    }

    /// In the child: all that was asked for, in the one order in which it works, then the program.
    fn execute(&mut self) -> Result<std::convert::Infallible, Failed> {
        // First: what follows is counted, and limited, already.
        for mut file in &self.cgroup {
            // "0" is the writer.
            file.write_all(b"0")
                .map_err(Failed::of("joining its cgroup"))?;
        }
        if let Some(netns) = &self.netns {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(netns.as_fd(), kind)
                .map_err(Failed::of("entering its network namespace"))?;
        }
        self.streams().map_err(Failed::of("opening its streams"))?;
        if let Some(root) = &self.root {
            let proc = self.unshare & u64::from(UnshareFlags::NEWPID.bits()) != 0;
            turn_to(root, proc)
                .map_err(Failed::of(&format!("making {} its root", root.display())))?;
        }
        if let Some(cwd) = &self.cwd {
            chdir(cwd).map_err(Failed::of(&format!("entering {}", cwd.display())))?;
        }
        if let Some(env) = self.env.take() {
            set_env(env);
        }
        let error = crate::exec::exec(&self.argv);
        Err(Failed {
            text: error.to_string(),
            hint: error.hint(),
            exit: error.exit_code(),
        })
    }

    fn streams(&self) -> io::Result<()> {
        let null;
        let all = match &self.stdio {
            Stdio::Inherit => return Ok(()),
            Stdio::Null => {
                null = File::options().read(true).write(true).open("/dev/null")?;
                [null.as_fd(), null.as_fd(), null.as_fd()]
            }
            Stdio::Fds(fds) => [fds[0].as_fd(), fds[1].as_fd(), fds[2].as_fd()],
        };
        // Copies first: one of them may be among 0, 1 and 2.
        let copies: Vec<OwnedFd> = all
            .iter()
            .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3))
            .collect::<Result<_, _>>()?;
        rustix::stdio::dup2_stdin(&copies[0])?;
        rustix::stdio::dup2_stdout(&copies[1])?;
        rustix::stdio::dup2_stderr(&copies[2])?;
        Ok(())
    }
}

/// Makes `root` this process's `/`, in a mount namespace of its own.
fn turn_to(root: &std::path::Path, proc: bool) -> Result<(), Errno> {
    crate::process::unshare(UnshareFlags::NEWNS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    // pivot_root(2) takes a mount point only, and leaves the old root mounted on top of the new one.
    mount_bind_recursive(root, root)?;
    chdir(root)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    if proc {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        match mount("proc", "/proc", "proc", flags, None) {
            // A root without the directory.
            Err(Errno::NOENT | Errno::NOTDIR) | Ok(()) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// In a child, which has one thread.
fn set_env(env: Vec<(OsString, OsString)>) {
    for (key, _) in std::env::vars_os() {
        // SAFETY: this is a cloned child with no other thread that could read the environment meanwhile.
        unsafe { std::env::remove_var(key) };
    }
    for (key, value) in env {
        // SAFETY: as above.
        unsafe { std::env::set_var(key, value) };
    }
}

/// Why the child did not become the program, as it goes through the pipe: the exit code, the text, NUL, the hint.
struct Failed {
    text: String,
    hint: Option<String>,
    exit: u8,
}

impl Failed {
    fn of<E: Into<io::Error>>(doing: &str) -> impl FnOnce(E) -> Self + use<'_, E> {
        move |error| {
            let error = error.into();
            let reason = match error.raw_os_error() {
                Some(raw) => nix::errno::Errno::from_raw(raw).desc().to_owned(),
                None => error.to_string(),
            };
            Self {
                text: format!("{doing}: {reason}"),
                hint: None,
                exit: OURS,
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.exit];
        bytes.extend(self.text.bytes().filter(|byte| *byte != 0));
        if let Some(hint) = &self.hint {
            bytes.push(0);
            bytes.extend(hint.bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> SpawnError {
        let (exit, rest) = bytes.split_first().map_or((OURS, bytes), |(e, r)| (*e, r));
        let mut texts = rest.splitn(2, |byte| *byte == 0);
        let mut text = || {
            texts
                .next()
                .map(|text| String::from_utf8_lossy(text).into_owned())
        };
        SpawnError::Child {
            text: text().unwrap_or_default(),
            hint: text(),
            exit,
        }
    }
}

#[cfg(test)]
mod tests;
