//! Ending a container: the signal, the wait, SIGKILL, and what its monitor reports.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use box_state::{Container, Containers, Lock, RunState};
use box_wire::Event;
use kit_plan::{Plan, ProcessId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::says;
use crate::spec::sizes::parse_signal;
use crate::steps::{Attend, Await, EndStart, Keep, Send, StartAgain};
use crate::{OpsError, Subject, Watch};

/// How long a process may take to end after SIGKILL.
pub const DYING: Duration = Duration::from_secs(10);

/// The number of SIGKILL, the same on every architecture of Linux (signal(7)).
pub const SIGKILL: i32 = 9;

/// The stages that stop a container; none for one that does not run.
///
/// `seconds` is the time until SIGKILL, negative for never, `None` for the container's own.
///
/// # Errors
/// The signal is unknown, or the state cannot be read.
pub fn stages(
    of: &Subject,
    seconds: Option<i64>,
    signal: Option<&str>,
) -> Result<Vec<Plan>, OpsError> {
    let container = &of.container;
    let mut asked = Plan::new(format!("rrun stop {}", container.name));
    let Some(process) = running(&mut asked, of)? else {
        let has_any = !asked.is_empty();
        return Ok(has_any.then_some(asked).into_iter().collect());
    };
    let signal = parse_signal(signal.unwrap_or(&container.stop_signal))?;
    let seconds = seconds.unwrap_or(i64::from(container.stop_timeout));
    let grace = u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs);
    let one = |step: Box<dyn kit_plan::Step>| {
        let mut plan = Plan::new(asked.command.clone());
        plan.push_boxed(step);
        plan
    };
    let mut later = Vec::new();
    if signal != SIGKILL {
        if !grace.is_zero() {
            later.push(one(Box::new(Await {
                of: of.clone(),
                process: process.clone(),
                grace: Some(grace),
            })));
        }
        later.push(one(Box::new(Send {
            says: says::kill_at_last(process.pid),
            process: process.clone(),
            signal: SIGKILL,
        })));
    }
    later.push(one(Box::new(Await {
        of: of.clone(),
        process: process.clone(),
        grace: None,
    })));
    asked.push(Send {
        says: if signal == SIGKILL {
            says::kill(process.pid)
        } else {
            says::ask(signal, process.pid)
        },
        process,
        signal,
    });
    let mut stages = vec![asked];
    stages.extend(later);
    Ok(stages)
}

/// The stages that send a signal; after SIGKILL they wait for the end.
///
/// # Errors
/// The container does not run.
pub fn kill(of: &Subject, signal: i32) -> Result<Vec<Plan>, OpsError> {
    let mut plan = Plan::new(format!("rrun kill {}", of.container.name));
    let Some(process) = running(&mut plan, of)? else {
        if !plan.is_empty() {
            return Ok(vec![plan]);
        }
        return Err(OpsError::NotRunning {
            doing: "killing",
            name: of.name(),
        });
    };
    plan.push(Send {
        process: process.clone(),
        signal,
        says: if signal == SIGKILL {
            says::kill(process.pid)
        } else {
            says::signal(signal, process.pid)
        },
    });
    if signal != SIGKILL {
        return Ok(vec![plan]);
    }
    let mut ended = Plan::new(plan.command.clone());
    ended.push(Await {
        of: of.clone(),
        process,
        grace: None,
    });
    Ok(vec![plan, ended])
}

/// The stages that stop a container and start it again.
///
/// # Errors
/// As of [`stages`].
pub fn restart(of: &Subject, seconds: Option<i64>, watch: Watch) -> Result<Vec<Plan>, OpsError> {
    let mut all = Vec::new();
    if of.container.auto_remove && of.is_running() {
        let mut keep = Plan::new(format!("rrun restart {}", of.container.name));
        keep.push(Keep(of.clone()));
        all.push(keep);
    }
    all.extend(stages(of, seconds, None)?);
    let mut again = Plan::new(format!("rrun restart {}", of.container.name));
    again.push(StartAgain {
        of: of.clone(),
        watch,
    });
    all.push(again);
    Ok(all)
}

