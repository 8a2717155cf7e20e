//! `rcgroup del`: exact; with force what is inside is killed, and what is below goes too.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, run};
use rustix::io::Errno;

use crate::create::name_of;
use crate::says;
use crate::{CgroupError, Hierarchies, member};

/// What `del` does.
pub fn plan(host: &Hierarchies, name: &str, force: bool) -> Result<Plan, CgroupError> {
    let group = host.existing(name)?;
    let pids = member::pids(&group)?;
    // One group may have a directory in each hierarchy.
    let below: BTreeSet<_> = group
        .unique_dirs()
        .iter()
        .flat_map(|dir| member::below(dir))
        .filter_map(|dir| dir.file_name().map(std::ffi::OsStr::to_owned))
        .collect();
    let below = below.len();
    if !force && (!pids.is_empty() || below > 0) {
        return Err(CgroupError::Busy {
            name: name.to_owned(),
            pids,
            groups: below,
        });
    }
    let mut plan = Plan::new(format!("rcgroup del {name}"));
    let mut dirs = group.unique_dirs();
    // Who is frozen there ends when that one goes, and is in the others until then.
    dirs.sort_by_key(|dir| !group.is_freezer(dir));
    for dir in dirs {
        plan.push(Remove {
            dir: dir.to_owned(),
            force,
        });
    }
    Ok(plan)
}

struct Remove {
    dir: PathBuf,
    force: bool,
}

impl Step for Remove {
    fn meta(&self) -> Meta {
        let name = name_of(&self.dir);
        let (says, remove) = if self.force {
            let script = "find \"$1\" -type d | while read -r d; do \
                { cat \"$d/cgroup.procs\" 2>/dev/null || cat \"$d/cgroup.threads\"; } | \
                while read -r p; do kill -KILL \"$p\" 2>/dev/null || :; done; done; \
                find \"$1\" -name freezer.state | while read -r f; do echo THAWED >\"$f\"; done; \
                find \"$1\" -depth -type d | while read -r d; do \
                n=0; until rmdir \"$d\" 2>/dev/null; do [ $((n += 1)) -lt 500 ]; sleep 0.01; done; done";
            let line = run!["sh", "-c", script, "sh", &self.dir];
            (says::remove_forced(name), line)
        } else {
            (says::remove(name), run!["rmdir", &self.dir])
        };
        Meta::new("cgroup.remove", says, Shell::Exact(vec![remove]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        if self.force {
            member::kill_and_remove(&self.dir)?;
        } else {
            kit_sys::calls::told(
                || format!("rmdir({:?})", self.dir),
                || rustix::fs::rmdir(&self.dir),
            )
            .map_err(|errno| {
                let doing = format!("deleting cgroup {:?}", self.dir);
                if errno == Errno::NOENT {
                    return StepError::new(doing, "somebody else was first");
                }
                let error = StepError::new(doing, errno);
                if errno == Errno::BUSY {
                    error.hint("something has just moved in: --force kills it")
                } else {
                    error
                }
            })?;
        }
        Ok(Done::nothing())
    }
}
