//! Waiting for as long as a container lives, in little memory: the monitor gives its buffers back when it becomes idle.

use rustix::event::{PollFd, Timespec, poll};

/// A monitor without an event for this time is idle.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Whether nothing has happened for a while.
#[derive(Default)]
pub struct Idle {
    quiet: bool,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    Ready,
    /// No descriptor was ready for a while, for the first time since the last event: buffers are to be given back before
    /// the next wait, which needs next to no memory.
    Quiet,
    Interrupted,
}

impl Idle {
    /// Waits until one of `fds` is ready, or until the first quiet moment after each stretch of work.
    pub fn wait(&mut self, fds: &mut [PollFd<'_>]) -> Waited {
        let waited = if self.quiet {
            kit_sys::memory::poll_in_little(fds)
        } else {
            poll(fds, Some(&QUIET))
        };
        let waited = match waited {
            Ok(0) => Waited::Quiet,
            Ok(_) => Waited::Ready,
            Err(_) => Waited::Interrupted,
        };
        self.quiet = waited == Waited::Quiet || (self.quiet && waited == Waited::Interrupted);
        waited
    }
}
