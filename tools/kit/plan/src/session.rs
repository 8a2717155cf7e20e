//! A run of a program of one's own, from its first plan to the undoing of all: one journal, one context, and signals that
//! are an answer. What a builder of a runtime would otherwise put together of [`Journal`], [`Context`] and [`recover`].
//!
//! [`recover`]: crate::recover

use std::fmt;
use std::os::fd::AsFd;
use std::process::ExitStatus;

use kit_home::lock::{self, Hold};
use kit_home::{Instance, Roots, RootsError};
use kit_sys::clone::Cloned;
use kit_sys::signal::Stops;
use rustix::event::{PollFd, PollFlags, poll};

use crate::{
    Context, Done, Fate, Fault, Go, Header, Journal, JournalError, Mark, Observer, Plan, PlanError,
    Record, Recovery, Silent, Spared, StepError, StepView, Stop, UndoError, Undoer, Undone, netns,
    recover_one, way_out,
};

/// Plans applied one after the other, and undone together, last first: by [`Session::undo`], by being dropped, which is
/// what `?` does, and if this process is killed by whoever opens the same name next, or by `rrun gc`.
///
/// Between two steps, and in [`Session::wait`], SIGINT, SIGTERM and SIGHUP stop it: they come as [`PlanError::Stopped`].
///
/// ```no_run
/// use kit_plan::{Plan, Roots, Session};
/// # struct Kernel;
/// # impl kit_plan::Undoer for Kernel {
/// #     fn undo(&self, _: &kit_plan::Record) -> Result<kit_plan::Undone, kit_plan::UndoError> { unimplemented!() }
/// # }
/// # fn plan() -> Plan { Plan::new("x") }
///
/// // `Kernel` is kit_undo's.
/// let mut run = Session::open(&Roots::from_env()?, "bd1", Kernel)?;
/// run.apply(plan())?;
/// // … what was made is used …
/// let left = run.undo();
/// assert!(left.is_empty(), "{left}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    cx: Context,
    /// `None` once it is over.
    journal: Option<Journal>,
    undoer: Box<dyn Undoer>,
    watch: Watch,
    recovered: Recovery,
    /// A process cloned from this one must not undo what its parent made.
    pid: u32,
}

/// Why a session does not begin.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A name becomes that of a file.
    #[error("opening session {name:?}: a name has letters, digits, \".\", \"-\" and \"_\" only")]
    BadName {
        /// The name as it was given.
        name: String,
    },
    /// Another process is at it.
    #[error("opening session {name:?}: process {pid} has it open")]
    Busy {
        /// Its name.
        name: String,
        /// Who has it open.
        pid: i32,
    },
    /// A session of that name was killed, and what it left cannot be undone; `left` says why.
    #[error("undoing what an earlier session {name:?} left: {left}")]
    Unfinished {
        /// Its name.
        name: String,
        /// What is in the way.
        left: Left,
    },
    /// The roots cannot be used.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// Nothing can be written down.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the kernel refuses before anything was begun.
    #[error("opening session {name:?}: {source}")]
    Io {
        /// Its name.
        name: String,
        /// The kernel's reason.
        source: std::io::Error,
    },
}

impl Fault for SessionError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Roots(error) => way_out(error),
            Self::Journal(error) => way_out(error),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadName { .. } => crate::USAGE,
            _ => crate::FAILED,
        }
    }
}

/// What undoing a session came to, where it did not take all away. Prints as one line.
#[derive(Debug, Default)]
#[must_use = "what is left is nobody else's to tell"]
pub struct Left {
    /// What could not be undone. It stays written down: opening the session again, or `rrun gc`, tries once more.
    pub errors: Vec<UndoError>,
    /// What is there because it is another's by now, or has something of another's in it: a directory that is not empty.
    pub spared: Vec<Spared>,
}

impl Left {
    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty() && self.spared.is_empty()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.errors.iter().map(ToString::to_string);
        let spared = self.spared.iter().map(ToString::to_string);
        let all: Vec<String> = errors.chain(spared).collect();
        match all.join("; ") {
            none if none.is_empty() => f.write_str("nothing is left"),
            all => f.write_str(&all),
        }
    }
}