/// The container's PID 1, if it runs. If it has no monitor, `plan` begins by giving it one. A start that is under way is
/// waited for; one that hangs is ended by `plan`.
fn running(plan: &mut Plan, of: &Subject) -> Result<Option<ProcessId>, OpsError> {
    let is_starting = || box_monitor::starter(&of.containers, of.id()).is_some();
    if is_starting() {
        settled(&of.containers, &of.container);
    }
    if is_starting() {
        plan.push(EndStart(of.clone()));
        return Ok(None);
    }
    let state = of.containers.state(of.id())?;
    if state.is_unattended() {
        plan.push(Attend {
            containers: of.containers.clone(),
            id: of.container.id.clone(),
        });
    }
    let runs = state.is_running();
    Ok(state.process.filter(|_| runs))
}

/// Gives a running container without a monitor one, so that its end is recorded and cleaned up.
///
/// # Errors
/// No process can be made.
pub fn attended(of: &Subject) -> Result<(), OpsError> {
    let state = of.containers.state(of.id());
    if state.is_ok_and(|state| state.is_unattended()) {
        box_monitor::take_over(&of.containers, of.id())?;
    }
    Ok(())
}

/// What a wait for a container's end came to.
pub(crate) enum Waited {
    Over,
    /// The time is up.
    Still,
    /// A signal that asks us to stop has come, and is left to who holds it back.
    Interrupted,
}

/// Waits for the end of a container and for what its monitor has to report, until `deadline` or until `signal` is readable.
pub(crate) fn over(of: &Subject, deadline: Option<Instant>, signal: Option<&OwnedFd>) -> Waited {
    let left = || deadline.map(|at| at.saturating_duration_since(Instant::now()));
    let is_up = || left().is_some_and(|left| left.is_zero());
    let signal = signal.map(AsFd::as_fd);
    if let Ok(mut socket) = box_monitor::connect(&of.containers, of.id()) {
        loop {
            // The socket first: an end that is known needs no wait.
            let fds: Vec<_> = [socket.as_fd()].into_iter().chain(signal).collect();
            match readable(&fds, left()) {
                Some(0) => {}
                Some(_) => return Waited::Interrupted,
                None if is_up() => return Waited::Still,
                None => continue,
            }
            // An event that was sent already is read even after the deadline; the rest of one comes at once.
            let _ = socket.set_read_timeout(Some(DYING));
            match Event::read(&mut socket) {
                Ok(Some(Event::Exited(_)) | None) | Err(_) => break,
                Ok(Some(_)) if is_up() => return Waited::Still,
                Ok(Some(_)) => {}
            }
        }
    }
    while of.is_running() {
        if is_up() {
            return Waited::Still;
        }
        if readable(signal.as_slice(), Some(LOOK_AGAIN)).is_some() {
            return Waited::Interrupted;
        }
    }
    Waited::Over
}

/// How often a container without a monitor is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Which is the first that is readable within `limit`; `None` if none is, or poll(2) was interrupted before.
fn readable(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> Option<usize> {
    let each = fds.iter().copied();
    let mut polled: Vec<_> = each
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    poll(&mut polled, timeout.as_ref()).ok()?;
    polled.iter().position(|fd| !fd.revents().is_empty())
}

/// Waits, for at most [`DYING`], until no monitor is ending or starting the container: a monitor reports the end before it
/// releases the lock.
pub fn settled(containers: &Containers, container: &Container) {
    // Who goes on from here is told of a lock that cannot be taken.
    let _ = Lock::take_idle(containers, &container.id, DYING);
}

/// Waits for the end of a container and returns its exit code.
///
/// # Errors
/// A state that cannot be read.
pub fn wait(of: &Subject) -> Result<i32, OpsError> {
    loop {
        attended(of)?;
        if let Some(code) = reported(of) {
            return Ok(code);
        }
        let settled: Option<RunState> = box_monitor::settled(&of.containers, of.id());
        let state = settled.map_or_else(|| of.containers.state(of.id()), Ok)?;
        if !state.is_running() {
            return Ok(state.exit_code);
        }
        // Its monitor was killed meanwhile, or does not listen yet.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for the exit code that the monitor reports; `None` if it reports none.
fn reported(of: &Subject) -> Option<i32> {
    let mut socket = box_monitor::connect(&of.containers, of.id()).ok()?;
    while let Ok(Some(event)) = Event::read(&mut socket) {
        if let Event::Exited(code) = event {
            return Some(code);
        }
    }
    None
}
