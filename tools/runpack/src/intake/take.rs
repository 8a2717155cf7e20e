//! A step a layer: it is read once and checked against both its digests while its blob is kept and its files are made. The first such step
//! starts the threads; each waits for its own layer.

use std::rc::Rc;

use kit_plan::{Context, Done, Meta, Shell, Step, StepError};

use super::{Crew, Intake};
use crate::load::step_error;
use crate::says;
use kit_units::human_size;

pub(crate) struct Take {
    pub intake: Rc<Intake>,
    pub at: usize,
}

impl Step for Take {
    fn meta(&self) -> Meta {
        let job = &self.intake.jobs[self.at];
        let does = match (&job.keep, &job.unpack) {
            (Some(_), Some(_)) => "kept and unpacked",
            (Some(_), None) => "kept",
            _ => "unpacked",
        };
        Meta::new(
            "layer.take",
            says::take(&job.title, does),
            Shell::Ours(job.check_line()),
        )
    }

    /// All is in the directory of the first step.
    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let intake = &self.intake;
        let crew = cx
            .ahead
            .get_or_insert_with(|| Box::new(Crew::start(&intake.jobs, &intake.progress)));
        let crew = crew
            .downcast_ref::<Crew>()
            .ok_or_else(|| StepError::whole("another step's threads are at work"))?;
        let taken = crew.wait(self.at).map_err(step_error)?;
        let what = format!("{}, {}", taken.sums.digest, human_size(taken.sums.size));
        let done = match &taken.report {
            Some(report) => {
                let files = report.files;
                Done::nothing().note(
                    format!("{what}, {files} files"),
                    format!("{what}，{files} 个文件"),
                )
            }
            None => Done::nothing().value(what),
        };
        intake.set(self.at, taken);
        if self.at + 1 == intake.jobs.len() {
            cx.ahead = None;
        }
        Ok(done)
    }
}