impl Session {
    /// Begins one under `name`, which is also its journal's. What a killed one of that name left is undone first.
    ///
    /// # Errors
    /// [`SessionError`], each with its reason; nothing was made then.
    pub fn open(
        roots: &Roots,
        name: &str,
        undoer: impl Undoer + 'static,
    ) -> Result<Self, SessionError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 200 || !name.bytes().all(plain) {
            let name = name.to_owned();
            return Err(SessionError::BadName { name });
        }
        let io = |source| SessionError::Io {
            name: name.to_owned(),
            source,
        };
        roots.prepare()?;
        // Signals from here on: there is something to be taken along.
        let stops = Stops::hold().map_err(io)?;
        let (instance, dir) = (roots.instance.clone(), roots.journals());
        std::fs::create_dir_all(&dir).map_err(io)?;
        let plan = format!("session-{name}");
        let path = dir.join(format!("{plan}.jsonl"));
        // Two who open one name at once: the second waits here, and finds the first's journal locked.
        let turn = std::fs::File::open(&dir).map_err(io)?;
        lock::wait(&turn, Hold::Alone).map_err(io)?;
        let recovered = recover_one(&path, &undoer, &mut |_| Fate::Replay);
        if !recovered.errors.is_empty() {
            let (errors, spared) = (recovered.errors, recovered.spared);
            let (name, left) = (name.to_owned(), Left { errors, spared });
            return Err(SessionError::Unfinished { name, left });
        }
        if path.exists() {
            let pid = Journal::peek(&path)?.header.owner.pid;
            let name = name.to_owned();
            return Err(SessionError::Busy { name, pid });
        }
        let mark = Mark { instance, plan };
        let header = Header::new(&mark, format!("session {name}")).map_err(io)?;
        let journal = Journal::create(&dir, header)?;
        Ok(Self {
            cx: Context::new(mark),
            journal: Some(journal),
            undoer: Box::new(undoer),
            watch: Watch {
                stops,
                told: Box::new(Silent),
            },
            recovered,
            pid: std::process::id(),
        })
    }

    /// Lets `observer` see each step, and stop before one.
    pub fn watch(&mut self, observer: impl Observer + 'static) {
        self.watch.told = Box::new(observer);
    }

    /// Does all that `plan` says; its records are added to those of the plans before. If a step fails, this plan is undone
    /// and those before it stand.
    ///
    /// # Errors
    /// The step's, with what could not be undone; [`PlanError::Stopped`] at a signal.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a plan is applied once: `run.apply(rnetns::add(\"bd1\")?)`"
    )]
    pub fn apply(&mut self, plan: Plan) -> Result<(), PlanError> {
        let (cx, watch) = (&mut self.cx, &mut self.watch);
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let first = journal.next_plan();
        plan.run(cx, journal, watch).map_err(|failed| {
            // As in Plan::apply: the end of file on its go-pipe ends a waiting child, and no thread fills what goes.
            cx.child = None;
            cx.ahead = None;
            failed.leaving(journal.undo_from(first, &*self.undoer, watch))
        })
    }

    /// Waits until `child` has ended. A signal that asks this process to stop ends the waiting, not the child: that goes
    /// with its cgroup as the session is undone.
    ///
    /// # Errors
    /// [`PlanError::Stopped`] at a signal, or where there is nothing to wait for.
    pub fn wait(&mut self, child: &Cloned) -> Result<ExitStatus, PlanError> {
        let failed = |errno| Stop {
            why: format!("waiting for a process: {errno}"),
            signal: None,
        };
        loop {
            let mut fds = [child.pidfd.as_fd(), self.watch.stops.as_fd()]
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            // An interrupted poll is asked once more.
            let _ = poll(&mut fds, None);
            let [ended, asked] = fds.map(|fd| !fd.revents().is_empty());
            if asked && let Some(stop) = self.watch.asked() {
                return Err(stop.into());
            }
            if ended {
                return child.wait().map_err(|errno| failed(errno).into());
            }
        }
    }

    /// Whose it is: links, tables and cgroups have the instance's mark.
    pub fn instance(&self) -> &Instance {
        &self.cx.mark.instance
    }

    /// Slots, descriptors and sockets, which stay from plan to plan.
    pub fn context(&mut self) -> &mut Context {
        &mut self.cx
    }

    /// What a killed session of this name had left, and what became of it as this one was opened.
    pub fn recovered(&self) -> &Recovery {
        &self.recovered
    }

    /// Undoes all of it, last first, going on past what fails. The session is over then: a second call finds nothing.
    pub fn undo(&mut self) -> Left {
        self.end()
    }

    /// Lets all of it stand: it is the caller's from now on, and nobody undoes it.
    ///
    /// # Errors
    /// The journal could not be removed; what was made stands.
    pub fn keep(mut self) -> Result<(), JournalError> {
        match self.journal.take() {
            Some(journal) => journal.discard(),
            None => Ok(()),
        }
    }

    fn end(&mut self) -> Left {
        let mut left = Left::default();
        let Some(mut journal) = self.journal.take() else {
            return left;
        };
        self.cx.child = None;
        self.cx.ahead = None;
        // The caller may have entered another namespace since: "our own" is where the session began.
        let home = journal.header.netns;
        let (undoer, watch) = (&*self.undoer, &mut self.watch);
        match netns::within(home, || journal.rollback(undoer, watch)) {
            Ok(errors) => left.errors = errors,
            Err(e) => left.errors.push(UndoError::new(
                "going back to the session's network namespace",
                e,
            )),
        }
        left.spared.extend_from_slice(journal.spared());
        if left.errors.is_empty()
            && let Err(error) = journal.discard()
        {
            left.errors.push(UndoError::new("ending a session", error));
        }
        left
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::process::id() == self.pid {
            // What is left stays written down, and nobody asked to hear of it.
            drop(self.end());
        }
    }
}

/// Stops between two steps at a signal; else it is the caller's observer.
struct Watch {
    stops: Stops,
    told: Box<dyn Observer>,
}

impl Watch {
    /// Why to stop, if a signal has come.
    fn asked(&self) -> Option<Stop> {
        self.stops.next().map(Stop::at)
    }
}

impl Observer for Watch {
    fn before(&mut self, step: &StepView<'_>) -> Go {
        match self.asked() {
            Some(stop) => Go::Stop(stop),
            None => self.told.before(step),
        }
    }

    fn after(
        &mut self,
        step: &StepView<'_>,
        came_to: Result<&Done, &StepError>,
        took: std::time::Duration,
    ) {
        self.told.after(step, came_to, took);
    }

    fn undone(&mut self, record: &Record, came_to: Result<&Undone, &UndoError>) {
        self.told.undone(record, came_to);
    }

    fn lockstep(&self) -> bool {
        self.told.lockstep()
    }
}
