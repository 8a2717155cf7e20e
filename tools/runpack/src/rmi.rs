//! `runpack rmi`: names taken away, and with the last one the image.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{Context, Done, Line, Meta, Plan, Saying, Shell, Step, StepError, Value, words};

use crate::gc::SweepStep;
use crate::load::store_error;
use crate::says;
use crate::store::is_deletion;
use crate::{Removed, Store, StoreError, Sweep};

/// What came of it, once the plan has been applied.
pub type Outcome = Rc<RefCell<Vec<Removed>>>;

/// Looks at once whether it may be done. Where the image goes with its name, what only it had is swept up, a kind a step.
pub fn plan(root: &Path, image: &str, force: bool) -> Result<(Plan, Outcome), StoreError> {
    let removed = Store::open(root).removal(image, force)?;
    let outcome = Outcome::default();
    let mut plan = Plan::new(format!("runpack rmi {image}"));
    plan.push(Remove {
        root: root.to_owned(),
        image: image.to_owned(),
        force,
        says: says::remove(
            removals(&removed, ["name", "image"]),
            removals(&removed, ["名字", "镜像"]),
        ),
        outcome: Rc::clone(&outcome),
    });
    if is_deletion(&removed) {
        for kind in Sweep::ALL {
            plan.push(SweepStep {
                root: root.to_owned(),
                kind,
                seen: None,
                outcome: Rc::default(),
            });
        }
    }
    Ok((plan, outcome))
}

fn removals(removed: &[Removed], [of_name, of_image]: [&str; 2]) -> String {
    let each = removed.iter().map(|what| match what {
        Removed::Untagged(name) => format!("{of_name} {name}"),
        Removed::Deleted(id) => format!("{of_image} {id}"),
    });
    let each: Vec<String> = each.collect();
    each.join(", ")
}

struct Remove {
    root: PathBuf,
    image: String,
    force: bool,
    says: Saying,
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
            self.says.clone(),
            Shell::Ours(vec![Line::Run(line)]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let removed = Store::open(&self.root).forget(&self.image, self.force);
        *self.outcome.borrow_mut() = removed.map_err(store_error)?;
        Ok(Done::nothing())
    }
}
