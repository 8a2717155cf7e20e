//! Carrying out a plan: as a script, with an explanation, with a trace, or in silence.

use std::io::Write;
use std::time::Duration;

use kit_plan::{
    Context, Detail, Done, Go, Header, Journal, Lang, Mark, Observer, Plan, PlanError, Record,
    Roots, StepError, StepView, Stop, Telling, Told, UndoError, Undone, Vars, quote_in_line,
};
use kit_sys::signal::Stops;
use kit_undo::Kernel;

use crate::explain::{begin, explain};
use crate::{Failure, Result, emit};

// The flags of every verb that changes something.
#[allow(missing_docs)] // what is written here as documentation would begin the help of each verb
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Act {
    /// Print the shell script that would do the same, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print each step on standard error as it happens, and why; =sh: with the standard tools' commands; =calls: with the system calls
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "steps"
    )]
    pub explain: Option<Detail>,
    /// Print each step on standard error as a JSON line
    #[arg(long, conflicts_with = "explain")]
    pub trace: bool,
    /// The language of --explain and of a script's comments: en or zh; else the locale's
    #[arg(long)]
    pub lang: Option<Lang>,
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

/// This process's command line, on one line.
fn typed() -> String {
    let mut words = std::env::args_os();
    let tool = words.next().unwrap_or_default();
    let tool = std::path::Path::new(&tool)
        .file_name()
        .unwrap_or_default()
        .to_owned();
    let words = std::iter::once(tool).chain(words);
    words.map(quote_in_line).collect::<Vec<_>>().join(" ")
}

impl Act {
    /// Applies `plan`, or prints it.
    pub fn run(self, plan: &Plan) -> Result<()> {
        self.start(&plan.command)?.run(plan)
    }

    /// As [`Acting::run_for_good`].
    pub fn run_for_good(self, plan: &Plan) -> Result<()> {
        self.start(&plan.command)?.run_for_good(plan)
    }

    /// Begins a verb that applies several plans, one for each name. `command` is what its journal says.
    pub fn start(self, command: &str) -> Result<Acting> {
        if self.dry_run {
            return Ok(Acting::Script(self));
        }
        // From here on a signal is an answer: there is a journal to be taken along.
        let roots = Roots::from_env()?;
        let watch = Watch::new(self, Vars::of_roots(&roots))?;
        let mark = Mark::new(roots.instance.clone());
        let header = Header::new(&mark, command)
            .map_err(|e| Failure::doing("naming this process in a journal", e))?;
        Ok(Acting::Work(Box::new(Work {
            watch,
            roots,
            cx: Context::new(mark),
            header,
            written: None,
        })))
    }

    /// An observer that prints what these flags ask for, for those who apply a plan themselves; long paths are said by `vars`.
    pub fn observer(self, vars: Vars) -> Result<Box<dyn Observer>> {
        Ok(Box::new(Watch::new(self, vars)?))
    }

    /// Prints the script that does what `plan` does.
    pub fn emit_script(self, plan: &Plan, vars: &Vars) -> Result<()> {
        self.emit_script_in(plan, vars, None)
    }

    /// The same; `printed` as for [`Plan::script_in`].
    pub fn emit_script_in(self, plan: &Plan, vars: &Vars, printed: Option<&str>) -> Result<()> {
        let lang = self.lang.unwrap_or_else(Lang::from_env);
        let script = plan.script_in(lang, vars, printed)?;
        // Its second line is a comment that names the plan's command; what was typed says more.
        let lines: Vec<&str> = script.splitn(3, '\n').collect();
        match lines[..] {
            [first, _, rest] => emit(&format!("{first}\n# {}\n{rest}", typed())),
            _ => emit(&script),
        }
    }

    /// Begins the list of `--explain`, for whoever is told of steps that another process does.
    pub fn begin_list(self, vars: &Vars) {
        if let Some(detail) = self.explain {
            begin(self.lang, detail, vars);
        }
    }
}

