//! Watching a plan as it is applied: explain, trace, stepwise, stop-after, and the tests that kill.

use std::fmt::Write;
use std::time::Duration;

use crate::{Done, Meta, Record, Shell, StepError, UndoError, Undone, shell_text};

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

/// What `--explain` says of a step: why, the lines of sh, the result, how long it took.
pub fn explain_text(
    step: &StepView<'_>,
    came_to: Result<&Done, &StepError>,
    took: Duration,
) -> String {
    let mut text = format!("{}/{} {}\n", step.number, step.total, step.meta.why);
    for line in shell_text(&step.meta.shell).lines() {
        let _ = writeln!(text, "      {line}");
    }
    if let Shell::None(reason) = &step.meta.shell {
        let _ = writeln!(text, "      (no command does this: {reason})");
    }
    let micros = took.as_micros();
    let _ = match came_to {
        Ok(Done {
            note: Some(note), ..
        }) => writeln!(text, "    = ok ({note}), {micros} us"),
        Ok(_) => writeln!(text, "    = ok, {micros} us"),
        Err(error) => writeln!(text, "    = {error}, {micros} us"),
    };
    text
}

/// What `--trace` says of it: one JSON object and a newline.
pub fn trace_line(
    step: &StepView<'_>,
    came_to: Result<&Done, &StepError>,
    took: Duration,
) -> String {
    let line = serde_json::json!({
        "step": step.number,
        "steps": step.total,
        "id": step.meta.id,
        "why": step.meta.why,
        "ok": came_to.is_ok(),
        "error": came_to.err().map(ToString::to_string),
        "note": came_to.ok().and_then(|done| done.note.as_deref()),
        "duration_usec": took.as_micros() as u64,
    });
    format!("{line}\n")
}
