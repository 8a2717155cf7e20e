//! `rmount umount`.

use clap::Args;
use kit_cli::{Act, Result, need_root};
use kit_plan::{Fault, Plan};

use super::real;
use crate::step::Unmount;
use crate::{MountError, mountinfo, umount};

#[derive(Args)]
pub(super) struct Umount {
    #[command(flatten)]
    act: Act,
    /// Detach it now, even if it is in use; it goes with its last user
    #[arg(short, long)]
    lazy: bool,
    /// With all that is mounted beneath it
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Be quiet about what is not mounted
    #[arg(short, long)]
    force: bool,
    /// Mount points; - reads them from standard input
    #[arg(required = true)]
    targets: Vec<String>,
}

/// Nothing is mounted there, and that is all right.
#[derive(Debug, thiserror::Error)]
#[error("nothing is mounted there")]
struct Absent;

impl Fault for Absent {}

impl Umount {
    pub(super) fn run(self) -> Result {
        let targets = kit_cli::names(&self.targets, &["mount"])?;
        if !self.act.dry_run {
            need_root("unmounting")?;
        }
        kit_cli::each(&targets, |target| match self.plan(target) {
            Ok(plan) => self.act.run(&plan),
            Err(error) if error.fault::<Absent>().is_some() => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn plan(&self, target: &str) -> Result<Plan> {
        let target = real(target.as_ref())?;
        let mounts = mountinfo::mounts()?;
        if mountinfo::at(&mounts, &target).is_none() {
            let error = if target.exists() {
                MountError::NotMounted { path: target }
            } else {
                crate::bind::missing(&target, "unmounting")
            };
            return Err(if self.force {
                Absent.into()
            } else {
                error.into()
            });
        }
        let mut plan = Plan::new(format!("rmount umount {}", target.display()));
        let all = if self.recursive {
            umount::tree_of(&target)?
        } else {
            vec![target]
        };
        for target in all {
            plan.push(Unmount {
                target,
                lazy: self.lazy,
            });
        }
        Ok(plan)
    }
}
