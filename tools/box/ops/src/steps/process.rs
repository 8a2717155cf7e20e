//! Signals to a container's PID 1, and waiting until it has ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kit_plan::{Context, Done, Line, Meta, ProcessId, Saying, Shell, Step, StepError, run, words};

use crate::Subject;
use crate::frozen::{THAWED, holder};
use crate::says;
use crate::stop::{DYING, SIGKILL, Waited, over};
use box_monitor as monitor;
use box_state::Containers;

/// Gives a running container without a monitor one, so that its end is recorded and cleaned up.
pub struct Attend {
    pub containers: Containers,
    pub id: String,
}

impl Step for Attend {
    fn meta(&self) -> Meta {
        Meta::new(
            "monitor.attend",
            says::attend(),
            Shell::Ours(vec![run!["rrun", "gc", "--keep-network"]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        monitor::take_over(&self.containers, &self.id)?;
        Ok(Done::nothing())
    }
}

/// Ends a start that hangs: its monitor answers no client, and the program does not run yet.
pub struct EndStart(pub Subject);

impl Step for EndStart {
    fn meta(&self) -> Meta {
        let starter = monitor::starter(&self.0.containers, self.0.id());
        let lines = starter.map_or_else(Vec::new, |owner| {
            vec![
                Line::Try(words!["kill", "-KILL", owner.pid.to_string()]),
                run!["rrun", "gc", "--keep-network"],
            ]
        });
        Meta::new("start.end", says::end_start(), Shell::Ours(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        monitor::end_start(&self.0.containers, self.0.id())
            .map_err(|failed| StepError::whole(failed.text).hint_from(failed.hint))?;
        Ok(Done::nothing())
    }
}

/// Sends a signal by pidfd: a process that has got the same number meanwhile is not hit.
pub struct Send {
    pub process: ProcessId,
    /// kill(2)'s number, real-time ones too.
    pub signal: i32,
    pub says: Saying,
}

impl Send {
    /// With SIGKILL, where v1's freezer may hold the process, which is not killed before it is let go.
    fn holder(&self) -> Option<PathBuf> {
        (self.signal == SIGKILL)
            .then(|| holder(self.process.pid))
            .flatten()
    }
}

impl Step for Send {
    fn meta(&self) -> Meta {
        let number = format!("-{}", self.signal);
        let kill = words!["kill", number, self.process.pid.to_string()];
        // One that has ended by then needs no signal.
        let mut lines = vec![Line::Try(kill)];
        if let Some(holder) = self.holder() {
            let thaw = format!("echo {THAWED} >\"$1\"");
            let file = holder.join("freezer.state");
            lines.push(Line::Try(words!["sh", "-c", thaw, "sh", file]));
        }
        Meta::new("process.signal", self.says.clone(), Shell::Exact(lines))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        cx.keep(SentAt(Instant::now()));
        let sent = cx.kept::<Ended>().is_none() && send(&self.process, self.signal);
        if sent && let Some(holder) = self.holder() {
            kit_undo::thaw(&holder);
        }
        Ok(if sent {
            Done::nothing()
        } else {
            Done::nothing().note("it has ended already", "它已经结束")
        })
    }
}

/// When the last signal was sent: the grace period of the program begins then.
struct SentAt(Instant);

/// Sends a signal to exactly this process; returns whether it was still running. `signal` is kill(2)'s number, real-time
/// signals too.
pub fn send(process: &ProcessId, signal: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(process.pid) else {
        return false;
    };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return false;
    };
    // The pidfd was opened first: if the process lives now, the pidfd is its.
    process.is_alive() && kit_sys::signal::send(pidfd, signal).is_ok()
}

/// Kept in the context once the end was reported: the later steps have nothing to do.
struct Ended;

/// Waits for the end of the process, and then for what its monitor has to report.
pub struct Await {
    pub of: Subject,
    pub process: ProcessId,
    /// How long the program has before it is killed; `None` waits for the end by SIGKILL.
    pub grace: Option<Duration>,
}

impl Step for Await {
    fn meta(&self) -> Meta {
        let pid = format!("--pid={}", self.process.pid);
        let mut tail = words!["tail", "-s", "0.05", pid, "-f", "/dev/null"];
        let lock = self.of.containers.run_dir(self.of.id()).join("lock");
        let seconds = self.grace.unwrap_or(DYING).as_secs().to_string();
        let Some(grace) = self.grace else {
            let report = Line::Try(words!["timeout", seconds, "flock", lock, "true"]);
            return Meta::new("process.report", says::report(), Shell::Exact(vec![report]));
        };
        if grace != Duration::MAX {
            tail.splice(0..0, words!["timeout", seconds]);
        }
        Meta::new(
            "process.await",
            says::wait(),
            Shell::Exact(vec![Line::Try(tail)]),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        if cx.kept::<Ended>().is_some() {
            return Ok(Done::nothing());
        }
        // A signal ends the program's grace; after SIGKILL the end is near, and is waited for.
        let signal = self.grace.and_then(|_| kit_sys::signal::held_back().ok());
        let begun = cx.kept::<SentAt>().map_or_else(Instant::now, |sent| sent.0);
        let deadline = begun.checked_add(self.grace.unwrap_or(DYING));
        match over(&self.of, deadline, signal.as_ref()) {
            Waited::Over => {
                cx.keep(Ended);
                return Ok(Done::nothing());
            }
            Waited::Interrupted => {
                return Ok(Done::nothing().note("a signal ends the wait", "一个信号结束了等待"));
            }
            Waited::Still => {}
        }
        if self.grace.is_some() {
            return Ok(Done::nothing().note("it is still there", "它还在"));
        }
        let doing = format!("stopping container \"{}\"", self.of.container.name);
        Err(StepError::new(doing, "it has not died of SIGKILL in 10 s")
            .hint("a process in an uninterruptible wait? See ps -o stat"))
    }
}
