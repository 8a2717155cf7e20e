//! A limit of a controller that an existing group has no part of: the controller is brought in, and those in the group
//! come along. On v1 that is a directory in one more hierarchy, on v2 the controller enabled in the groups above.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Shell, Step, StepError, run};

use crate::create::{Enable, FillCpuset, MakeDir, Name, v2_controllers};
use crate::says;
use crate::{CgroupError, Group, Hierarchies, Mode, Setting, member, places, read, write};

/// What has to be done around the limits.
pub(crate) struct Grown {
    /// The directories that are new.
    pub group: Group,
    pub before: Vec<Box<dyn Step>>,
    /// Last, so that nothing is undone while somebody is in a new directory.
    pub after: Vec<Box<dyn Step>>,
}

/// For the controllers of `settings` that `group` lacks.
pub(crate) fn grow(host: &Hierarchies, group: &Group, settings: &[Setting]) -> Grown {
    if host.mode == Mode::V2 {
        return enabled(host, group, settings);
    }
    let mut missing: Vec<&str> = settings.iter().map(|setting| setting.controller).collect();
    missing.retain(|controller| group.dir(controller).is_none());
    missing.dedup();
    let new = host.group(&group.name, &missing);
    let mut before: Vec<Box<dyn Step>> = Vec::new();
    for dir in new.unique_dirs() {
        before.push(Box::new(MakeDir {
            dir: dir.to_owned(),
            root: None,
            enable: Vec::new(),
            kind: Name::Users,
            gently: true,
        }));
    }
    if new.dirs.contains_key("cpuset") {
        before.push(Box::new(FillCpuset { group: new.clone() }));
    }
    let mut after: Vec<Box<dyn Step>> = Vec::new();
    if let Some(from) = group.unique_dirs().first() {
        after.extend(new.dirs.iter().map(|(controller, to)| -> Box<dyn Step> {
            Box::new(MoveIn {
                from: (*from).to_owned(),
                to: to.clone(),
                root: host.v1.get(controller).cloned().unwrap_or_default(),
            })
        }));
    }
    Grown {
        group: new,
        before,
        after,
    }
}

fn enabled(host: &Hierarchies, group: &Group, settings: &[Setting]) -> Grown {
    let dir = group.dir("").unwrap_or(Path::new("/"));
    let lacks = |setting: &&Setting| !dir.join(&*setting.file).exists();
    let mut wanted: Vec<&str> = settings
        .iter()
        .filter(lacks)
        .map(|s| s.controller)
        .collect();
    wanted.dedup();
    let enable = v2_controllers(host, &wanted);
    let mut before: Vec<Box<dyn Step>> = Vec::new();
    if !enable.is_empty() {
        before.push(Box::new(Enable(MakeDir {
            dir: dir.to_owned(),
            root: host.v2.clone(),
            enable,
            kind: Name::Users,
            gently: true,
        })));
    }
    Grown {
        group: host.group(&group.name, &[]),
        before,
        after: Vec::new(),
    }
}

/// v1: who is in a group, or below it, joins it in another hierarchy too.
struct MoveIn {
    from: PathBuf,
    to: PathBuf,
    /// The hierarchy of `to`.
    root: PathBuf,
}

impl MoveIn {
    fn pids(&self) -> Vec<i32> {
        let mut dirs = vec![self.from.clone()];
        let mut pids = Vec::new();
        while let Some(dir) = dirs.pop() {
            let text = read(&dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            dirs.extend(member::below(&dir));
        }
        pids
    }

    /// Where in the hierarchy a process is.
    fn place(&self, pid: i32) -> Option<PathBuf> {
        let name = self.root.file_name()?.to_str()?;
        let text = read(Path::new(&format!("/proc/{pid}/cgroup"))).ok()?;
        let is_it = |controllers: &str| {
            controllers == name || controllers.split(',').any(|one| one == name)
        };
        let (_, path) = places(&text).find(|(controllers, _)| is_it(controllers))?;
        Some(self.root.join(path.trim_start_matches('/')))
    }

    /// A process that ends meanwhile is no failure.
    fn moved(pid: i32, to: &Path) -> Result<bool, CgroupError> {
        match write(&to.join("cgroup.procs"), &pid.to_string()) {
            Err(CgroupError::Io { source, .. })
                if source.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(true),
        }
    }
}

impl Step for MoveIn {
    fn meta(&self) -> Meta {
        let script = "find \"$1\" -name cgroup.procs -exec cat {} + | while read -r p; do \
            echo \"$p\" >\"$2/cgroup.procs\" || [ ! -e \"/proc/$p\" ]; done";
        Meta::new(
            "cgroup.move",
            says::moved(),
            Shell::Exact(vec![run!["sh", "-c", script, "sh", &self.from, &self.to]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let mut were: Vec<(i32, Option<PathBuf>)> = Vec::new();
        // A process that forks while it is moved leaves a child behind: look until there is none.
        loop {
            let pids = self.pids();
            let new: Vec<i32> = pids
                .into_iter()
                .filter(|pid| were.iter().all(|(known, _)| known != pid))
                .collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                let was = self.place(pid);
                if let Err(error) = Self::moved(pid, &self.to) {
                    for (pid, was) in were.iter().rev() {
                        // Back to where they were; one that cannot go has ended, or stays with its new limit.
                        let _ = was.as_ref().map(|was| Self::moved(*pid, was));
                    }
                    return Err(error.into());
                }
                were.push((pid, was));
            }
        }
        let count = were.len();
        Ok(Done::nothing().note(format!("{count} processes"), format!("{count} 个进程")))
    }
}
