//! What went wrong, as a command says it: one line, then a hint where the errno misleads.

use std::fmt;

use kit_plan::{PlanError, RootsError};

pub type Result<T = u8> = anyhow::Result<T>;

/// An error that knows its hint and its exit code. Any other error is exit 1 without a hint.
#[derive(Debug)]
pub struct Failure {
    pub text: String,
    pub hint: Option<String>,
    pub exit: u8,
    /// The code stands, even where a verb runs a program and our failures are 125.
    exact: bool,
    interruption: bool,
}

impl Failure {
    pub fn new(text: impl fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            hint: None,
            exit: 1,
            exact: false,
            interruption: false,
        }
    }

    /// Bad usage: nothing was done.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::new(text).exit(2)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// For a library's `fn hint(&self) -> Option<&str>`.
    #[must_use]
    pub fn hint_from(mut self, hint: Option<&str>) -> Self {
        self.hint = hint.map(str::to_owned).or(self.hint);
        self
    }

    #[must_use]
    pub fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// An exit code that stands in a verb that runs a program too: docker's `exec` on an unknown container.
    #[must_use]
    pub fn exactly(self, code: u8) -> Self {
        Self {
            exact: true,
            ..self.exit(code)
        }
    }

    /// It came of somebody who asked to stop.
    #[must_use]
    pub fn interrupting(self) -> Self {
        Self {
            interruption: true,
            ..self
        }
    }

    /// Somebody asked to stop: nothing more is to be begun.
    pub fn is_interruption(&self) -> bool {
        self.interruption
    }

    /// What the process exits with; `ours` is the code of a verb that runs a program, when we failed.
    pub(crate) fn exit_code(&self, ours: Option<u8>) -> u8 {
        ours.filter(|_| self.exit <= 2 && !self.exact)
            .unwrap_or(self.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let failure = Self::new(&error)
            .hint_from(error.hint())
            .exit(error.exit_code());
        Self {
            interruption: matches!(error, PlanError::Stopped { .. }),
            ..failure
        }
    }
}

impl From<RootsError> for Failure {
    fn from(error: RootsError) -> Self {
        Self::new(&error).hint_from(error.hint())
    }
}

/// Whoever read our output has gone: end quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct ClosedPipe;
