//! `runpack tag`: one more name for an image.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, run};

use crate::load::store_error;
use crate::says;
use crate::{Reference, Store, StoreError};

/// Looks the image up at once, so that an unknown one is said before anything is done.
pub fn plan(root: &Path, image: &str, name: &str) -> Result<Plan, StoreError> {
    let name = Reference::parse(name)?;
    Store::open(root).resolve(image)?;
    let mut plan = Plan::new(format!("runpack tag {image} {name}"));
    plan.push(Tag {
        root: root.to_owned(),
        image: image.to_owned(),
        name,
    });
    Ok(plan)
}

struct Tag {
    root: PathBuf,
    image: String,
    name: Reference,
}

impl Step for Tag {
    fn meta(&self) -> Meta {
        let line = run!["runpack", "tag", "--", &self.image, self.name.to_string()];
        Meta::new("image.tag", says::tag(&self.name), Shell::Ours(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let store = Store::open(&self.root);
        store.tag(&self.image, &self.name).map_err(store_error)?;
        Ok(Done::nothing())
    }
}