/// A verb at work on one name after the other: one watch for signals, one context whose sockets the plans share, one
/// journal. With `--dry-run` it prints each plan.
pub enum Acting {
    /// Of `--dry-run`: each plan is printed.
    Script(Act),
    /// Each plan is applied.
    Work(Box<Work>),
}

pub struct Work {
    watch: Watch,
    roots: Roots,
    cx: Context,
    header: Header,
    /// The journal's file, once a plan of several steps has needed one; empty between two plans.
    written: Option<Journal>,
}

impl Acting {
    /// Applies `plan`, or prints it. A plan of several steps is in the journal while it is applied, and no longer: what a
    /// verb made is the user's.
    pub fn run(&mut self, plan: &Plan) -> Result<()> {
        match self {
            Self::Script(act) => script(*act, plan),
            Self::Work(work) if plan.len() > 1 => work.written(plan),
            Self::Work(work) => work.unwritten(plan),
        }
    }

    /// The same of a plan that only takes away, which nobody could undo: it has no journal, and so makes room on a full disk.
    pub fn run_for_good(&mut self, plan: &Plan) -> Result<()> {
        match self {
            Self::Script(act) => script(*act, plan),
            Self::Work(work) => work.unwritten(plan),
        }
    }
}

fn script(act: Act, plan: &Plan) -> Result<()> {
    act.emit_script(plan, &Vars::of_roots(&Roots::from_env()?))
}

impl Work {
    fn unwritten(&mut self, plan: &Plan) -> Result<()> {
        let mut journal = Journal::in_memory(self.header.clone());
        self.apply(plan, &mut journal)
    }

    fn written(&mut self, plan: &Plan) -> Result<()> {
        let mut journal = if let Some(journal) = self.written.take() {
            journal
        } else {
            self.roots.prepare()?;
            Journal::create(&self.roots.journals(), self.header.clone())?
        };
        let applied = self.apply(plan, &mut journal);
        // What could not be undone stays written down, for a later gc; the next plan gets another file.
        if applied.is_ok() || journal.is_undone() {
            journal.clear()?;
            self.written = Some(journal);
        } else {
            self.header.plan = Mark::new(self.roots.instance.clone()).plan;
        }
        applied
    }

    fn apply(&mut self, plan: &Plan, journal: &mut Journal) -> Result<()> {
        let applied = plan.apply(&mut self.cx, journal, &Kernel::new(), &mut self.watch);
        let Err(error) = applied else { return Ok(()) };
        let undone = journal.is_undone() && !journal.records().is_empty();
        Err(match error {
            PlanError::Stopped { signal, left, .. } if undone => {
                let why = "interrupted, and undone".to_owned();
                PlanError::Stopped { why, signal, left }
            }
            error => error,
        }
        .into())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(journal) = self.written.take() {
            // Empty: a later gc removes it if this fails.
            let _ = journal.discard();
        }
    }
}

/// Prints, and stops between two steps on Ctrl-C, SIGTERM or SIGHUP, so that what was done is undone.
struct Watch {
    act: Act,
    telling: Option<Telling<fn(Told)>>,
    stops: Stops,
}

impl Watch {
    fn new(act: Act, vars: Vars) -> Result<Self> {
        act.begin_list(&vars);
        let tell: fn(Told) = |told| explain(&told);
        let telling = act.explain.map(|detail| Telling { detail, vars, tell });
        let stops = Stops::hold().map_err(|e| Failure::doing("watching for signals", e))?;
        Ok(Self {
            act,
            telling,
            stops,
        })
    }

    fn say(text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl Observer for Watch {
    fn before(&mut self, step: &StepView<'_>) -> Go {
        if let Some(telling) = &mut self.telling {
            telling.before(step);
        }
        match self.stops.next() {
            Some(signal) => Go::Stop(Stop::at(signal)),
            None => Go::On,
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
        }
        if let Some(telling) = &mut self.telling {
            telling.after(step, came_to, took);
        }
    }

    fn undone(&mut self, record: &Record, came_to: std::result::Result<&Undone, &UndoError>) {
        if let Some(telling) = &mut self.telling {
            telling.undone(record, came_to);
        }
    }
}
