//! A list of steps, and doing them.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::fault::{FAILED, way_out};
use crate::shell::Line;
use crate::{
    Child, Context, Done, Fault, Go, Journal, JournalError, Observer, Side, SlotId, Step,
    StepError, StepView, UndoError, Undoer,
};

/// What a verb will do.
pub struct Plan {
    /// The command it stands for: `rnetns add blue`.
    pub command: String,
    pub(crate) steps: Rc<Vec<Box<dyn Step>>>,
}

/// Why a plan does not stand. Prints as one line, with what is left.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum PlanError {
    /// A step failed, and what had been done was undone but for `left`.
    #[error("{error}{}", left_text(.left))]
    Step {
        id: &'static str,
        #[source]
        error: StepError,
        left: Vec<UndoError>,
    },
    /// An observer asked to stop, and what had been done was undone but for `left`.
    #[error("{why}{}", left_text(.left))]
    Stopped {
        why: String,
        /// As of [`Stop`](crate::Stop).
        signal: Option<i32>,
        left: Vec<UndoError>,
    },
    /// What was done could not be written down, and was undone but for `left`.
    #[error("{error}{}", left_text(.left))]
    Journal {
        #[source]
        error: JournalError,
        left: Vec<UndoError>,
    },
    /// The plan itself is wrong: a fault of ours.
    #[error("building plan \"{command}\": {reason}")]
    Malformed { command: String, reason: String },
}

impl From<JournalError> for PlanError {
    fn from(error: JournalError) -> Self {
        let left = Vec::new();
        Self::Journal { error, left }
    }
}

fn left_text(left: &[UndoError]) -> String {
    let each: Vec<String> = left.iter().map(ToString::to_string).collect();
    if each.is_empty() {
        String::new()
    } else {
        format!("; left behind: {}", each.join("; "))
    }
}

impl Fault for PlanError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Step { error, .. } => error.get_hint(),
            Self::Journal { error, .. } => way_out(error),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Step { error, .. } => error.exit_code(),
            Self::Stopped {
                signal: Some(signal),
                ..
            } => 128 + *signal as u8,
            _ => FAILED,
        }
    }

    fn is_interruption(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }
}

impl PlanError {
    pub(crate) fn leaving(mut self, remaining: Vec<UndoError>) -> Self {
        match &mut self {
            Self::Step { left, .. } | Self::Stopped { left, .. } | Self::Journal { left, .. } => {
                *left = remaining;
            }
            Self::Malformed { .. } => {}
        }
        self
    }
}

