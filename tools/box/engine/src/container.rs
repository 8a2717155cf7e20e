//! A container in the foreground of a builder's own program, from its start to the hooks after its end.

use std::process::ExitStatus;

use kit_plan::{Fault, Left, Plan, PlanError, Session, StepError};

use crate::{Bundle, hooks, program};

/// A plan whose container has not been started: nothing was made, and no hook is owed. From [`crate::Engine::prepare`].
pub struct Prepared {
    plan: Plan,
    id: String,
    bundle: Bundle,
}

impl Prepared {
    pub(crate) fn new(plan: Plan, id: String, bundle: Bundle) -> Self {
        Self { plan, id, bundle }
    }

    /// Starts the program in `session`, which is the container's from here on.
    ///
    /// # Errors
    /// The failed step, or the signal. What was made is undone then, and the poststop hooks have run (runtime.md,
    /// "Lifecycle", steps 4 to 9).
    pub fn start(self, session: Session) -> Result<Container, NotStarted> {
        let mut container = Container {
            session,
            owed: Some((self.id, self.bundle)),
        };
        match container.session.apply(self.plan) {
            Ok(()) => Ok(container),
            Err(source) => Err(NotStarted {
                source,
                deleted: Box::new(container.delete()),
            }),
        }
    }
}

/// A container whose program runs. It is deleted by [`Container::delete`] or by being dropped, as `?` does: the program is
/// ended, all that was made is undone, and the poststop hooks run. A SIGKILL of this process leaves the undoing to whoever
/// opens the session again, or to `rrun gc`, which know of no hooks.
pub struct Container {
    session: Session,
    /// Whose poststop hooks are to be run.
    owed: Option<(String, Bundle)>,
}

impl Container {
    /// The session, with the descriptors and sockets that its steps have left in the context.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Waits until the program has ended. Call it once.
    ///
    /// # Errors
    /// [`PlanError::Stopped`] at a signal that asks this process to stop.
    pub fn wait(&mut self) -> Result<ExitStatus, PlanError> {
        let program = program(self.session.context()).map_err(|error| PlanError::Stopped {
            why: error.to_string(),
            signal: None,
            left: Vec::new(),
        })?;
        self.session.wait(&program)
    }

    /// Ends the program if it runs, undoes all that was made, and runs the poststop hooks.
    pub fn delete(mut self) -> Deleted {
        self.end()
    }

    fn end(&mut self) -> Deleted {
        let left = self.session.undo();
        let owed = self.owed.take();
        let hooks = owed.map_or_else(Vec::new, |(id, bundle)| hooks::poststop(&id, &bundle));
        Deleted { left, hooks }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.owed.is_some() {
            // Nobody asked to hear of it.
            drop(self.end());
        }
    }
}

/// What deleting a container came to.
#[derive(Debug)]
#[must_use = "nobody else tells what is left"]
pub struct Deleted {
    /// What could not be undone.
    pub left: Left,
    /// The poststop hooks that failed.
    pub hooks: Vec<StepError>,
}

impl Deleted {
    /// Each error as a line.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let left = self.left.errors.iter().map(ToString::to_string);
        let hooks = self.hooks.iter().map(ToString::to_string);
        left.chain(hooks).collect()
    }
}

/// Why a container was not started.
#[derive(Debug, thiserror::Error)]
#[error("{}", line(source, deleted))]
pub struct NotStarted {
    /// The failed step, or the signal.
    pub source: PlanError,
    /// What deleting it again came to.
    pub deleted: Box<Deleted>,
}

fn line(source: &PlanError, deleted: &Deleted) -> String {
    let after = deleted
        .errors()
        .into_iter()
        .map(|error| format!("; {error}"));
    std::iter::once(source.to_string()).chain(after).collect()
}

impl Fault for NotStarted {
    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn exit(&self) -> u8 {
        self.source.exit()
    }
}
