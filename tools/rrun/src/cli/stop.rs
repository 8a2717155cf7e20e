//! `rrun stop`, `kill`, `restart` and `wait`.

use std::time::{Duration, Instant};

use kit_cli::{Act, Failure, Result, emit};
use kit_plan::{Plan, ProcessId};
use nix::sys::signal::Signal;

use super::steps::{self, Attend, Await, Keep, Send, StartAgain, Subject};
use super::{fault, find};
use crate::spec::sizes::parse_signal;
use box_monitor as monitor;
use box_state::{Container, Containers};
use box_wire::Event;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
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
    #[command(flatten)]
    pub act: Act,
    #[arg(short, long, default_value = "KILL")]
    pub signal: String,
    #[arg(required = true)]
    pub containers: Vec<String>,
}

#[derive(clap::Args)]
pub struct RestartArgs {
    #[command(flatten)]
    pub act: Act,
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
pub const DYING: Duration = Duration::from_secs(10);

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    steps::each(args.act, "stop", &names, containers, |of, name| {
        let mut plan = Plan::new(format!("rrun stop {name}"));
        push(&mut plan, of, args.time, args.signal.as_deref())?;
        Ok(plan)
    })
}

/// The steps that stop a container; none for one that does not run.
pub fn push(
    plan: &mut Plan,
    of: &Subject,
    seconds: Option<i64>,
    signal: Option<&str>,
) -> Result<()> {
    let container = &of.container;
    let Some(process) = running(plan, of)? else {
        return Ok(());
    };
    let signal = signal_of(signal.unwrap_or(&container.stop_signal))?;
    let seconds = seconds.unwrap_or(i64::from(container.stop_timeout));
    let grace = u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs);
    if signal != Signal::SIGKILL {
        plan.push(Send {
            process: process.clone(),
            signal,
            why: "its program is asked to end",
        });
        if !grace.is_zero() {
            plan.push(Await {
                of: of.clone(),
                process: process.clone(),
                grace: Some(grace),
            });
        }
    }
    plan.push(Send {
        process: process.clone(),
        signal: Signal::SIGKILL,
        why: "what is still there does not get asked: with PID 1 all of the container ends",
    });
    plan.push(Await {
        of: of.clone(),
        process,
        grace: None,
    });
    Ok(())
}

/// Its PID 1, if it runs; its plan then begins with a monitor, if it has none.
fn running(plan: &mut Plan, of: &Subject) -> Result<Option<ProcessId>> {
    let state = of.containers.state(&of.container.id).map_err(fault)?;
    if state.is_unattended() {
        plan.push(Attend {
            containers: of.containers.clone(),
            id: of.container.id.clone(),
        });
    }
    let runs = state.is_running();
    Ok(state.process.filter(|_| runs))
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
pub fn over(containers: &Containers, container: &Container, patience: Duration) -> bool {
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
    while containers.is_running(&container.id) {
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
    steps::each(args.act, "kill", &names, containers, |of, name| {
        let mut plan = Plan::new(format!("rrun kill {name}"));
        let Some(process) = running(&mut plan, of)? else {
            return Err(
                Failure::new(format!("killing container \"{name}\": it is not running")).into(),
            );
        };
        plan.push(Send {
            process: process.clone(),
            signal,
            why: "what the program does with it is its own affair, but for KILL and STOP",
        });
        if signal == Signal::SIGKILL {
            plan.push(Await {
                of: of.clone(),
                process,
                grace: None,
            });
        }
        Ok(plan)
    })
}

pub fn restart(args: &RestartArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    steps::each(args.act, "restart", &names, containers, |of, name| {
        let mut plan = Plan::new(format!("rrun restart {name}"));
        let state = of.containers.state(&of.container.id).map_err(fault)?;
        if of.container.auto_remove && state.is_running() {
            plan.push(Keep(of.clone()));
        }
        push(&mut plan, of, args.time, None)?;
        plan.push(StartAgain {
            of: of.clone(),
            act: args.act,
        });
        Ok(plan)
    })
}

/// The old monitor reports before it lets go of the lock. One that starts the container just now is waited for too.
pub fn settled(containers: &Containers, container: &Container) {
    let deadline = Instant::now() + DYING;
    while Instant::now() < deadline {
        match box_state::Lock::try_take(containers, &container.id) {
            Ok(Some(_)) => return,
            _ if containers.is_running(&container.id) => return,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

pub fn wait(args: &WaitArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    kit_cli::each(&names, |name| {
        let (containers, container) = &find(containers, name)?;
        let code = loop {
            attended(containers, container)?;
            if let Some(code) = reported(containers, container) {
                break code;
            }
            let settled = monitor::settled(containers, &container.id);
            let state = settled.map_or_else(|| containers.state(&container.id), Ok);
            let state = state.map_err(fault)?;
            if !state.is_running() {
                break state.exit_code;
            }
            // Its monitor was killed meanwhile, or does not listen yet.
            std::thread::sleep(Duration::from_millis(2));
        };
        emit(&format!("{code}\n"))
    })
}

/// The exit code that its monitor reports, once it does.
fn reported(containers: &Containers, container: &Container) -> Option<i32> {
    let mut socket = monitor::connect(containers, &container.id).ok()?;
    while let Ok(Some(event)) = Event::read(&mut socket) {
        if let Event::Exited(code) = event {
            return Some(code);
        }
    }
    None
}
