//! The terminal side of a container: what a person types goes in, what it says comes out. One poll loop.

mod keys;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use kit_plan::ProcessId;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};

use crate::monitor::wire::{Event, Failed, Request};

pub use keys::DetachKeys;
pub use terminal::{Raw, size};

/// What a client wants.
pub struct Attach {
    /// Standard input is passed on.
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// The container has a terminal.
    pub tty: bool,
    pub detach_keys: DetachKeys,
    /// Signals to this process go to the container's.
    pub forward: Option<ProcessId>,
}

/// How it ended for this client.
#[derive(Debug)]
pub enum Ended {
    Exited(i32),
    Failed(Failed),
    /// By the detach keys; the container goes on.
    Detached,
    /// The monitor is gone; the container may go on.
    Lost,
}

/// Signals that docker passes on; with a terminal the keyboard's come as bytes instead.
const FORWARDED: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

/// Reads events until `Started`, printing steps on standard error. `None`: it runs.
pub fn wait_started(socket: &mut UnixStream) -> io::Result<Option<Ended>> {
    loop {
        match Event::read(socket)? {
            Some(Event::Started) => return Ok(None),
            Some(Event::Step(line)) => drop(io::stderr().write_all(line.as_bytes())),
            Some(Event::Failed(failed)) => return Ok(Some(Ended::Failed(failed))),
            Some(_) => {}
            None => return Ok(Some(Ended::Lost)),
        }
    }
}

/// Relays until the end.
pub fn relay(socket: &mut UnixStream, attach: &mut Attach) -> io::Result<Ended> {
    let _raw = if attach.tty && attach.stdin && io::stdin().is_terminal() {
        Some(Raw::enter()?)
    } else {
        None
    };
    let mut mask = SigSet::empty();
    for signal in FORWARDED.into_iter().chain([Signal::SIGWINCH]) {
        mask.add(signal);
    }
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut reads = attach.stdin;
    let stdin = io::stdin();
    loop {
        let ready = {
            let mut fds = vec![
                PollFd::new(&*socket, PollFlags::IN),
                PollFd::new(&signals, PollFlags::IN),
            ];
            if reads {
                fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            [0, 1, 2].map(|at| fds.get(at).is_some_and(|fd| !fd.revents().is_empty()))
        };
        let ended = if ready[0] {
            hear(socket, attach)?
        } else {
            None
        };
        if let Some(ended) = ended {
            return Ok(ended);
        }
        if ready[1] {
            signal(&signals, socket, attach)?;
        }
        if ready[2] && !type_in(socket, attach, &mut reads) {
            return Ok(Ended::Detached);
        }
    }
}

fn hear(socket: &mut UnixStream, attach: &Attach) -> io::Result<Option<Ended>> {
    Ok(match Event::read(socket)? {
        Some(Event::Stdout(bytes)) if attach.stdout => match put(&mut io::stdout(), &bytes) {
            Ok(()) => None,
            // As docker: a reader that has gone ends the client, not the container.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Some(Ended::Detached),
            Err(error) => {
                let said = format!("writing to standard output: {error}");
                return Err(io::Error::new(error.kind(), said));
            }
        },
        Some(Event::Stderr(bytes)) if attach.stderr => {
            // Nobody to tell if this fails.
            let _ = put(&mut io::stderr(), &bytes);
            None
        }
        Some(Event::Exited(code)) => Some(Ended::Exited(code)),
        Some(Event::Failed(failed)) => Some(Ended::Failed(failed)),
        Some(Event::Detached) => Some(Ended::Detached),
        Some(_) => None,
        None => Some(Ended::Lost),
    })
}

fn put(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).and_then(|()| to.flush())
}

fn signal(signals: &SignalFd, socket: &mut UnixStream, attach: &Attach) -> io::Result<()> {
    while let Ok(Some(info)) = signals.read_signal() {
        if info.ssi_signo == Signal::SIGWINCH as u32 {
            if let Some((rows, columns)) = size() {
                Request::Resize(rows, columns).write(socket)?;
            }
            continue;
        }
        if let (Some(process), Ok(signal)) =
            (&attach.forward, Signal::try_from(info.ssi_signo as i32))
        {
            // PID 1 of a PID namespace gets only the signals that it handles, and SIGKILL (pid_namespaces(7)).
            send(process, signal);
        }
    }
    Ok(())
}

/// Sends a signal to that very process, if it still is there; whether it was.
pub fn send(process: &ProcessId, signal: Signal) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(process.pid) else {
        return false;
    };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return false;
    };
    // With the pidfd in hand the number cannot change its meaning any more.
    let number = rustix::process::Signal::from_named_raw(signal as i32);
    process.is_alive()
        && number.is_some_and(|number| rustix::process::pidfd_send_signal(pidfd, number).is_ok())
}

/// Passes input on; false when the detach keys were typed.
fn type_in(socket: &mut UnixStream, attach: &mut Attach, reads: &mut bool) -> bool {
    let mut buffer = [0u8; 16 * 1024];
    let got = match rustix::io::read(io::stdin(), &mut buffer) {
        Ok(n) => n,
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return true,
        Err(_) => 0,
    };
    if got == 0 {
        *reads = false;
        let _ = Request::StdinEof.write(socket);
        return true;
    }
    let (bytes, detach) = if attach.tty {
        attach.detach_keys.filter(&buffer[..got])
    } else {
        (buffer[..got].to_vec(), false)
    };
    if !bytes.is_empty() {
        // The monitor may have gone; the next read of the socket says so.
        let _ = Request::Stdin(bytes).write(socket);
    }
    !detach
}
