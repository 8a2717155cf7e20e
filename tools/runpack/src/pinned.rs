//! A pin as a plan, for programs: whoever uses an image for as long as a session.

use std::path::PathBuf;

use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo};

use crate::{ImageId, PinPlace, Store, StoreError};

impl Store {
    /// What keeps an image, by its name, ID or digest, from being removed until it is undone. `owner` is who uses it: one
    /// pin an owner, under a name that nobody else takes.
    ///
    /// # Errors
    /// An image that is not there.
    pub fn pin_plan(&self, image: &str, owner: &str) -> Result<Plan, StoreError> {
        let mut plan = Plan::new(format!("pin {image}"));
        plan.push(PinImage {
            image: self.resolve(image)?.id,
            store: self.again(),
            owner: owner.to_owned(),
        });
        Ok(plan)
    }
}

struct PinImage {
    store: Store,
    image: ImageId,
    owner: String,
}

impl PinImage {
    fn path(&self) -> PathBuf {
        self.store.pin_path(&self.owner, PinPlace::Store)
    }
}

impl Step for PinImage {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: self.path().into(),
            text: self.image.to_string().into(),
        };
        Meta::new("image.pin", crate::says::pin(), Shell::Exact(vec![line]))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unlink(self.path())]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let path = self.store.pin(&self.image, &self.owner, PinPlace::Store)?;
        Ok(Done::made(vec![Undo::unlink(path)]).identified())
    }
}
