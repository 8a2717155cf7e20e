//! Waiting for as long as a container lives, in little memory: the monitor gives its buffers back when it becomes idle.

use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};

/// A monitor without an event for this time is idle.
const QUIET: Duration = Duration::from_millis(200);

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
    /// Waits until one of `fds` is ready, or until the first quiet moment after each stretch of work, and no longer than
    /// `at_most`.
    pub fn wait(&mut self, fds: &mut [PollFd<'_>], at_most: Option<Duration>) -> Waited {
        let quiet = (!self.quiet).then_some(QUIET);
        let timeout = quiet.into_iter().chain(at_most).min();
        let waited = match timeout {
            None => kit_sys::memory::poll_in_little(fds),
            Some(timeout) => poll(fds, Timespec::try_from(timeout).ok().as_ref()),
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
