//! What went wrong, as a command says it: one line, then a hint where the errno misleads.

use std::error::Error;
use std::fmt;

use kit_plan::{Fault, StepError, USAGE, way_out};

/// What a verb comes to: its exit code, or why it failed.
pub type Result<T = u8, E = Failure> = std::result::Result<T, E>;

/// A [`Fault`] on its way to the error line. Any library's becomes one by `?`; a verb says its own by [`Failure::new`],
/// and may give any of them another hint or exit code.
#[derive(Debug)]
pub struct Failure {
    fault: Box<dyn Fault>,
    hint: Option<String>,
    exit: u8,
    /// The code stands, even where a verb runs a program and our failures are 125.
    exact: bool,
}

/// What a verb says itself, with what caused it.
#[derive(Debug)]
struct Said {
    text: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// An operation that failed, exit code 1.
    pub fn new(text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self::from(Said { text, cause: None })
    }

    /// `doing: cause`, of an error that does not say itself what was being done.
    pub fn doing(doing: impl fmt::Display, cause: impl Error + Send + Sync + 'static) -> Self {
        let text = format!("{doing}: {cause}");
        let cause = Some(cause.into());
        Self::from(Said { text, cause })
    }

    /// Bad usage: nothing was done.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::new(text).exit(USAGE)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where its cause knows one.
    #[must_use]
    pub fn hint_from(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Another exit code.
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

    /// The library's own error, if it is an `E` or one caused it.
    pub fn fault<E: Fault>(&self) -> Option<&E> {
        let fault: &(dyn Error + 'static) = &*self.fault;
        let mut chain = std::iter::successors(Some(fault), |&error| error.source());
        chain.find_map(|error| error.downcast_ref())
    }

    /// What to do about it.
    pub fn get_hint(&self) -> Option<String> {
        self.hint.clone().or_else(|| way_out(&*self.fault))
    }

    /// The code that it asks for; what a process exits with is decided where it is reported.
    pub fn get_exit(&self) -> u8 {
        self.exit
    }

    /// Somebody asked to stop: nothing more is to be begun.
    pub fn is_interruption(&self) -> bool {
        self.fault.is_interruption()
    }

    /// Whoever read our output has gone.
    pub fn is_closed_pipe(&self) -> bool {
        self.fault::<ClosedPipe>().is_some()
    }

    /// What the process exits with; `ours` is the code of a verb that runs a program, when we failed.
    pub(crate) fn exit_code(&self, ours: Option<u8>) -> u8 {
        ours.filter(|_| self.exit <= USAGE && !self.exact)
            .unwrap_or(self.exit)
    }
}

impl<F: Fault> From<F> for Failure {
    fn from(fault: F) -> Self {
        Self {
            exit: fault.exit(),
            fault: Box::new(fault),
            hint: None,
            exact: false,
        }
    }
}

/// What a verb says, said by a step.
impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::whole(failure.to_string())
            .exit(failure.exit)
            .hint_from(failure.get_hint())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Said {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_deref()?)
    }
}

impl Fault for Said {}

/// Whoever read our output has gone: end quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub struct ClosedPipe;

impl Fault for ClosedPipe {}
