//! The client of a container: passes input to its monitor and prints its output, in one poll loop.

pub mod exec;
mod keys;
mod signals;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use kit_plan::ProcessId;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};

use box_wire::{Event, Failed, Request};

use signals::{FORWARDED, Signals, end_by, ending};

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
    /// Signals to this process go to the container's; with none they end this client.
    pub forward: Option<ProcessId>,
}

/// Why this client has ended.
#[derive(Debug)]
pub enum Ended {
    Exited(i32),
    Failed(Failed),
    /// By the detach keys; the container goes on.
    Escaped,
    /// Another client has replaced this one; the container goes on.
    Detached,
    /// Nobody reads this client's standard output any more; the container goes on.
    Unread,
    /// Standard output takes no more, and why; the container goes on.
    Unwritten(String),
    /// By repeated signals that the container's program ignores; the container goes on.
    Forced,
    /// By this signal, though it should not have survived it.
    Signalled(Signal),
    /// The monitor is gone; the container may go on.
    Lost,
}

/// As docker's, the client ends after this many SIGINT and SIGTERM, whether the container's program handles them or not.
const ENOUGH: u8 = 3;

/// Relays until the end.
pub fn relay(socket: &mut UnixStream, attach: &mut Attach) -> io::Result<Ended> {
    let taken: Vec<Signal> = match attach.forward {
        Some(_) => FORWARDED.to_vec(),
        None => ending().collect(),
    };
    let signals = Signals::take(taken.into_iter().chain([Signal::SIGWINCH]))?;
    let raw = if attach.tty && attach.stdin && io::stdin().is_terminal() {
        Some(Raw::enter()?)
    } else {
        None
    };
    let ended = serve(socket, attach, &signals)?;
    drop(raw);
    if let Ended::Signalled(signal) = ended {
        end_by(signal);
    }
    Ok(ended)
}

fn serve(socket: &mut UnixStream, attach: &mut Attach, signals: &Signals) -> io::Result<Ended> {
    let mut urged = 0;
    let mut reads = attach.stdin;
    let mut outbox = Vec::new();
    let stdin = io::stdin();
    loop {
        let ready = {
            let mut wanted = PollFlags::IN;
            wanted.set(PollFlags::OUT, !outbox.is_empty());
            let mut fds = vec![
                PollFd::new(&*socket, wanted),
                PollFd::new(signals, PollFlags::IN),
            ];
            // Input is read when the monitor has taken the last: the container may take none until we take its output.
            if reads && outbox.is_empty() {
                fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let came = |at: usize| fds.get(at).map_or(PollFlags::empty(), PollFd::revents);
            [
                came(0).intersects(PollFlags::OUT.complement()),
                !came(1).is_empty(),
                !came(2).is_empty(),
            ]
        };
        send(socket, &mut outbox);
        let ended = if ready[0] {
            hear(socket, attach)?
        } else {
            None
        };
        if let Some(ended) = ended {
            return Ok(ended);
        }
        if ready[1]
            && let Some(ended) = heed(signals, &mut outbox, attach, &mut urged)?
        {
            return Ok(ended);
        }
        if ready[2] && !type_in(&mut outbox, attach, &mut reads) {
            send(socket, &mut outbox);
            return Ok(Ended::Escaped);
        }
        send(socket, &mut outbox);
    }
}

/// Sends as much as the socket takes without waiting. If the monitor has ended, the next read of the socket reports it.
fn send(socket: &UnixStream, outbox: &mut Vec<u8>) {
    use rustix::net::SendFlags;
    while !outbox.is_empty() {
        match rustix::net::send(socket, outbox, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => drop(outbox.drain(..n)),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return,
            Err(_) => outbox.clear(),
        }
    }
}

fn hear(socket: &mut UnixStream, attach: &Attach) -> io::Result<Option<Ended>> {
    Ok(match Event::read(socket)? {
        Some(Event::Stdout(bytes)) if attach.stdout => match put(&mut io::stdout(), &bytes) {
            Ok(()) => None,
            // As docker: a closed standard output ends the client, not the container.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Some(Ended::Unread),
            Err(error) => Some(Ended::Unwritten(unwritten(&error).to_string())),
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

fn unwritten(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("writing to standard output: {error}"))
}

fn put(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).and_then(|()| to.flush())
}

/// Handles the signals that were read.
fn heed(
    signals: &Signals,
    outbox: &mut Vec<u8>,
    attach: &Attach,
    urged: &mut u8,
) -> io::Result<Option<Ended>> {
    while let Some(signal) = signals.next() {
        if signal == Signal::SIGWINCH {
            if let Some((rows, columns)) = size() {
                Request::Resize(rows, columns).write(outbox)?;
            }
            continue;
        }
        let Some(process) = &attach.forward else {
            return Ok(Some(Ended::Signalled(signal)));
        };
        // PID 1 of a PID namespace gets only the signals that it handles, and SIGKILL (pid_namespaces(7)).
        box_ops::send(process, signal as i32);
        *urged += u8::from(matches!(signal, Signal::SIGINT | Signal::SIGTERM));
        if *urged == ENOUGH {
            return Ok(Some(Ended::Forced));
        }
    }
    Ok(None)
}

/// Passes input on; false when the detach keys were typed.
fn type_in(outbox: &mut Vec<u8>, attach: &mut Attach, reads: &mut bool) -> bool {
    let mut buffer = [0u8; 16 * 1024];
    let got = match rustix::io::read(io::stdin(), &mut buffer) {
        Ok(n) => n,
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return true,
        Err(_) => 0,
    };
    if got == 0 {
        *reads = false;
        let _ = Request::StdinEof.write(outbox);
        return true;
    }
    let (bytes, detach) = if attach.tty {
        attach.detach_keys.filter(&buffer[..got])
    } else {
        (buffer[..got].to_vec(), false)
    };
    if !bytes.is_empty() {
        let _ = Request::Stdin(bytes).write(outbox);
    }
    !detach
}
