//! A container's lock: held by the monitor for as long as it lives, and by a verb that changes a container that has no
//! monitor.

use std::time::{Duration, Instant};

use kit_home::lock::Hold;

use super::{Containers, StateError};

/// An exclusive flock(2) on `RUN/containers/ID/lock`, held until dropped, or until the last process that inherited the
/// descriptor has ended.
#[derive(Debug)]
pub struct Lock {
    _lock: kit_home::lock::Lock,
}

impl Lock {
    /// Takes the lock without waiting; `None` if another process holds it.
    pub fn try_take(containers: &Containers, id: &str) -> Result<Option<Self>, StateError> {
        let file = containers.open_lock(id)?;
        let lock = kit_home::lock::Lock::attempt_on(file, Hold::Alone);
        match lock {
            Ok(lock) => Ok(lock.map(|lock| Self { _lock: lock })),
            Err(source) => Err(StateError::Io {
                doing: "locking",
                path: containers.run_dir(id).join("lock"),
                source,
            }),
        }
    }

    /// Takes the lock when no other process holds it any more; `None` if the container runs, so that its monitor keeps it,
    /// or if it is held for longer than `limit`. To look whether a lock is free is to take it for a moment, so who starts
    /// or removes a container must wait for those who look.
    pub fn take_idle(
        containers: &Containers,
        id: &str,
        limit: Duration,
    ) -> Result<Option<Self>, StateError> {
        let deadline = Instant::now() + limit;
        loop {
            let lock = Self::try_take(containers, id)?;
            if lock.is_some() || containers.is_running(id) || Instant::now() >= deadline {
                return Ok(lock);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
