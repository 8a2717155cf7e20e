//! `rcgroup set`: limits of a cgroup that exists.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo};

use crate::{CgroupError, Group, Hierarchies, Limits, Setting, read, settings, write};

/// What `set` does.
pub fn plan(host: &Hierarchies, name: &str, limits: &Limits) -> Result<Plan, CgroupError> {
    let group = host.existing(name)?;
    let mut plan = Plan::new(format!("rcgroup set {name}"));
    let mut settings = settings(host, limits)?;
    total_first(&group, &mut settings);
    for setting in settings {
        let dir = group
            .dir(setting.controller)
            .ok_or_else(|| CgroupError::NotThere {
                name: name.to_owned(),
                controller: setting.controller,
                what: setting.formula,
            })?;
        plan.push(SetLimit {
            path: dir.join(setting.file),
            setting,
            fresh: false,
        });
    }
    Ok(plan)
}

const MEMORY: &str = "memory.limit_in_bytes";
const TOTAL: &str = "memory.memsw.limit_in_bytes";

/// v1: raising memory above the total of memory and swap as it is now is EINVAL, so that one goes up first.
fn total_first(group: &Group, settings: &mut [Setting]) {
    let at = |file| settings.iter().position(|setting| setting.file == file);
    let (Some(memory), Some(total)) = (at(MEMORY), at(TOTAL)) else {
        return;
    };
    let dir = group.dir("memory").unwrap_or(Path::new("/"));
    let now = read(&dir.join(TOTAL))
        .ok()
        .and_then(|text| text.parse().ok());
    // "-1" is no number, and more than any.
    let wanted = settings[memory].text.parse().unwrap_or(u64::MAX);
    if memory < total && now.is_some_and(|now: u64| wanted > now) {
        settings.swap(memory, total);
    }
}

/// One kernel file. Memory and swap together may not be less than memory at any moment, so where the order of
/// the list is refused, the other one is taken.
pub(crate) struct SetLimit {
    pub path: PathBuf,
    pub setting: Setting,
    /// The group is new and goes as a whole.
    pub fresh: bool,
}

impl Step for SetLimit {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: (&self.path).into(),
            text: (&self.setting.text).into(),
        };
        let lines = if self.setting.optional && !self.path.exists() {
            Vec::new()
        } else {
            vec![line]
        };
        Meta::new(
            "cgroup.limit",
            format!("{}: {}", self.setting.file, self.setting.formula),
            Shell::Exact(lines),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // On a new group it goes with its directory; on one that exists the old value goes back.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        if self.setting.optional && !self.path.exists() {
            return Ok(Done::nothing().note(format!("this kernel has no {}", self.setting.file)));
        }
        let was = read(&self.path)?;
        let mut undo = Vec::new();
        if let Err(error) = write(&self.path, &self.setting.text) {
            undo.extend(raise_total_first(self).map_err(|_| error)?);
        }
        let now = read(&self.path)?;
        if !took(&self.setting.text, &now) {
            let (path, wanted) = (self.path.clone(), self.setting.text.clone());
            // Nobody else knows what it was; that the kernel takes it back is not certain, and not our error.
            let _ = write(&path, &was);
            return Err(CgroupError::NoEffect {
                path,
                wanted,
                kept: now,
            }
            .into());
        }
        if self.fresh {
            return Ok(Done::nothing());
        }
        undo.push(restore(self.path.clone(), was, now));
        Ok(Done::made(undo))
    }
}

fn restore(path: PathBuf, was: String, wrote: String) -> Undo {
    Undo::Restore {
        path,
        was,
        wrote,
        done: true,
        netns: None,
    }
}

/// Raising memory above the old total of memory and swap is EINVAL: the total goes out of the way first. What puts it
/// back comes before what puts memory back, so that it is undone after that.
fn raise_total_first(step: &SetLimit) -> Result<Option<Undo>, CgroupError> {
    let total = step.path.with_file_name("memory.memsw.limit_in_bytes");
    let was = read(&total)?;
    write(&total, "-1")?;
    let raised = write(&step.path, &step.setting.text);
    if raised.is_err() {
        let _ = write(&total, &was);
    }
    raised?;
    Ok(Some(restore(total.clone(), was, read(&total)?)))
}

/// Whether the file says what was written, allowing for what the kernel does to numbers: pages, "-1", "max".
fn took(wrote: &str, now: &str) -> bool {
    const PAGE: u64 = 4096;
    match (wrote.parse::<u64>(), now.parse::<u64>()) {
        (Ok(wrote), Ok(now)) => wrote == now || (wrote >= PAGE && now == wrote / PAGE * PAGE),
        // No limit reads back as the largest number.
        (Err(_), Ok(_)) => wrote == "-1",
        _ => now == wrote || now == format!("default {wrote}"),
    }
}

#[cfg(test)]
mod tests {
    use super::took;

    #[test]
    fn what_the_kernel_rounds_is_believed() {
        assert!(
            took("4097", "4096")
                && took("-1", "9223372036854771712")
                && took("max", "max")
                && took("7", "7")
        );
        assert!(!took("8192", "4096") && !took("7", "8"));
    }
}