impl Plan {
    /// Without a step yet.
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            steps: Rc::default(),
        }
    }

    /// Adds a step at its end.
    pub fn push(&mut self, step: impl Step + 'static) {
        self.push_boxed(Box::new(step));
    }

    /// Adds a step of whatever kind at its end.
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

    /// The steps themselves, to be put into another plan.
    pub fn into_steps(self) -> Vec<Box<dyn Step>> {
        Rc::try_unwrap(self.steps).unwrap_or_default()
    }

    /// How many steps it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Its steps, in the order in which they are taken.
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
            let for_child = step.side() == Side::Child;
            let has_lines = !meta.shell.lines().is_empty();
            if for_child && !spawned && has_lines && matches!(meta.shell, crate::Shell::Exact(_)) {
                return Err(malformed(format!(
                    "step {number} is the child's, and there is none yet"
                )));
            }
        }
        Ok(())
    }

    /// Does every step in order; steps of the child's may still be running while the parent does those that come
    /// after them (see [`Observer::lockstep`]). On a failure, what was done is undone, last first, and everything
    /// that could not be is in the error. The journal is committed at the end, and is the caller's to keep or
    /// discard; after a rollback the caller discards it if [`Journal::is_undone`].
    pub fn apply(
        &self,
        cx: &mut Context,
        journal: &mut Journal,
        undoer: &dyn Undoer,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        let stands = self.run(cx, journal, watch);
        if let Err(failed) = stands.and_then(|()| Ok(journal.commit()?)) {
            // The end of file on its go-pipe ends a waiting child even if the undo below cannot.
            cx.child = None;
            // Nor may a thread still be filling what is about to be removed.
            cx.ahead = None;
            let left = journal.rollback(undoer, watch);
            return Err(failed.leaving(left));
        }
        Ok(())
    }

    /// All steps, without the commit at their end or a rollback.
    pub(crate) fn run(
        &self,
        cx: &mut Context,
        journal: &mut Journal,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        // In the release build it would cost each start the making of all texts.
        #[cfg(debug_assertions)]
        self.check()?;
        cx.set_steps(Rc::clone(&self.steps));
        let lockstep = watch.lockstep();
        // Steps of the child's that were let go and not heard of yet.
        let mut unheard = VecDeque::new();
        for index in 0..self.steps.len() {
            match self.side(index) {
                Side::Child if lockstep => {
                    self.before(index, watch)?;
                    let_go(cx, 1)?;
                    self.hear(index, cx, watch)?;
                }
                Side::Child => {
                    if index == 0 || self.side(index - 1) == Side::Parent {
                        let rest = index..self.steps.len();
                        let run = rest.take_while(|next| self.side(*next) == Side::Child);
                        let_go(cx, run.count())?;
                    }
                    unheard.push_back(index);
                }
                Side::Parent => {
                    if self.steps[index].waits() {
                        self.hear_all(&mut unheard, cx, watch)?;
                    }
                    let came_to = self.parent_step(index, cx, journal, watch);
                    if came_to.is_err() {
                        // What the child failed at came first, and may be why this one did.
                        self.hear_all(&mut unheard, cx, watch)?;
                    }
                    came_to?;
                }
            }
        }
        self.hear_all(&mut unheard, cx, watch)
    }

    fn side(&self, index: usize) -> Side {
        self.steps[index].side()
    }

    fn view(&self, index: usize) -> StepView<'_> {
        StepView {
            number: index + 1,
            total: self.steps.len(),
            step: &*self.steps[index],
        }
    }

    fn before(&self, index: usize, watch: &mut dyn Observer) -> Result<(), PlanError> {
        match watch.before(&self.view(index)) {
            Go::On => Ok(()),
            Go::Stop(stop) => Err(stop.into()),
        }
    }

    fn after(
        &self,
        index: usize,
        came_to: Result<Done, StepError>,
        took: Duration,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        watch.after(&self.view(index), came_to.as_ref(), took);
        came_to.map(drop).map_err(|error| PlanError::Step {
            id: self.steps[index].meta().id,
            error,
            left: Vec::new(),
        })
    }

    fn parent_step(
        &self,
        index: usize,
        cx: &mut Context,
        journal: &mut Journal,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        self.before(index, watch)?;
        let begun = Instant::now();
        let step = &self.steps[index];
        let intent = step.intent(&cx.slots);
        let intends = !intent.is_empty();
        if intends {
            journal.intend(index, intent)?;
        }
        let came_to = step.apply(cx).and_then(|mut done| {
            if intends || !done.made.is_empty() {
                let made = std::mem::take(&mut done.made);
                let noted = journal.done(index, made);
                noted.map_err(StepError::whole)?;
            }
            Ok(done)
        });
        self.after(index, came_to, begun.elapsed(), watch)
    }

    fn hear_all(
        &self,
        unheard: &mut VecDeque<usize>,
        cx: &mut Context,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        while let Some(index) = unheard.pop_front() {
            self.before(index, watch)?;
            self.hear(index, cx, watch)?;
        }
        Ok(())
    }

    fn hear(
        &self,
        index: usize,
        cx: &mut Context,
        watch: &mut dyn Observer,
    ) -> Result<(), PlanError> {
        let mut later = index + 1..self.steps.len();
        let last = !later.any(|next| self.side(next) == Side::Child);
        let (came_to, took) = child(cx)?.hear(index, last);
        self.after(index, came_to, took, watch)
    }
}

fn let_go(cx: &mut Context, steps: usize) -> Result<(), PlanError> {
    let slots = cx.slots.clone();
    child(cx)?.let_go(steps, &slots);
    Ok(())
}

/// The child, which an earlier step has started; [`Plan::check`] sees to that.
fn child(cx: &mut Context) -> Result<&mut dyn Child, PlanError> {
    match &mut cx.child {
        Some(child) => Ok(child.as_mut()),
        None => Err(PlanError::Malformed {
            command: "a step of the child's".to_owned(),
            reason: "no step has started one".to_owned(),
        }),
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
