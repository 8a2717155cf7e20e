//! A step a layer: whole and checked, it comes to its place by a rename. Lowest first: a directory that a layer only passes through looks
//! like the one below. Nothing names it yet, and somebody else's image may begin to use it, so it is not undone but swept up.

use std::rc::Rc;

use kit_plan::{Context, Done, Meta, Shell, Step, StepError};
use oci_spec::image::Digest;

use super::Intake;
use crate::StoreError;
use crate::digest::chain_ids;
use crate::load::{step_error, store_error};
use crate::says;

pub(crate) struct Place {
    pub intake: Rc<Intake>,
    pub at: usize,
}

impl Step for Place {
    fn meta(&self) -> Meta {
        let job = &self.intake.jobs[self.at];
        Meta::new(
            "layer.place",
            says::place(&job.title),
            Shell::Ours(Vec::new()),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let Intake { store, jobs, .. } = &*self.intake;
        let job = &jobs[self.at];
        let Some(taken) = self.intake.get(self.at) else {
            return Err(StepError::new(&job.title, "no earlier step has taken it"));
        };
        if let Some(kept) = &job.keep {
            let target = store.blob_path(&taken.sums.digest);
            let renamed = std::fs::rename(kept, &target);
            renamed
                .map_err(StoreError::io("rename", &target))
                .map_err(store_error)?;
        }
        let (Some(dir), Some(report)) = (&job.unpack, &taken.report) else {
            return Ok(Done::nothing());
        };
        let mut diff_ids: Vec<Digest> = job.below.clone();
        diff_ids.push(taken.sums.diff_id.clone());
        let chain = chain_ids(&diff_ids);
        let placed = store
            .finish_layer(dir, report, &chain, &taken.sums.diff_id)
            .map_err(|error| step_error((job.explain)(error)))?;
        placed.place().map_err(store_error)?;
        Ok(Done::nothing())
    }
}
