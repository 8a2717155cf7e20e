//! The steps of the verbs that make, end, rename and remove a container, and how a plan of them is carried out.
//!
//! They write no journal. Those that end one undo nothing but a taken name: a signal is sent, and what was removed
//! is gone. Of one that is being made everything is found by its temporary directory. So what a killed verb leaves
//! is for gc.

mod again;
pub mod collect;
pub mod creation;
mod process;
mod removal;
mod rename;

use std::sync::OnceLock;

use kit_cli::{Act, Failure, Result, emit};
use kit_plan::{Context, Header, Journal, Mark, Observer, Plan, StepError};

pub use again::{Keep, StartAgain};
pub use process::{Attend, Await, Send};
pub use removal::{DOOMED, Delete, Discard};
pub use rename::{FreeName, SaveContainer, TakeName};

use box_state::{Container, Containers};

/// The container that a step is about, and where its files are.
#[derive(Clone)]
pub struct Subject {
    pub containers: Containers,
    pub container: Container,
}

impl Subject {
    pub fn find(containers: &Containers, name: &str) -> Result<Self> {
        let (containers, container) = super::find(containers, name)?;
        Ok(Self {
            containers,
            container,
        })
    }

    fn id(&self) -> &str {
        &self.container.id
    }
}

/// One plan a name, each carried out before the next is made, going on past a failure; or with `--dry-run`
/// one script for all of them. `done` says a name when its plan is.
pub fn each(
    act: Act,
    command: &str,
    names: &[String],
    containers: &Containers,
    plan: impl Fn(&Subject, &str) -> Result<Plan>,
) -> Result {
    if act.dry_run {
        let mut all = Plan::new(format!("rrun {command} {}", names.join(" ")));
        let outcome = kit_cli::each(names, |name| {
            all.extend(plan(&Subject::find(containers, name)?, name)?);
            Ok(())
        });
        emit(&all.script().map_err(Failure::from)?)?;
        return outcome;
    }
    kit_cli::each(names, |name| {
        carry_out(
            act,
            &plan(&Subject::find(containers, name)?, name)?,
            containers,
        )?;
        emit(&format!("{name}\n"))
    })
}

/// Who watches the plans of this process instead of `--explain` and the like.
static WATCH: OnceLock<Watching> = OnceLock::new();

pub type Watching = fn() -> Box<dyn Observer>;

/// For stepping through verbs, and for the tests that kill: `rrun` itself has no way to this.
pub fn watched_by(watch: Watching) {
    let _ = WATCH.set(watch);
}

/// Does it, or prints the script.
pub fn carry_out(act: Act, plan: &Plan, containers: &Containers) -> Result<()> {
    if act.dry_run {
        return emit(&plan.script().map_err(Failure::from)?);
    }
    apply(act, plan, Mark::new(containers.roots.instance.clone())).map(drop)
}

/// Does it. What the steps have kept, locks among it, is the caller's to hold.
pub fn apply(act: Act, plan: &Plan, mark: Mark) -> Result<Context> {
    let mut journal = Journal::in_memory(Header::unwritten(&mark, plan.command.clone()));
    let mut watch = match WATCH.get() {
        Some(watch) => watch(),
        None => act.observer()?,
    };
    let kernel = kit_undo::Kernel::new();
    let mut cx = Context::new(mark);
    plan.apply(&mut cx, &mut journal, &kernel, watch.as_mut())
        .map_err(Failure::from)?;
    Ok(cx)
}

/// What a verb says went wrong, as a step's error.
fn step_error(error: anyhow::Error) -> StepError {
    match error.downcast::<Failure>() {
        Ok(failure) => StepError::whole(failure.text)
            .exit(failure.exit)
            .hint_from(failure.hint),
        Err(error) => StepError::whole(error),
    }
}
