//! A verb on many containers: each has a list of plans, its stages; the first stages of all are carried out, then the second.
//!
//! `stop` of 250 containers sends 250 signals, then waits once: the time of the slowest, not of all. One thread: a
//! process that clones must not have a second.

use kit_plan::{Context, Fault, Header, Journal, Mark, Observer, Plan, PlanError, Roots};
use kit_undo::Kernel;

use crate::OpsError;

/// The stages of a verb on one container. They share one context.
pub struct Work {
    /// What the container is called in reports: the word that the user typed.
    pub name: String,
    /// Plans to be applied one after the other; none if there is nothing to do.
    pub stages: Vec<Plan>,
}

/// The work that is under way.
struct Begun {
    name: String,
    cx: Context,
    journals: Vec<Journal>,
    stages: std::vec::IntoIter<Plan>,
}

impl Begun {
    fn undo(&mut self, watch: &mut dyn Observer) {
        for journal in self.journals.iter_mut().rev() {
            journal.rollback(&Kernel::new(), watch);
        }
    }
}

/// Carries out a plan whose steps leave nothing to recover: its journal is in memory. The context holds what the steps
/// have kept, locks among it, until the caller drops it.
///
/// # Errors
/// A step failed; what was done has been undone.
pub fn apply(plan: &Plan, mark: Mark, watch: &mut dyn Observer) -> Result<Context, PlanError> {
    let mut cx = Context::new(mark);
    apply_in(&mut cx, plan, watch)?;
    Ok(cx)
}

fn apply_in(cx: &mut Context, plan: &Plan, watch: &mut dyn Observer) -> Result<Journal, PlanError> {
    let mut journal = Journal::in_memory(Header::unwritten(&cx.mark, plan.command.clone()));
    plan.apply(cx, &mut journal, &Kernel::new(), watch)?;
    Ok(journal)
}

/// Carries out all works, the first stage of each before the second of any. A failure ends the work on that container
/// alone and undoes its earlier stages. `done` is called with each result; an interruption ends all works, and undoes them.
pub fn side_by_side(
    roots: &Roots,
    works: Vec<Work>,
    watch: &mut dyn Observer,
    done: &mut dyn FnMut(&str, Result<(), OpsError>),
) {
    let mut begun: Vec<Begun> = works
        .into_iter()
        .map(|work| Begun {
            name: work.name,
            cx: Context::new(Mark::new(roots.instance.clone())),
            journals: Vec::new(),
            stages: work.stages.into_iter(),
        })
        .collect();
    while !begun.is_empty() {
        let mut interrupted = false;
        begun.retain_mut(|work| {
            if interrupted {
                return true;
            }
            let Some(plan) = work.stages.next() else {
                done(&work.name, Ok(()));
                return false;
            };
            match apply_in(&mut work.cx, &plan, watch) {
                Ok(journal) => {
                    work.journals.push(journal);
                    true
                }
                Err(error) => {
                    work.undo(watch);
                    let error = OpsError::from(error);
                    interrupted = error.is_interruption();
                    done(&work.name, Err(error));
                    false
                }
            }
        });
        if interrupted {
            for work in &mut begun {
                work.undo(watch);
            }
            return;
        }
    }
}
