//! `rrun stop`, `kill`, `restart` and `wait`.

use std::time::{Duration, Instant};

use kit_cli::{Failure, Result, emit};
use nix::sys::signal::Signal;

use super::{fault, find, start};
use crate::client::send;
use crate::monitor;
use crate::monitor::wire::Event;
use crate::spec::sizes::parse_signal;
use crate::state::{Container, Containers};

#[derive(clap::Args)]
pub struct Args {
    /// Seconds until SIGKILL; -1 waits for ever
    #[arg(short, long, visible_alias = "timeout", allow_hyphen_values = true)]
    pub time: Option<i64>,
    /// The signal, instead of the container's own
    #[arg(short, long)]
    pub signal: Option<String>,
    /// Containers; - reads them from standard input
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct KillArgs {
    #[arg(short, long, default_value = "KILL")]
    pub signal: String,
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct RestartArgs {
    /// Seconds until SIGKILL
    #[arg(short, long, visible_alias = "timeout", allow_hyphen_values = true)]
    pub time: Option<i64>,
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct WaitArgs {
    #[arg(required = true)]
    pub containers: Vec<String>,
}

/// How long SIGKILL may take.
const DYING: Duration = Duration::from_secs(10);

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    kit_cli::each(&names, |name| {
        let (containers, container) = &find(containers, name)?;
        stop(containers, container, args.time, args.signal.as_deref())?;
        emit(&format!("{name}\n"))
    })
}

/// One that does not run is stopped already.
pub fn stop(
    containers: &Containers,
    container: &Container,
    seconds: Option<i64>,
    signal: Option<&str>,
) -> Result<()> {
    let state = containers.state(&container.id).map_err(fault)?;
    let Some(process) = state.process.clone().filter(|_| state.is_running()) else {
        return Ok(());
    };
    attended(containers, container)?;
    let signal = signal_of(signal.unwrap_or(&container.stop_signal))?;
    send(&process, signal);
    let seconds = seconds.unwrap_or(i64::from(container.stop_timeout));
    let patience = u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs);
    if !over(containers, container, patience) {
        send(&process, Signal::SIGKILL);
        if !over(containers, container, DYING) {
            let what = format!(
                "stopping container \"{}\": it has not died of SIGKILL in 10 s",
                container.name
            );
            return Err(Failure::new(what)
                .hint("a process in an uninterruptible wait? See ps -o stat")
                .into());
        }
    }
    Ok(())
}

/// A container without a monitor gets one, so that its end is seen and cleaned up.
fn attended(containers: &Containers, container: &Container) -> Result<()> {
    if containers
        .state(&container.id)
        .is_ok_and(|state| state.is_unattended())
    {
        monitor::take_over(containers, &container.id)?;
    }
    Ok(())
}

/// Waits until its monitor has reported the end; whether it has.
fn over(containers: &Containers, container: &Container, patience: Duration) -> bool {
    let begun = Instant::now();
    let left = || patience.saturating_sub(begun.elapsed());
    if let Ok(mut socket) = monitor::connect(containers, &container.id) {
        loop {
            if left().is_zero() {
                return false;
            }
            let limit = if patience == Duration::MAX {
                None
            } else {
                Some(left().max(Duration::from_millis(1)))
            };
            let _ = socket.set_read_timeout(limit);
            match Event::read(&mut socket) {
                Ok(Some(Event::Exited(_)) | None) => break,
                Ok(Some(_)) => {}
                Err(e)
                    if matches!(
                        e.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return false;
                }
                Err(_) => break,
            }
        }
    }
    while containers
        .state(&container.id)
        .is_ok_and(|state| state.is_running())
    {
        if left().is_zero() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn signal_of(text: &str) -> Result<Signal> {
    let number = parse_signal(text).map_err(Failure::usage)?;
    Signal::try_from(number).map_err(|_| {
        Failure::usage(format!("invalid signal: {text}"))
            .hint("real-time signals cannot be sent from here")
            .into()
    })
}

pub fn kill(args: &KillArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    let signal = signal_of(&args.signal)?;
    kit_cli::each(&names, |name| {
        let (containers, container) = &find(containers, name)?;
        let state = containers.state(&container.id).map_err(fault)?;
        let Some(process) = state.process.clone().filter(|_| state.is_running()) else {
            return Err(
                Failure::new(format!("killing container \"{name}\": it is not running")).into(),
            );
        };
        attended(containers, container)?;
        send(&process, signal);
        if signal == Signal::SIGKILL {
            over(containers, container, DYING);
        }
        emit(&format!("{name}\n"))
    })
}

pub fn restart(args: &RestartArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    kit_cli::each(&names, |name| {
        let (containers, container) = &find(containers, name)?;
        stop(containers, container, args.time, None)?;
        settled(containers, container);
        start::start(containers, container, false, false)?;
        emit(&format!("{name}\n"))
    })
}

/// The old monitor reports before it lets go of the lock.
pub fn settled(containers: &Containers, container: &Container) {
    let deadline = Instant::now() + DYING;
    while Instant::now() < deadline {
        match crate::state::Lock::try_take(containers, &container.id) {
            Ok(Some(_)) => return,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

pub fn wait(args: &WaitArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    kit_cli::each(&names, |name| {
        let (containers, container) = &find(containers, name)?;
        attended(containers, container)?;
        let mut code = None;
        if let Ok(mut socket) = monitor::connect(containers, &container.id) {
            while let Ok(Some(event)) = Event::read(&mut socket) {
                if let Event::Exited(exited) = event {
                    code = Some(exited);
                }
            }
        }
        let code = code.map_or_else(
            || containers.state(&container.id).map(|state| state.exit_code),
            Ok,
        );
        emit(&format!("{}\n", code.map_err(fault)?))
    })
}
