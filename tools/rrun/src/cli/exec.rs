//! `rrun exec`: a new process in a running container.

use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;

use kit_cli::{Failure, Result};
use rustix::event::{PollFd, PollFlags, poll};

use super::fault;
use crate::client::{DetachKeys, Raw, size};
use crate::engine::exec::{Exec, Running, start};
use crate::engine::seccomp::Filter;
use crate::monitor;
use crate::spec::env::parse_env;
use crate::state::Containers;

#[derive(clap::Args)]
pub struct Args {
    /// In the background
    #[arg(short, long)]
    pub detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Set a variable
    #[arg(short, long, value_name = "K[=V]")]
    pub env: Vec<String>,
    /// User, or UID, and :group
    #[arg(short, long)]
    pub user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    pub workdir: Option<std::path::PathBuf>,
    /// All capabilities
    #[arg(long)]
    pub privileged: bool,
    /// Keys that end this client alone
    #[arg(long)]
    pub detach_keys: Option<String>,
    pub container: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let (containers, container) = &containers
        .find(&args.container)
        .map_err(|e| fault(e).exactly(1))?;
    let state = containers.state(&container.id).map_err(fault)?;
    let not_running = || {
        let name = &args.container;
        Failure::new(format!(
            "executing in container \"{name}\": it is not running"
        ))
        .hint(format!("rrun start {name} starts it"))
        .exactly(1)
    };
    let Some(process) = state.process.clone().filter(|_| state.is_running()) else {
        return Err(not_running().into());
    };
    if args.tty && args.interactive && !io::stdin().is_terminal() {
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave out -t when input comes from a pipe")
            .exactly(1)
            .into());
    }
    let spec = containers.spec(&container.id).map_err(fault)?;
    let mut own = spec.process().clone().unwrap_or_default();
    own.set_args(Some(args.command.clone()));
    own.set_terminal(Some(args.tty));
    if let Some(workdir) = &args.workdir {
        own.set_cwd(workdir.clone());
    }
    let mut env = own.env().clone().unwrap_or_default();
    if args.tty && !env.iter().any(|pair| pair.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    for text in &args.env {
        let change = parse_env(text, &|key| std::env::var(key).ok()).map_err(Failure::usage)?;
        crate::spec::env::apply(&mut env, &change);
    }
    own.set_env(Some(env));
    let filter = if args.privileged {
        None
    } else {
        Filter::of(&spec).map_err(Failure::new)?
    };
    let exec = Exec {
        pid: process.pid,
        process: own,
        filter,
        user: args.user.clone().unwrap_or_else(|| container.user.clone()),
        cgroups: monitor::join_files(containers, container),
        tty: args.tty,
        size: size(),
    };
    let running = start(&exec).map_err(|error| {
        if !process.is_alive() {
            return not_running();
        }
        Failure::new(&error)
            .hint_from(error.get_hint())
            .exit(error.exit_code())
    })?;
    if args.detach {
        return Ok(0);
    }
    relay(running, args)
}

/// Passes everything through until the program ends and its output is drained.
fn relay(mut running: Running, args: &Args) -> Result {
    let _raw = if args.tty && io::stdin().is_terminal() {
        Some(Raw::enter()?)
    } else {
        None
    };
    let mut keys = super::run::detach_keys(args.detach_keys.as_deref())?;
    let mut reads = args.interactive;
    if !reads {
        running.stdin = None;
    }
    let mut ended = false;
    loop {
        let (input, outputs) = wait_for(&running, reads, ended)?;
        if input && !pass_input(&mut running, args.tty.then_some(&mut keys), &mut reads) {
            return Ok(0);
        }
        let mut quiet = true;
        for (nth, ready) in outputs.into_iter().enumerate() {
            quiet &= !ready || pass_output(&mut running, nth)?;
        }
        if ended && quiet {
            break;
        }
        ended |= has_ended(&running.pidfd);
        if running.stdout.is_none()
            && running.stderr.is_none()
            && running.terminal.is_none()
            && !ended
        {
            wait_end(&running.pidfd);
            ended = true;
        }
    }
    Ok(exit_code(&running))
}

/// Which are ready: the input, and stdout, stderr, terminal.
fn wait_for(running: &Running, reads: bool, ended: bool) -> Result<(bool, [bool; 3])> {
    let stdin = io::stdin();
    let mut fds = vec![PollFd::new(&running.pidfd, PollFlags::IN)];
    let mut places = [None; 3];
    for (nth, fd) in [&running.stdout, &running.stderr, &running.terminal]
        .into_iter()
        .enumerate()
    {
        if let Some(fd) = fd {
            places[nth] = Some(fds.len());
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
    }
    let input = reads.then_some(fds.len());
    if reads {
        fds.push(PollFd::new(&stdin, PollFlags::IN));
    }
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut fds, ended.then_some(&now)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let is_ready = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
    Ok((is_ready(input), places.map(is_ready)))
}

/// False when the detach keys were typed.
fn pass_input(running: &mut Running, keys: Option<&mut DetachKeys>, reads: &mut bool) -> bool {
    let mut buffer = [0u8; 8192];
    let got = rustix::io::read(io::stdin(), &mut buffer).unwrap_or(0);
    if got == 0 {
        *reads = false;
        running.stdin = None;
        return true;
    }
    let (bytes, detach) = match keys {
        Some(keys) => keys.filter(&buffer[..got]),
        None => (buffer[..got].to_vec(), false),
    };
    let to: Option<&OwnedFd> = running.terminal.as_ref().or(running.stdin.as_ref());
    let mut rest = bytes.as_slice();
    while let (Some(to), false) = (to, rest.is_empty()) {
        match rustix::io::write(to, rest) {
            Ok(n) => rest = &rest[n..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                *reads = false;
                break;
            }
        }
    }
    !detach
}

/// Whether nothing came.
fn pass_output(running: &mut Running, nth: usize) -> Result<bool> {
    let slot = match nth {
        0 => &mut running.stdout,
        1 => &mut running.stderr,
        _ => &mut running.terminal,
    };
    let Some(fd) = slot else { return Ok(true) };
    let mut buffer = [0u8; 16 * 1024];
    match rustix::io::read(&*fd, &mut buffer) {
        Ok(n) if n > 0 => {
            let put = if nth == 1 {
                io::stderr().write_all(&buffer[..n])
            } else {
                io::stdout()
                    .write_all(&buffer[..n])
                    .and_then(|()| io::stdout().flush())
            };
            match put {
                // The program finds its own pipe closed, as it would in a pipeline of sh.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => *slot = None,
                Err(error) if nth != 1 => {
                    return Err(anyhow::Error::new(error).context("writing to standard output"));
                }
                _ => {}
            }
            Ok(false)
        }
        Err(rustix::io::Errno::INTR) => Ok(false),
        _ => {
            *slot = None;
            Ok(true)
        }
    }
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

fn wait_end(pidfd: &OwnedFd) {
    while poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None).is_err() {}
}

fn exit_code(running: &Running) -> u8 {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let status = waitid(
        WaitId::PidFd(std::os::fd::AsFd::as_fd(&running.pidfd)),
        WaitIdOptions::EXITED,
    );
    let status = status.ok().flatten();
    status.map_or(255, |status| {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => code as u8,
            (None, Some(signal)) => 128 + signal as u8,
            _ => 255,
        }
    })
}
