//! `runpack rmi`: names taken away, and with the last one the image.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{
    Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value, words,
};

use crate::load::store_error;
use crate::{Removed, Store, StoreError};

/// What came of it, once the plan has been applied.
pub type Outcome = Rc<RefCell<Vec<Removed>>>;

/// Looks at once whether it may be done.
pub fn plan(root: &Path, image: &str, force: bool) -> Result<(Plan, Outcome), StoreError> {
    Store::open(root).removal(image, force)?;
    let outcome = Outcome::default();
    let mut plan = Plan::new(format!("runpack rmi {image}"));
    plan.push(Remove {
        root: root.to_owned(),
        image: image.to_owned(),
        force,
        outcome: Rc::clone(&outcome),
    });
    Ok((plan, outcome))
}

struct Remove {
    root: PathBuf,
    image: String,
    force: bool,
    outcome: Outcome,
}

impl Step for Remove {
    fn meta(&self) -> Meta {
        let mut line: Vec<Value> = words!["runpack", "rmi"];
        if self.force {
            line.extend(words!["--force"]);
        }
        line.extend(words!["--", &self.image]);
        Meta::new(
            "image.remove",
            "a name goes; with the last one the image, and the layers that only it had",
            Shell::Ours(vec![Line::Run(line)]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let removed = Store::open(&self.root).remove(&self.image, self.force);
        *self.outcome.borrow_mut() = removed.map_err(store_error)?;
        Ok(Done::nothing())
    }
}
