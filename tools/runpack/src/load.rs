//! `runpack load`: an image from a layout or an archive into the store.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{
    Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value, words,
};

use crate::interrupt::Interrupt;
use crate::source::{LoadOptions, Loaded, SourceError, load};
use crate::{Source, Store};

/// What came of it, once the plan has been applied.
pub type Outcome = Rc<RefCell<Vec<Loaded>>>;

/// One step: the store publishes by a rename, and what a killed load leaves has no name, and is swept by a later gc.
pub fn plan(root: &Path, text: &str, source: Source, options: LoadOptions) -> (Plan, Outcome) {
    let outcome = Outcome::default();
    let mut plan = Plan::new(format!("runpack load {text}"));
    plan.push(Load {
        root: root.to_owned(),
        text: text.to_owned(),
        source,
        options,
        outcome: Rc::clone(&outcome),
    });
    (plan, outcome)
}

struct Load {
    root: PathBuf,
    text: String,
    source: Source,
    options: LoadOptions,
    outcome: Outcome,
}

impl Step for Load {
    fn meta(&self) -> Meta {
        let mut line: Vec<Value> = words!["runpack", "load"];
        if let Some(name) = &self.options.name {
            line.extend(words!["-t", name.to_string()]);
        }
        if let Some(platform) = &self.options.platform {
            line.extend(words!["--platform", platform]);
        }
        line.extend(words!["--", &self.text]);
        Meta::new(
            "image.load",
            "its blobs are checked and kept, its layers unpacked, then its name is published",
            Shell::Ours(vec![Line::Run(line)]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let store = Store::open(&self.root);
        let loaded = load(&store, &self.source, &self.options).map_err(step_error)?;
        *self.outcome.borrow_mut() = loaded;
        Ok(Done::nothing())
    }
}

pub(crate) fn step_error(error: SourceError) -> StepError {
    if let Some(code) = Interrupt::new().take() {
        return StepError::whole("interrupted, and nothing was kept").exit(code);
    }
    let hint = error.hint();
    with_hint(StepError::whole(error), hint)
}

pub(crate) fn store_error(error: crate::StoreError) -> StepError {
    step_error(error.into())
}

pub(crate) fn with_hint(error: StepError, hint: Option<String>) -> StepError {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
