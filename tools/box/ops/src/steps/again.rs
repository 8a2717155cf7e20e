//! `restart`: a --rm container is not removed by the stop, and is started again.

use std::path::PathBuf;

use kit_plan::{Context, Done, Meta, Shell, Step, StepError, Undo, run};

use crate::Subject;
use crate::says;
use crate::start::{Watch, start};
use crate::stop::settled;
use box_state::at_work;

/// Tells the monitor that this --rm container is being restarted and must not be removed when it stops.
pub struct Keep(pub Subject);

impl Keep {
    fn path(&self) -> PathBuf {
        self.0.containers.keep(self.0.id())
    }
}

impl Step for Keep {
    fn meta(&self) -> Meta {
        Meta::new(
            "container.keep",
            says::keep(),
            Shell::Exact(vec![run!["touch", self.path()]]),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let path = self.path();
        let fail = |e| StepError::new(format!("writing {path:?}"), e);
        // Held to the end of the command: gc removes a --rm container whose restart was killed.
        cx.keep(at_work(&self.0.containers.dir(self.0.id())).map_err(fail)?);
        std::fs::File::create(&path).map_err(fail)?;
        Ok(Done::made(vec![Undo::unlink(&path)]).identified())
    }
}

/// The start after the stop. Its plan is the monitor's.
pub struct StartAgain {
    pub of: Subject,
    pub watch: Watch,
}

impl StartAgain {
    /// overlayfs marks a volatile upper by this, and refuses it a second time: after a crash its files may be torn. This
    /// one was unmounted cleanly (overlayfs.rst, "Volatile mount").
    fn volatile(&self) -> Option<PathBuf> {
        let Subject {
            containers,
            container,
        } = &self.of;
        let work = containers.layer(self.of.id()).join("work/work/incompat");
        container.auto_remove.then_some(work)
    }
}

impl Step for StartAgain {
    fn meta(&self) -> Meta {
        let mark = self.volatile().map(|path| run!["rm", "-rf", "--", path]);
        let mut lines: Vec<_> = mark.into_iter().collect();
        lines.push(run!["rrun", "start", self.of.id()]);
        Meta::new("container.start", says::again(), Shell::Ours(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let Subject {
            containers,
            container,
        } = &self.of;
        settled(containers, container);
        if let Some(mark) = self.volatile() {
            let _ = std::fs::remove_dir_all(mark);
        }
        start(&self.of, self.watch)?;
        Ok(Done::nothing())
    }
}
