//! Watching a plan as it is applied: explain, trace, stepwise, stop-after, and the tests that kill.

use std::time::Duration;

use crate::{Done, Lang, Meta, PlanError, Record, Step, StepError, UndoError, Undone};

/// A step as an observer sees it.
pub struct StepView<'a> {
    /// From 1.
    pub number: usize,
    /// How many steps the plan has.
    pub total: usize,
    /// The step itself.
    pub step: &'a dyn Step,
}

impl StepView<'_> {
    /// What it is: made when somebody asks, since most plans are not watched.
    pub fn meta(&self) -> Meta {
        self.step.meta()
    }
}

/// Why an observer wants no further step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// One clause: "interrupted".
    pub why: String,
    /// The number of the signal that asks for it, if one does: a command then exits with 128 and that.
    pub signal: Option<i32>,
}

impl Stop {
    /// At a signal, by number.
    pub fn at(signal: i32) -> Self {
        Self {
            why: "interrupted".to_owned(),
            signal: Some(signal),
        }
    }
}

impl From<Stop> for PlanError {
    fn from(Stop { why, signal }: Stop) -> Self {
        Self::Stopped {
            why,
            signal,
            left: Vec::new(),
        }
    }
}

/// What an observer wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Go {
    /// Take it.
    On,
    /// Do not take this step: undo what was done, and say why. For a step of the child's it takes
    /// [`Observer::lockstep`].
    Stop(Stop),
}

/// Watches; each method does nothing unless it is written.
pub trait Observer {
    /// A step is about to be taken.
    fn before(&mut self, _step: &StepView<'_>) -> Go {
        Go::On
    }
    /// It was, and came to this.
    fn after(
        &mut self,
        _step: &StepView<'_>,
        _came_to: Result<&Done, &StepError>,
        _took: Duration,
    ) {
    }
    /// One of its records was undone, or could not be.
    fn undone(&mut self, _record: &Record, _came_to: Result<&Undone, &UndoError>) {}
    /// Whether each step waits until `before` has returned and the step before it is done. Otherwise the child runs
    /// ahead while the parent does its own steps, and is heard of in the plan's order.
    fn lockstep(&self) -> bool {
        false
    }
}

/// Nobody watches.
pub struct Silent;
impl Observer for Silent {}

/// What `--trace` says of it: one JSON object and a newline.
pub fn trace_line(
    step: &StepView<'_>,
    came_to: Result<&Done, &StepError>,
    took: Duration,
) -> String {
    let meta = step.meta();
    let line = serde_json::json!({
        "schema": 1,
        "kind": "step",
        "step": step.number,
        "steps": step.total,
        "id": meta.id,
        "part": meta.says.part,
        "why": meta.says.to_string(),
        "ok": came_to.is_ok(),
        "error": came_to.err().map(ToString::to_string),
        "note": came_to.ok().and_then(|done| done.note.as_ref()).map(|note| note.text(Lang::En)),
        "duration_usec": took.as_micros() as u64,
    });
    format!("{line}\n")
}
