//! A step: one thing that a plan does, with what undoes it and what it would be in sh.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::{FAILED, errno_of, way_out, way_out_of};
use crate::{Context, Fault, Lang, Saying, Shell, Slots, Undo};

/// Who does a step: the process that applies the plan, or the child that it cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// The process that applies the plan.
    #[default]
    Parent,
    /// Inside the child's own namespaces; needs no undo, because it dies with them.
    Child,
}

/// What a step is, for a reader and for the script.
#[derive(Debug, Clone)]
pub struct Meta {
    /// `noun.verb`, the same for each step of this kind: `netns.bind`.
    pub id: &'static str,
    /// What it does and why, one line, for a learner.
    pub says: Saying,
    /// The same in sh.
    pub shell: Shell,
}

impl Meta {
    /// Of these three.
    pub fn new(id: &'static str, says: Saying, shell: Shell) -> Self {
        Self { id, says, shell }
    }
}

/// What a step adds to what was said of it before, in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    en: String,
    zh: String,
}

impl Note {
    /// In that language.
    pub fn text(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }
}

/// What applying a step came to.
#[derive(Debug, Default)]
pub struct Done {
    /// What now undoes it, with the identity of what was made; empty if it was there already ("not ours").
    pub made: Vec<Undo>,
    /// Something a reader of `--explain` wants to know: an address chosen, a fallback taken.
    pub note: Option<Note>,
}

impl Done {
    /// What undoes it now.
    pub fn made(made: Vec<Undo>) -> Self {
        Self { made, note: None }
    }

    /// With the identity of each thing that lives at a path, as it is now.
    #[must_use]
    pub fn identified(mut self) -> Self {
        let made = self.made.into_iter();
        self.made = made.map(Undo::identified).collect();
        self
    }

    /// Nothing to undo.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// With something for a reader of `--explain`, in English and in Chinese.
    #[must_use]
    pub fn note(mut self, en: impl Into<String>, zh: impl Into<String>) -> Self {
        let (en, zh) = (en.into(), zh.into());
        self.note = Some(Note { en, zh });
        self
    }

    /// With a value that is the same in every language: an address.
    #[must_use]
    pub fn value(self, value: impl Into<String>) -> Self {
        let value = value.into();
        self.note(value.clone(), value)
    }
}

/// One thing that a plan does. Open: each tool brings its own.
pub trait Step {
    /// Pure: what it is, for a reader. Nothing asks on the way of a plan that nobody watches.
    fn meta(&self) -> Meta;

    /// Pure: who does it.
    fn side(&self) -> Side {
        Side::Parent
    }

    /// Pure: whether this step of the parent's needs every step of the child's before it to be done. Without it the
    /// parent goes on while the child is at work.
    fn waits(&self) -> bool {
        false
    }

    /// Pure: what would undo it, journalled before it acts. It must be safe to undo even if the step never
    /// got as far: see the identities of [`Undo`]. Nothing, for a step that ends or removes, or whose work
    /// goes with what an earlier step has made.
    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    /// Pure, for the script: what undoes it only when it is done, such as taking a name that another may have.
    fn when_done(&self) -> Vec<Undo> {
        Vec::new()
    }

    /// Does it. On an error, whatever it did is found by undoing its intent.
    fn apply(&self, cx: &mut Context) -> Result<Done, StepError>;
}

/// Why a step failed: `doing what to "object": reason`, and where the errno misleads, a hint. Any [`Fault`] becomes one
/// by `?`, with its hint and its exit code.
#[derive(Debug)]
pub struct StepError {
    doing: String,
    reason: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
    exit: u8,
}

impl StepError {
    /// `doing` says what to which object: `creating link "eth0"`.
    pub fn new(doing: impl Into<String>, reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            doing: doing.into(),
            reason: reason.into(),
            hint: None,
            exit: FAILED,
        }
    }

    /// A text, or an error that is no [`Fault`], which says both already.
    pub fn whole(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(String::new(), reason)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it, where its cause knows.
    #[must_use]
    pub fn hint_from(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The exit code it asks for, where that is not 1: 126 and 127 of a program that does not start.
    #[must_use]
    pub fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// What to do about it, as [`way_out`] says of a [`Fault`].
    pub fn get_hint(&self) -> Option<String> {
        let hint = self.hint.clone();
        hint.or_else(|| way_out_of(errno_of(self)?, None))
    }

    /// The library's own error that it came from, if it is an `E`.
    pub fn fault<E: Fault>(&self) -> Option<&E> {
        self.reason.downcast_ref()
    }

    /// What a command exits with.
    pub fn exit_code(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.doing.is_empty() {
            write!(f, "{}", self.reason)
        } else {
            write!(f, "{}: {}", self.doing, self.reason)
        }
    }
}

impl Error for StepError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}

impl<F: Fault> From<F> for StepError {
    fn from(fault: F) -> Self {
        let (hint, exit) = (way_out(&fault), fault.exit());
        Self::whole(fault).hint_from(hint).exit(exit)
    }
}
