//! Waiting for as long as a container lives, in little memory: the monitor gives its buffers back when it becomes idle.

use rustix::event::{PollFd, Timespec, poll};

/// A monitor without an event for this time is idle.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Whether the memory was given back since the last event.
#[derive(Default)]
pub struct Idle {
    given_back: bool,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    Ready,
    /// No descriptor was ready for a while, for the first time since the last event: the memory is to be given back.
    Quiet,
    Interrupted,
}

impl Idle {
    /// Waits until one of `fds` is ready, or until the first quiet moment after each stretch of work.
    pub fn wait(&mut self, fds: &mut [PollFd<'_>]) -> Waited {
        let patience = (!self.given_back).then_some(&QUIET);
        let waited = match poll(fds, patience) {
            Ok(0) => Waited::Quiet,
            Ok(_) => Waited::Ready,
            Err(_) => Waited::Interrupted,
        };
        self.given_back = waited != Waited::Ready && (self.given_back || waited == Waited::Quiet);
        waited
    }
}
