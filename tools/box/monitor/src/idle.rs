//! Waiting, for as long as a container lives, with next to no memory.

use rustix::event::{PollFd, Timespec, poll};

/// Quiet for so long, a monitor is idle.
const QUIET: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Whether there is memory to give back.
#[derive(Default)]
pub struct Idle {
    given_back: bool,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    Ready,
    /// For the first time since the last work: memory is to be given back.
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
