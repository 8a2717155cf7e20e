//! Watching a plan as it is applied: explain, trace, stepwise, stop-after, and the tests that kill.

use std::time::Duration;

use crate::{Done, Meta, Record, StepError, UndoError, Undone};

/// A step as an observer sees it.
pub struct StepView<'a> {
    /// From 1.
    pub number: usize,
    pub total: usize,
    pub meta: &'a Meta,
}

/// What an observer wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Go {
    On,
    /// Do not take this step: undo what was done, and say why.
    Stop(String),
}

/// Watches; each method does nothing unless it is written.
pub trait Observer {
    fn before(&mut self, _step: &StepView<'_>) -> Go {
        Go::On
    }
    fn after(
        &mut self,
        _step: &StepView<'_>,
        _came_to: Result<&Done, &StepError>,
        _took: Duration,
    ) {
    }
    fn undone(&mut self, _record: &Record, _came_to: Result<&Undone, &UndoError>) {}
    /// Whether the child waits before each of its steps until `before` has returned, instead of running on.
    fn lockstep(&self) -> bool {
        false
    }
}

/// Nobody watches.
pub struct Silent;
impl Observer for Silent {}
