//! The process that waits for the program of an exec: setns(2) puts only the children of a process into a PID namespace, so
//! the process that entered stays outside of it, as the program's parent.

use std::os::fd::{AsFd, OwnedFd};

use kit_plan::StepError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::error::fail;
use crate::terminal::receive;
use crate::told::heard;

/// Clones the program, which `become_it` makes of the child, waits for it, and ends with its code. `terminal` is the socket
/// that a master may be left at; `null` is the host's /dev/null.
///
/// # Errors
/// What the program could not be started for; else it does not return.
pub fn run(
    become_it: impl FnOnce() -> Result<(), StepError>,
    terminal: Option<&OwnedFd>,
    null: &OwnedFd,
) -> Result<std::convert::Infallible, StepError> {
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (said, say) = pipe.map_err(fail("making a pipe"))?;
    // A program can trace it only with CAP_SYS_PTRACE, and then it could trace a copy of us too, before it has given up its
    // capabilities (ptrace(2)).
    let cloned = kit_sys::clone::clone_lending(|| match become_it() {
        Ok(()) => 0,
        Err(error) => crate::told::tell(&say, &error),
    });
    let cloned = cloned.map_err(fail("cloning the program's process"))?;
    drop(say);
    if let Some(error) = heard(said)? {
        // Unless it is reaped, it stays a zombie of the container's PID namespace, which does not end before it has gone.
        let _ = cloned.wait();
        return Err(error);
    }
    outlive(null).map_err(fail("leaving the caller"))?;
    // The streams are the program's now; holding them would keep their other ends from ending. The relay's pipes go too:
    // their end tells the caller that the program runs.
    let mut keep = vec![cloned.pidfd.as_fd()];
    keep.extend(terminal.map(AsFd::as_fd));
    kit_sys::fds::close_all_but(&keep);
    if let Some(socket) = terminal {
        hold(&cloned.pidfd, socket);
    }
    let status = Pid::from_raw(cloned.pid);
    let status = status.and_then(|pid| waitpid(Some(pid), WaitOptions::empty()).ok().flatten());
    let code = status.map_or(255, |(_, status)| {
        let signal = status.terminating_signal().map(|signal| 128 + signal);
        status.exit_status().or(signal).unwrap_or(255)
    });
    kit_sys::process::exit_now(code)
}

/// The caller may go before the program does, by a signal to all of its process group too: who waits for the program must
/// stay, since nobody else reaps it, and a zombie keeps the container's PID namespace. The caller's terminal and streams are
/// not ours then.
fn outlive(null: &OwnedFd) -> Result<(), Errno> {
    rustix::process::setsid()?;
    rustix::stdio::dup2_stdin(null)?;
    rustix::stdio::dup2_stdout(null)?;
    rustix::stdio::dup2_stderr(null)
}

/// Waits until the program ends. If the caller leaves the terminal's master here, its output is read and thrown away, or
/// the program would wait for a reader.
fn hold(program: &OwnedFd, socket: &OwnedFd) {
    let mut master = None;
    let mut buffer = [0u8; 4096];
    loop {
        let fd = master.as_ref().unwrap_or(socket);
        let mut fds = [
            PollFd::new(program, PollFlags::IN),
            PollFd::new(fd, PollFlags::IN),
        ];
        let waited = poll(&mut fds, None);
        let [ended, ready] = fds.map(|fd| !fd.revents().is_empty());
        if ended || !matches!(waited, Ok(_) | Err(Errno::INTR)) {
            return;
        }
        if !ready {
            continue;
        }
        let more = match &master {
            Some(master) => rustix::io::read(master, &mut buffer).map(|n| n > 0),
            None => receive(socket.as_fd()).map(|got| {
                master = got;
                master.is_some()
            }),
        };
        if !matches!(more, Ok(true) | Err(Errno::INTR | Errno::AGAIN)) {
            // The caller has gone with it, or nobody has the terminal open: the master stays open till the end.
            let _ = poll(&mut [PollFd::new(program, PollFlags::IN)], None);
            return;
        }
    }
}
