//! Carrying out a plan: as a script, with an explanation, with a trace, or in silence.

use std::io::Write;
use std::time::Duration;

use kit_plan::{
    Context, Done, Go, Header, Journal, Mark, Observer, Plan, PlanError, Record, Roots, StepError,
    StepView, UndoError, Undone,
};
use kit_sys::signal::is_ignored;
use kit_undo::Kernel;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Failure, Result, emit};

// The flags of every verb that changes something.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Act {
    /// Print the shell script that would do the same, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print each step on standard error as it happens
    #[arg(long)]
    pub explain: bool,
    /// Print each step on standard error as a JSON line
    #[arg(long, conflicts_with = "explain")]
    pub trace: bool,
}

/// What keeps an unprivileged caller out, before anything is touched.
pub fn need_root(doing: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{doing}: root is needed, and we are user {}",
        rustix::process::geteuid().as_raw()
    ))
    .hint("run it with sudo"))
}

impl Act {
    /// Applies `plan`, or prints it. A plan of several steps has a journal while it is applied, which is
    /// dropped at the end: what a verb made is the user's.
    pub fn run(self, plan: &Plan) -> Result<()> {
        if self.dry_run {
            return emit(&plan.script()?);
        }
        // From here on a signal is an answer: there is a journal to be taken along.
        let watch = Watch::new(self)?;
        let roots = Roots::from_env()?;
        let mark = Mark::new(roots.instance.clone());
        let header = Header::new(&mark, plan.command.clone())
            .map_err(|e| Failure::doing("naming this process in a journal", e))?;
        let journal = if plan.len() > 1 {
            roots.prepare()?;
            Journal::create(&roots.journals(), header)?
        } else {
            Journal::in_memory(header)
        };
        apply(plan, &mut Context::new(mark), journal, watch)
    }

    /// An observer that prints what these flags ask for, for those who apply a plan themselves.
    pub fn observer(self) -> Result<Box<dyn Observer>> {
        Ok(Box::new(Watch::new(self)?))
    }
}

fn apply(plan: &Plan, cx: &mut Context, mut journal: Journal, mut watch: Watch) -> Result<()> {
    let kernel = Kernel::new();
    match plan.apply(cx, &mut journal, &kernel, &mut watch) {
        Ok(()) => Ok(journal.discard()?),
        Err(error) => {
            let undone = journal.is_undone() && !journal.records().is_empty();
            // What could not be undone stays written down, for a later gc.
            if journal.is_undone() {
                journal.discard()?;
            }
            let Some(code) = watch.interrupted else {
                return Err(error.into());
            };
            Err(match error {
                PlanError::Stopped { left, .. } if undone => {
                    let why = "interrupted, and undone".to_owned();
                    PlanError::Stopped { why, left }.into()
                }
                error => Failure::from(error),
            }
            .exit(code))
        }
    }
}

/// Prints, and stops between two steps on Ctrl-C, SIGTERM or SIGHUP, so that what was done is undone.
struct Watch {
    act: Act,
    signals: SignalFd,
    before: SigSet,
    interrupted: Option<u8>,
}

impl Watch {
    fn new(act: Act) -> Result<Self> {
        let mut mask = SigSet::empty();
        let watched = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        // What the caller ignores stays ignored: a script's clean-up, by `trap ''`, must not be interrupted.
        for signal in watched.into_iter().filter(|signal| !is_ignored(*signal)) {
            mask.add(signal);
        }
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let blocked = SigSet::thread_get_mask().and_then(|before| {
            mask.thread_block()?;
            Ok((before, SignalFd::with_flags(&mask, flags)?))
        });
        let (before, signals) = blocked.map_err(|e| Failure::doing("watching for signals", e))?;
        Ok(Self {
            act,
            signals,
            before,
            interrupted: None,
        })
    }

    fn say(text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

impl Observer for Watch {
    fn before(&mut self, _: &StepView<'_>) -> Go {
        match self.signals.read_signal() {
            Ok(Some(info)) => {
                self.interrupted = Some(128 + info.ssi_signo as u8);
                Go::Stop("interrupted".to_owned())
            }
            _ => Go::On,
        }
    }

    fn after(
        &mut self,
        step: &StepView<'_>,
        came_to: std::result::Result<&Done, &StepError>,
        took: Duration,
    ) {
        if self.act.trace {
            Self::say(&kit_plan::trace_line(step, came_to, took));
        } else if self.act.explain {
            Self::say(&kit_plan::explain_text(step, came_to, took));
        }
    }

    fn undone(&mut self, record: &Record, came_to: std::result::Result<&Undone, &UndoError>) {
        if self.act.explain {
            let result = came_to.map_or_else(ToString::to_string, |undone| format!("{undone:?}"));
            Self::say(&format!("    undoing step {}: {result}\n", record.step + 1));
        }
    }
}
