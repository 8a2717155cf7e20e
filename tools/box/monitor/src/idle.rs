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

impl Idle {
    /// Waits until one of `fds` is ready; false on an interruption. The first quiet moment after each stretch of work
    /// gives memory back; the program's own pages are most of what a monitor has.
    pub fn wait(&mut self, fds: &mut [PollFd<'_>]) -> bool {
        if !self.given_back {
            match poll(fds, Some(&QUIET)) {
                Ok(0) => kit_sys::memory::give_back(),
                other => return other.is_ok(),
            }
        }
        let ready = poll(fds, None).is_ok();
        self.given_back = !ready;
        ready
    }
}
