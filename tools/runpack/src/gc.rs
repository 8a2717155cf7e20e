//! `runpack gc`: what killed commands left is undone by their journals, then the store is swept, a kind a step.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{
    Context, Done, Fate, Journal, Meta, Plan, Roots, Shell, Step, StepError, recover, run,
};

use crate::load::store_error;
use crate::says;
use crate::{Gone, Store, StoreError, Sweep};
use kit_units::human_size;

/// What came of it, once the plan has been applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The commands of the journals that were replayed.
    pub undone: Vec<String>,
    /// What was removed.
    pub gone: Gone,
}

/// Filled as the plan is applied.
pub type Outcome = Rc<RefCell<Collected>>;

/// What `gc` does, and where it says what that came to.
pub fn plan(roots: &Roots) -> Result<(Plan, Outcome), StoreError> {
    let outcome = Outcome::default();
    let mut plan = Plan::new("runpack gc");
    if abandoned(&roots.journals()) {
        plan.push(Replay {
            journals: roots.journals(),
            outcome: Rc::clone(&outcome),
        });
    }
    let store = Store::open(&roots.root);
    for kind in Sweep::ALL {
        let seen = store.garbage(kind)?.len();
        plan.push(SweepStep {
            root: roots.root.clone(),
            kind,
            seen: Some(seen),
            outcome: Rc::clone(&outcome),
        });
    }
    Ok((plan, outcome))
}

/// That there is a journal whose owner is gone and whose work is not complete, or one that was never born.
fn abandoned(journals: &Path) -> bool {
    let files = std::fs::read_dir(journals).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .any(|path| match path.extension().and_then(|end| end.to_str()) {
            Some("new") => true,
            Some("jsonl") => {
                let open = Journal::open(&path).ok().flatten();
                open.is_some_and(|journal| {
                    journal.header.container.is_none() || !journal.is_committed()
                })
            }
            _ => false,
        })
}

struct Replay {
    journals: PathBuf,
    outcome: Outcome,
}

impl Step for Replay {
    fn meta(&self) -> Meta {
        Meta::new(
            "journal.replay",
            says::replay(),
            Shell::Ours(vec![run!["runpack", "gc"]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let kernel = kit_undo::Kernel::new();
        // A container's own journal is rrun's to judge.
        let recovery = recover(&self.journals, &kernel, &mut |header| {
            if header.container.is_some() {
                Fate::Leave
            } else {
                Fate::Drop
            }
        });
        let undone = recovery.replayed.into_iter().map(|header| header.command);
        self.outcome.borrow_mut().undone.extend(undone);
        let errors: Vec<String> = recovery.errors.iter().map(ToString::to_string).collect();
        if errors.is_empty() {
            Ok(Done::nothing())
        } else {
            Err(StepError::new("undoing what was left", errors.join("; ")))
        }
    }
}

pub(crate) struct SweepStep {
    pub root: PathBuf,
    pub kind: Sweep,
    /// How many there were when the plan was made. `None` if the line of an earlier step does this as well.
    pub seen: Option<usize>,
    pub outcome: Outcome,
}

impl Step for SweepStep {
    fn meta(&self) -> Meta {
        let (id, says) = match self.kind {
            Sweep::Blobs => ("blob.sweep", says::sweep_blobs()),
            Sweep::Layers => ("layer.sweep", says::sweep_layers()),
            Sweep::Temporaries => ("temporary.sweep", says::sweep_temporaries()),
        };
        let Some(seen) = self.seen else {
            return Meta::new(id, says, Shell::Ours(Vec::new()));
        };
        if seen == 0 {
            return Meta::new(id, says, Shell::Exact(Vec::new()));
        }
        // Looked at anew when the script runs: what is garbage now may be in use then.
        Meta::new(id, says, Shell::Ours(vec![run!["runpack", "gc"]]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let swept = Store::open(&self.root).sweep(&[self.kind]);
        let swept = swept.map_err(store_error)?;
        let none = swept.blobs + swept.layers + swept.temporaries == 0;
        let (note, zh) = match self.kind {
            _ if swept.busy => (
                "busy: another command is adding content".to_owned(),
                "忙：别的命令正在写入内容".to_owned(),
            ),
            _ if none => ("there are none".to_owned(), "一个也没有".to_owned()),
            Sweep::Blobs => {
                let size = human_size(swept.bytes);
                (
                    format!("{}, {size}", swept.blobs),
                    format!("{} 个，{size}", swept.blobs),
                )
            }
            Sweep::Layers => (swept.layers.to_string(), format!("{} 个", swept.layers)),
            Sweep::Temporaries => (
                swept.temporaries.to_string(),
                format!("{} 个", swept.temporaries),
            ),
        };
        let gone = &mut self.outcome.borrow_mut().gone;
        gone.blobs += swept.blobs;
        gone.bytes += swept.bytes;
        gone.layers += swept.layers;
        gone.temporaries += swept.temporaries;
        gone.busy |= swept.busy;
        Ok(Done::nothing().note(note, zh))
    }
}
