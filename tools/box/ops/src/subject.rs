//! The container that a verb is about.

use box_state::{Container, Containers, StateError};

/// A container, and where its files are.
#[derive(Debug, Clone)]
pub struct Subject {
    pub containers: Containers,
    pub container: Container,
}

impl Subject {
    /// By ID, name or the beginning of an ID, as docker resolves them.
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

    /// Whether its PID 1 lives.
    pub fn is_running(&self) -> bool {
        self.containers.is_running(self.id())
    }
}
