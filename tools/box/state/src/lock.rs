//! A container's lock: held by its monitor for life, and by a verb that changes a container without one.

use kit_home::lock::Hold;

use super::{Containers, StateError};

/// Held until dropped, or until the last process that inherited it is gone.
#[derive(Debug)]
pub struct Lock {
    _lock: kit_home::lock::Lock,
}

impl Lock {
    /// `None` if somebody else holds it.
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
}
