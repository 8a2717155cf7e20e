//! The standard streams of a container without a terminal. Its output goes to FIFOs in the run directory, which outlive a
//! monitor that is killed. Its input is a pipe without a name, which ends with its only writer; a program that then opens
//! /dev/stdin anew gets end of file, while opening a FIFO without a writer would wait for ever (fifo(7)). With a terminal,
//! this is the socket over which its master is received.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, FdId, Meta, Shell, Slots, Step, StepError, Undo};
use kit_sys::calls::fs::{create_dir_all, create_private, mknodat};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::fail;
use super::process::STDIO;
use super::terminal::TERMINAL_TO;
use crate::Stdio;
use crate::says;

/// A stream that is a FIFO in the run directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fifo {
    /// Standard output, descriptor 1.
    Stdout = 1,
    /// Standard error, descriptor 2.
    Stderr = 2,
}

/// The path of a stream's FIFO: `RUN_DIR/stdout` or `RUN_DIR/stderr`, mode 0600.
pub fn fifo_path(run_dir: &Path, which: Fifo) -> PathBuf {
    run_dir.join(STDIO[which as usize].name())
}

/// The caller's ends of the streams; the first three are non-blocking. Take them from the context of the applied plan
/// ([`kit_plan::Context::take`]).
pub struct Streams {
    /// The writing end of the container's input; dropping it is its end of file. `None` if the input is /dev/null.
    pub stdin: Option<OwnedFd>,
    /// The FIFO of standard output, opened for reading and writing: it has no end of file while this is open (fifo(7)).
    pub stdout: Option<OwnedFd>,
    /// The FIFO of standard error, as `stdout`.
    pub stderr: Option<OwnedFd>,
    /// In place of the three, the socket over which a terminal's master arrives: [`crate::receive`].
    pub terminal_from: Option<OwnedFd>,
}

pub struct MakeStdio {
    pub run_dir: PathBuf,
    /// It is not there yet.
    pub makes_run_dir: bool,
    pub tty: bool,
    pub stdio: Stdio,
}

impl MakeStdio {
    fn paths(&self) -> Vec<PathBuf> {
        if self.tty || self.stdio == Stdio::Inherit {
            return Vec::new();
        }
        let all = [Fifo::Stdout, Fifo::Stderr];
        all.map(|which| fifo_path(&self.run_dir, which)).to_vec()
    }
}

impl Step for MakeStdio {
    fn meta(&self) -> Meta {
        let at = self.run_dir.join("root");
        let mut lines = vec![kit_plan::run!["mkdir", "-p", &at]];
        if self.makes_run_dir {
            lines.insert(
                0,
                kit_plan::run!["mkdir", "-p", "-m", "0700", &self.run_dir],
            );
        }
        Meta::new("stdio.make", says::stdio(), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        let mut undo = Vec::new();
        if self.makes_run_dir {
            undo.push(Undo::rmdir(&self.run_dir));
        }
        undo.push(Undo::rmdir(self.run_dir.join("root")));
        undo.extend(self.paths().into_iter().map(Undo::unlink));
        undo
    }

    /// One that was there already holds its maker's files, such as a lock, and is removed by the maker; the script's run
    /// has no maker.
    fn when_done(&self) -> Vec<Undo> {
        if self.makes_run_dir {
            Vec::new()
        } else {
            vec![Undo::rmdir(&self.run_dir)]
        }
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let root = self.run_dir.join("root");
        let mut made = Vec::new();
        if self.makes_run_dir {
            create_private(&self.run_dir).map_err(fail(format!("making {:?}", self.run_dir)))?;
            made.push(Undo::rmdir(&self.run_dir).identified());
        }
        create_dir_all(&root).map_err(fail(format!("making {root:?}")))?;
        let mut streams = Streams {
            stdin: None,
            stdout: None,
            stderr: None,
            terminal_from: None,
        };
        if self.tty {
            let (ours, theirs) =
                std::os::unix::net::UnixStream::pair().map_err(fail("making a socket pair"))?;
            streams.terminal_from = Some(ours.into());
            cx.put_fd(TERMINAL_TO, theirs.into());
        } else {
            match self.stdio {
                Stdio::Inherit => inherit(cx)?,
                Stdio::Fifos { stdin } => self.pipes(cx, &mut streams, stdin)?,
            }
        }
        cx.keep(streams);
        made.push(Undo::rmdir(root).identified());
        made.extend(
            self.paths()
                .into_iter()
                .map(|path| Undo::unlink(path).identified()),
        );
        Ok(Done::made(made))
    }
}

impl MakeStdio {
    fn pipes(&self, cx: &mut Context, streams: &mut Streams, stdin: bool) -> Result<(), StepError> {
        for (which, name) in [(Fifo::Stdout, STDIO[1]), (Fifo::Stderr, STDIO[2])] {
            let path = fifo_path(&self.run_dir, which);
            make_fifo(&path)?;
            // Read and write on both sides: the container is a reader of its own pipe, so that it never meets one
            // without a reader, even between two monitors (fifo(7)). Ours does not block, for the monitor's loop.
            let ours = open(&path, OFlags::RDWR | OFlags::NONBLOCK)?;
            cx.put_fd(name, open(&path, OFlags::RDWR)?);
            match which {
                Fifo::Stdout => streams.stdout = Some(ours),
                Fifo::Stderr => streams.stderr = Some(ours),
            }
        }
        if stdin {
            let doing = "making a pipe for standard input";
            let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
            let (reader, writer) = pipe.map_err(fail(doing))?;
            // Ours alone does not block, for the monitor's loop.
            rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).map_err(fail(doing))?;
            streams.stdin = Some(writer);
            cx.put_fd(STDIO[0], reader);
        } else {
            let null =
                rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            cx.put_fd(STDIO[0], null.map_err(fail("opening /dev/null"))?);
        }
        Ok(())
    }
}

/// Copies of this process's own streams.
fn inherit(cx: &mut Context) -> Result<(), StepError> {
    let ours: [(FdId, OwnedFd); 3] = [
        (STDIO[0], dup(std::io::stdin())?),
        (STDIO[1], dup(std::io::stdout())?),
        (STDIO[2], dup(std::io::stderr())?),
    ];
    for (name, fd) in ours {
        cx.put_fd(name, fd);
    }
    Ok(())
}

fn dup(stream: impl std::os::fd::AsFd) -> Result<OwnedFd, StepError> {
    stream
        .as_fd()
        .try_clone_to_owned()
        .map_err(fail("taking our standard streams"))
}

fn make_fifo(path: &Path) -> Result<(), StepError> {
    match mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0) {
        // Of an earlier run of this container.
        Err(Errno::EXIST) => rustix::fs::unlink(path)
            .and_then(|()| mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)),
        other => other,
    }
    .map_err(fail(format!("making pipe {path:?}")))
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, StepError> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(fail(format!("opening pipe {path:?}")))
}
