//! The first step: the store's content lock, held until the images have their names, and a directory for what is not whole yet.

use std::rc::Rc;

use kit_plan::{Context, Done, Meta, Shell, Slots, Step, StepError, Undo};

use super::Intake;
use crate::StoreError;
use crate::load::store_error;
use crate::says;

pub(crate) struct Begin(pub Rc<Intake>);

impl Step for Begin {
    fn meta(&self) -> Meta {
        Meta::new("store.begin", says::begin(), Shell::Ours(Vec::new()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::tree(&self.0.work)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let work = &self.0.work;
        self.0.begin().map_err(store_error)?;
        std::fs::create_dir(work)
            .map_err(StoreError::io("make directory", work))
            .map_err(store_error)?;
        Ok(Done::made(vec![Undo::tree(work).identified()]))
    }
}
