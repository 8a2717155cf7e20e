//! Mounts for programs, each as a plan that can be undone.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, Undo, run};

use crate::MountError;
use crate::bind::BindOptions;
use crate::inroot::Make;
use crate::overlay::{Lowers, Overlay, OverlayOptions, Upper};
use crate::says;
use crate::step::{MakePlace, MountBind, MountOverlay, MountTmpfs};
use crate::tmpfs::Tmpfs;

impl Overlay {
    /// Of these layers alone, read-only, which takes two of them.
    #[must_use]
    pub fn new(lowers: Lowers) -> Self {
        Self {
            lowers,
            upper: None,
            options: OverlayOptions::default(),
        }
    }

    /// Writable: what is changed goes to `dir/upper`; `dir/work` is the kernel's.
    #[must_use]
    pub fn upper(mut self, dir: impl AsRef<Path>) -> Self {
        let [upper, work] = ["upper", "work"].map(|name| dir.as_ref().join(name));
        self.upper = Some(Upper { upper, work });
        self
    }

    /// What makes the directories that it needs, and mounts it on `target`. As it is undone, an upper that was written to
    /// stays and is told; [`scratch`] is for one that is to go.
    #[must_use]
    pub fn plan(self, target: impl Into<PathBuf>) -> Plan {
        let target = target.into();
        let step = MountOverlay {
            overlay: self,
            target,
        };
        let mut plan = Plan::new(format!("rmount overlay {:?}", step.target));
        let own = step.overlay.upper.iter();
        let places = own.flat_map(|upper| [&upper.upper, &upper.work]);
        for path in places.chain([&step.target]) {
            plan.push(MakePlace {
                path: path.clone(),
                make: Make::Dir,
            });
        }
        plan.push(step);
        plan
    }
}

/// `source` at a second place, `target`, which must be there.
#[must_use]
pub fn bind(source: impl Into<PathBuf>, target: impl Into<PathBuf>, options: BindOptions) -> Plan {
    let (source, target) = (source.into(), target.into());
    let mut plan = Plan::new(format!("rmount bind {source:?} {target:?}"));
    plan.push(MountBind {
        source,
        target,
        options,
    });
    plan
}

/// A tmpfs on `target`, which must be there.
#[must_use]
pub fn tmpfs(tmpfs: Tmpfs, target: impl Into<PathBuf>) -> Plan {
    let target = target.into();
    let mut plan = Plan::new(format!("rmount tmpfs {target:?}"));
    plan.push(MountTmpfs { tmpfs, target });
    plan
}

/// A new directory that, as it is undone, goes with all that is in it by then.
#[must_use]
pub fn scratch(dir: impl Into<PathBuf>) -> Plan {
    let path = dir.into();
    let mut plan = Plan::new(format!("mkdir {path:?}"));
    plan.push(Scratch { path });
    plan
}

struct Scratch {
    path: PathBuf,
}

impl Step for Scratch {
    fn meta(&self) -> Meta {
        Meta::new(
            "scratch.make",
            says::scratch(self.path.display()),
            Shell::Exact(vec![run!["mkdir", &self.path]]),
        )
    }

    /// Without its inode nothing says that it is ours: a kill just here leaves an empty directory.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        std::fs::create_dir(&self.path)
            .map_err(|e| MountError::io("making directory", &self.path, &e))?;
        Ok(Done::made(vec![Undo::tree(&self.path)]).identified())
    }
}
