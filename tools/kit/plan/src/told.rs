//! What is told of a plan as it is applied: data, made where a step acts and printed where somebody reads.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::script::brief_lines;
use crate::{
    Done, Go, Note, Observer, Record, Saying, Shell, Side, StepError, StepView, UndoError, Undone,
    Vars,
};

/// How much is told of each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// One line.
    #[default]
    Steps,
    /// And the commands of the standard tools.
    Sh,
    /// And the system calls, the netlink messages, the files written.
    Calls,
}

impl FromStr for Detail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "steps" | "true" => Ok(Self::Steps),
            "sh" => Ok(Self::Sh),
            "calls" => Ok(Self::Calls),
            _ => Err("one of sh and calls, or nothing".to_owned()),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// A step was taken, or failed.
    Step(Box<StepTold>),
    /// A step's record was undone.
    Undone {
        /// The step that it undoes.
        says: Saying,
        /// What became of it.
        came_to: UndoTold,
    },
}

/// What undoing came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UndoTold {
    /// It is gone.
    Removed,
    /// It went with something else.
    Gone,
    /// Why it is still there.
    Left(String),
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTold {
    /// `noun.verb`
    pub id: String,
    /// Done by the child, inside its namespaces.
    pub inside: bool,
    /// What it does and why.
    pub says: Saying,
    /// What a reader wants to know of it besides: an address chosen, a fallback taken.
    pub note: Option<Note>,
    /// Commands or calls, as [`Detail`] asks.
    pub lines: Vec<String>,
    /// How long it took, in microseconds.
    pub usec: u64,
    /// The cause, and the way out.
    pub failed: Option<(String, Option<String>)>,
}

/// Tells what happens to `tell`.
pub struct Telling<F: FnMut(Told)> {
    /// How much is told.
    pub detail: Detail,
    /// What the shell's variables stand for.
    pub vars: Vars,
    /// Gets each event.
    pub tell: F,
}

impl<F: FnMut(Told)> Observer for Telling<F> {
    fn before(&mut self, _: &StepView<'_>) -> Go {
        if self.detail == Detail::Calls {
            kit_sys::calls::record();
        }
        Go::On
    }

    fn after(&mut self, step: &StepView<'_>, came_to: Result<&Done, &StepError>, took: Duration) {
        let meta = step.meta();
        let lines = match self.detail {
            Detail::Steps => Vec::new(),
            Detail::Sh => shell_lines(&meta.shell, &self.vars),
            Detail::Calls => {
                let calls = kit_sys::calls::take();
                calls.iter().map(|call| self.vars.shorten(call)).collect()
            }
        };
        (self.tell)(Told::Step(Box::new(StepTold {
            id: meta.id.to_owned(),
            inside: step.step.side() == Side::Child,
            says: meta.says,
            note: came_to.ok().and_then(|done| done.note.clone()),
            lines,
            usec: took.as_micros() as u64,
            failed: came_to
                .err()
                .map(|error| (error.to_string(), error.get_hint())),
        })));
    }

    fn undone(&mut self, record: &Record, came_to: Result<&Undone, &UndoError>) {
        let came_to = match came_to {
            Ok(Undone::Removed) => UndoTold::Removed,
            Ok(Undone::Absent) => UndoTold::Gone,
            Ok(Undone::NotOurs(why)) => UndoTold::Left(why.clone()),
            Err(error) => UndoTold::Left(error.to_string()),
        };
        let says = record.undo.says();
        (self.tell)(Told::Undone { says, came_to });
    }
}

fn shell_lines(shell: &Shell, vars: &Vars) -> Vec<String> {
    match shell {
        Shell::None(reason) => vec![format!("# no command does this: {reason}")],
        shell => brief_lines(shell.lines(), vars),
    }
}
