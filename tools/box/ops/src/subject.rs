//! The container that a verb is about.

use box_state::{Container, Containers, StateError};

/// A container, with where its kind has its files: what a reboot ends for good lives under the run root.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Where its files are.
    pub containers: Containers,
    /// Its container.json, as it was when the container was found.
    pub container: Container,
}

impl Subject {
    /// Finds a container by its ID, its name or the beginning of its ID, as docker does.
    ///
    /// # Errors
    /// Those of [`Containers::find`].
    pub fn find(containers: &Containers, name: &str) -> Result<Self, StateError> {
        let (containers, container) = containers.find(name)?;
        Ok(Self {
            containers,
            container,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.container.id
    }

    pub(crate) fn name(&self) -> String {
        self.container.name.clone()
    }

    /// Whether its PID 1 is alive now.
    pub fn is_running(&self) -> bool {
        self.containers.is_running(self.id())
    }
}
