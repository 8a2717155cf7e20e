//! What is made beside its place comes to it by one rename: a directory to be filled, and the rename.

use std::path::PathBuf;

use kit_plan::{Context, Done, Line, Meta, Shell, Slots, Step, StepError, Undo, run};

use crate::load::step_error;
use crate::says;
use crate::source::SourceError;

/// Makes the directory that is filled first. Undoing takes it away with all that is in it by then.
pub(crate) struct MakeDir {
    pub dir: PathBuf,
    /// False if the line of a later step does this as well.
    pub in_parts: bool,
}

impl Step for MakeDir {
    fn meta(&self) -> Meta {
        Meta::new(
            "dir.make",
            says::directory(),
            shell(self.in_parts, run!["mkdir", "--", &self.dir]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::tree(&self.dir)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let made = kit_sys::calls::fs::create_dir(&self.dir)
            .map_err(SourceError::io("make directory", &self.dir));
        made.map_err(step_error)?;
        Ok(Done::made(vec![Undo::tree(&self.dir).identified()]))
    }
}

/// The rename: before it there is nothing of that name, or the old one, after it the whole new one.
pub(crate) struct Publish {
    pub from: PathBuf,
    pub to: PathBuf,
    /// False if the line of an earlier step does this as well.
    pub in_parts: bool,
}

impl Step for Publish {
    fn meta(&self) -> Meta {
        Meta::new(
            "file.publish",
            says::publish(),
            shell(self.in_parts, run!["mv", "-fT", "--", &self.from, &self.to]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let renamed = kit_sys::calls::fs::rename(&self.from, &self.to);
        renamed.map_err(|error| step_error(SourceError::io("rename", &self.to)(error)))?;
        Ok(Done::nothing())
    }
}

fn shell(in_parts: bool, line: Line) -> Shell {
    if in_parts {
        Shell::Exact(vec![line])
    } else {
        Shell::Ours(Vec::new())
    }
}
