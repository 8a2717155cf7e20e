//! A list of steps, and doing them.

use std::rc::Rc;
use std::time::Instant;

use crate::shell::Line;
use crate::{
    Context, Done, Go, Journal, JournalError, Observer, Side, SlotId, Step, StepError, StepView,
    UndoError, Undoer,
};

/// What a verb will do.
pub struct Plan {
    /// The command it stands for: `rnetns add blue`.
    pub command: String,
    pub(crate) steps: Rc<Vec<Box<dyn Step>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A step failed, and what had been done was undone but for `left`.
    #[error("{error}{}", left_text(.left))]
    Step {
        id: &'static str,
        error: StepError,
        left: Vec<UndoError>,
    },
    /// An observer asked to stop, and what had been done was undone but for `left`.
    #[error("{why}{}", left_text(.left))]
    Stopped { why: String, left: Vec<UndoError> },
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The plan itself is wrong: a fault of ours.
    #[error("building plan \"{command}\": {reason}")]
    Malformed { command: String, reason: String },
}

fn left_text(left: &[UndoError]) -> String {
    let each: Vec<String> = left.iter().map(ToString::to_string).collect();
    if each.is_empty() {
        String::new()
    } else {
        format!("; left behind: {}", each.join("; "))
    }
}

impl PlanError {
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Step { error, .. } => error.get_hint(),
            _ => None,
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Step { error, .. } => error.exit_code(),
            _ => 1,
        }
    }
}

impl Plan {
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            steps: Rc::default(),
        }
    }

    pub fn push(&mut self, step: impl Step + 'static) {
        self.push_boxed(Box::new(step));
    }

    pub fn push_boxed(&mut self, step: Box<dyn Step>) {
        // Only apply() shares the list, and nobody has a plan to push to while it is applied.
        if let Some(steps) = Rc::get_mut(&mut self.steps) {
            steps.push(step);
        }
    }

    /// Adds another plan's steps after these.
    pub fn extend(&mut self, other: Plan) {
        if let (Some(ours), Ok(theirs)) =
            (Rc::get_mut(&mut self.steps), Rc::try_unwrap(other.steps))
        {
            ours.extend(theirs);
        }
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    /// That each slot is filled by exactly one step, before any step that reads it, and that the child's
    /// steps come after the one that starts it.
    pub fn check(&self) -> Result<(), PlanError> {
        let malformed = |reason: String| PlanError::Malformed {
            command: self.command.clone(),
            reason,
        };
        let mut filled: Vec<SlotId> = Vec::new();
        let mut spawned = false;
        for (number, step) in (1..).zip(self.steps.iter()) {
            let meta = step.meta();
            for line in meta.shell.lines() {
                let mut read = Vec::new();
                let fills = line_slots(line, &mut read);
                if let Some(slot) = read.iter().find(|slot| !filled.contains(slot)) {
                    return Err(malformed(format!(
                        "step {number} reads ${} too early",
                        slot.0
                    )));
                }
                if let Some(slot) = fills {
                    if filled.contains(&slot) {
                        return Err(malformed(format!("step {number} fills ${} again", slot.0)));
                    }
                    filled.push(slot);
                }
                spawned |= matches!(line, Line::Spawn { .. });
            }
            if meta.side == Side::Child && !spawned && matches!(meta.shell, crate::Shell::Exact(_))
            {
                return Err(malformed(format!(
                    "step {number} is the child's, and there is none yet"
                )));
            }
        }
        Ok(())
    }

    /// Does every step in order. On a failure, what was done is undone, last first, and everything that could
    /// not be is in the error. The journal is committed at the end, and is the caller's to keep or discard;
    /// after a clean rollback it is empty, and the caller's to discard.
    pub fn apply(
        &self,
        cx: &mut Context,
        journal: &mut Journal,
        undoer: &dyn Undoer,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        cx.set_steps(Rc::clone(&self.steps));
        for index in 0..self.steps.len() {
            if let Err(failed) = self.step(index, cx, journal, watch) {
                // The end of file on its go-pipe ends a waiting child even if the undo below cannot.
                cx.child = None;
                let left = journal.rollback(undoer, watch);
                return Err(match failed {
                    PlanError::Step { id, error, .. } => PlanError::Step { id, error, left },
                    PlanError::Stopped { why, .. } => PlanError::Stopped { why, left },
                    other => other,
                });
            }
        }
        journal.commit()?;
        Ok(())
    }

    fn step(
        &self,
        index: usize,
        cx: &mut Context,
        journal: &mut Journal,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        let step = &self.steps[index];
        let meta = step.meta();
        let view = StepView {
            number: index + 1,
            total: self.steps.len(),
            meta: &meta,
        };
        if let Go::Stop(why) = watch.before(&view) {
            return Err(PlanError::Stopped {
                why,
                left: Vec::new(),
            });
        }
        let begun = Instant::now();
        let outcome = if meta.side == Side::Child {
            self.child_step(index, cx, watch.lockstep())
        } else {
            let intent = step.intent(&cx.slots);
            let intends = !intent.is_empty();
            if intends {
                journal.intend(index, intent)?;
            }
            step.apply(cx).and_then(|mut done| {
                if intends || !done.made.is_empty() {
                    let made = std::mem::take(&mut done.made);
                    let noted = journal.done(index, made);
                    noted.map_err(StepError::whole)?;
                }
                Ok(done)
            })
        };
        watch.after(&view, outcome.as_ref(), begun.elapsed());
        outcome.map(drop).map_err(|error| PlanError::Step {
            id: meta.id,
            error,
            left: Vec::new(),
        })
    }

    fn child_step(
        &self,
        index: usize,
        cx: &mut Context,
        lockstep: bool,
    ) -> Result<Done, StepError> {
        let (ahead, last) = crate::child::ahead(&self.steps, index);
        match &mut cx.child {
            Some(child) => child.step(index, if lockstep { 0 } else { ahead }, last),
            None => Err(StepError::new(
                "doing a step of the child's",
                "no step has started one",
            )),
        }
    }
}

/// The slot that a line fills; those that it reads go to `read`.
fn line_slots(line: &Line, read: &mut Vec<SlotId>) -> Option<SlotId> {
    let (argv, fills) = match line {
        Line::Run(argv) | Line::Try(argv) | Line::Outside(argv) | Line::Check { argv, .. } => {
            (argv, None)
        }
        Line::Exec(program) => (&program.argv, None),
        Line::Capture { slot, argv }
        | Line::Background { slot, argv }
        | Line::Spawn { slot, argv } => (argv, Some(*slot)),
        Line::Feed { argv, text } => {
            text.slots(read);
            (argv, None)
        }
        Line::Write { path, text } => {
            path.slots(read);
            text.slots(read);
            return None;
        }
    };
    for word in argv {
        word.slots(read);
    }
    fills
}
