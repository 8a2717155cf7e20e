//! The standard streams of an exec: pipes, /dev/null, or a terminal whose master comes by a socket.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use kit_plan::{Context, Done, FdId, Meta, Shell, Step, StepError};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::fail;
use crate::process::STDIO;
use crate::says;
use crate::terminal::{TERMINAL_TO, receive, send};

/// The host's /dev/null, for whoever waits for a program that may outlive its caller.
pub const NULL: FdId = FdId::new("null");

/// The caller's ends of the streams.
#[derive(Default)]
pub struct Ours {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The socket over which the terminal's master is received, and is sent back when the caller leaves it.
    pub waiter: Option<OwnedFd>,
}

impl Ours {
    /// The terminal's master, if there is one.
    pub fn terminal(&self) -> Result<Option<OwnedFd>, StepError> {
        match &self.waiter {
            Some(socket) => receive(socket.as_fd()).map_err(fail("receiving the terminal")),
            None => Ok(None),
        }
    }

    /// Leaves the terminal to the process that waits for the program: without a master it would be hung up.
    pub fn leave(&self, master: Option<&OwnedFd>) -> Result<(), StepError> {
        match (&self.waiter, master) {
            (Some(waiter), Some(master)) => {
                send(waiter.as_fd(), master).map_err(fail("leaving the terminal"))
            }
            _ => Ok(()),
        }
    }
}

/// Makes the streams.
pub struct Make {
    pub tty: bool,
    pub detach: bool,
}

impl Step for Make {
    fn meta(&self) -> Meta {
        let says = match (self.tty, self.detach) {
            (true, _) => says::terminal_way(),
            (_, true) => says::to_null(),
            _ => says::pipes(),
        };
        Meta::new("stdio.make", says, Shell::Exact(Vec::new()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let mut ours = Ours::default();
        let doing = "opening /dev/null";
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = OwnedFd::from(null.map_err(fail(doing))?);
        if self.detach && !self.tty {
            for name in STDIO {
                cx.put_fd(name, null.try_clone().map_err(fail(doing))?);
            }
        }
        cx.put_fd(NULL, null);
        if self.tty {
            let pair = UnixStream::pair().map_err(fail("making a socket pair"))?;
            ours.waiter = Some(pair.0.into());
            cx.put_fd(TERMINAL_TO, pair.1.into());
        } else if !self.detach {
            let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(fail("making a pipe"));
            let [stdin, stdout, stderr] = [pipe()?, pipe()?, pipe()?];
            ours.stdin = Some(stdin.1);
            ours.stdout = Some(stdout.0);
            ours.stderr = Some(stderr.0);
            for (name, theirs) in STDIO.into_iter().zip([stdin.0, stdout.1, stderr.1]) {
                cx.put_fd(name, theirs);
            }
        }
        cx.keep(ours);
        Ok(Done::nothing())
    }
}
