//! Processes, by pidfd, so that a number used again is never the wrong one's death.

use std::time::Duration;

use kit_plan::{ProcessId, UndoError, Undone};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

const PATIENCE: Duration = Duration::from_secs(5);

pub fn kill(process: Option<&ProcessId>) -> Result<Undone, UndoError> {
    let Some(process) = process else {
        return Ok(Undone::Absent);
    };
    let doing = || format!("killing process {}", process.pid);
    let Some(pid) = Pid::from_raw(process.pid) else {
        return Ok(Undone::Absent);
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(Undone::Absent);
    };
    // With the pidfd in hand the number cannot change its meaning any more: now look who it is.
    let outcome = if process.is_alive() {
        pidfd_send_signal(&pidfd, Signal::KILL).map_err(|e| UndoError::new(doing(), e))?;
        match kit_sys::clone::ends_within(&pidfd, PATIENCE) {
            Ok(false) => return Err(UndoError::new(doing(), "it has not died in 5 s")),
            _ => Undone::Removed,
        }
    } else {
        Undone::Absent
    };
    // Ours, if it was our child; a zombie would hold its PID and its namespaces' last reference.
    let _ = waitid(
        WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)),
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
    );
    Ok(outcome)
}
