//! `rcgroup create`: the directories, then the limits.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, run};

use crate::hierarchy::check_name;
use crate::says;
use crate::set::SetLimit;
use crate::{CgroupError, Group, Hierarchies, Limits, Mode, Setting, settings, write};

/// Controllers that every cgroup of v1 has a directory for: what is limited comes on top.
const ALWAYS: [&str; 5] = ["cpu", "cpuacct", "freezer", "memory", "pids"];

/// What `create` does: no limit of somebody else's is touched, the name must be free.
pub fn plan(host: &Hierarchies, name: &str, limits: &Limits) -> Result<Plan, CgroupError> {
    check_name(name)?;
    if host.existing(name).is_ok() {
        return Err(CgroupError::Exists {
            name: name.to_owned(),
        });
    }
    let mut plan = Plan::new(format!("rcgroup create {name}"));
    limits.check()?;
    let settings = settings(host, &limits.of_new_group())?;
    for step in named_steps(host, (name, Name::Users), &ALWAYS, settings) {
        plan.push_boxed(step);
    }
    Ok(plan)
}

/// The steps that make cgroup `name`, one that nobody else makes, with directories for `controllers` and for
/// what `limits` need.
pub fn steps(
    host: &Hierarchies,
    name: &str,
    controllers: &[&str],
    limits: &Limits,
) -> Result<Vec<Box<dyn Step>>, CgroupError> {
    limits.check()?;
    let settings = settings(host, &limits.of_new_group())?;
    Ok(named_steps(
        host,
        (name, Name::Instances),
        controllers,
        settings,
    ))
}

/// The same with settings that are made already. Groups above that are missing are made; they stay if they are
/// `shared_parent`, which those of one instance share, and are removed with the group otherwise.
pub fn steps_with(
    host: &Hierarchies,
    (name, shared_parent): (&str, &str),
    controllers: &[&str],
    settings: Vec<Setting>,
) -> Result<Vec<Box<dyn Step>>, CgroupError> {
    check_name(name)?;
    let is_shared = Path::new(name).parent() == Some(Path::new(shared_parent));
    let kind = if is_shared {
        Name::Instances
    } else {
        Name::Containers
    };
    Ok(named_steps(host, (name, kind), controllers, settings))
}

/// Whose the name of a new group is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// A user's, which another may take first.
    Users,
    /// One that nobody else makes.
    Containers,
    /// The same, below a group that all of an instance share.
    Instances,
}

fn named_steps(
    host: &Hierarchies,
    (name, kind): (&str, Name),
    controllers: &[&str],
    settings: Vec<Setting>,
) -> Vec<Box<dyn Step>> {
    let mut wanted: Vec<&str> = controllers.to_vec();
    wanted.extend(settings.iter().map(|setting| setting.controller));
    wanted.sort_unstable();
    wanted.dedup();
    let group = host.group(name, &wanted);
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    let enable = if host.mode == Mode::V2 {
        v2_controllers(host, &wanted)
    } else {
        Vec::new()
    };
    let mut dirs = group.unique_dirs();
    // The last that is made is the first that is undone, and the frozen end only when this one goes.
    dirs.sort_by_key(|dir| group.is_freezer(dir));
    for dir in dirs {
        let root = host.v2.clone().filter(|_| host.mode == Mode::V2);
        steps.push(Box::new(MakeDir {
            dir: dir.to_owned(),
            root,
            enable: enable.clone(),
            kind,
            gently: false,
        }));
    }
    if group.dirs.contains_key("cpuset") {
        steps.push(Box::new(FillCpuset {
            group: group.clone(),
        }));
    }
    for setting in settings {
        if let Some(dir) = group.dir(setting.controller) {
            steps.push(Box::new(SetLimit {
                path: dir.join(&*setting.file),
                setting,
                fresh: true,
            }));
        }
    }
    steps
}

/// Those of the wanted controllers that the v2 root has.
pub(crate) fn v2_controllers(host: &Hierarchies, wanted: &[&str]) -> Vec<String> {
    let root = host.v2.clone().unwrap_or_default();
    let available = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    let has = |name: &&&str| available.split_whitespace().any(|there| there == **name);
    wanted
        .iter()
        .filter(has)
        .map(|name| (*name).to_owned())
        .collect()
}

/// One directory. On v2 the controllers are enabled in each group above it first.
pub(crate) struct MakeDir {
    pub dir: PathBuf,
    pub root: Option<PathBuf>,
    pub enable: Vec<String>,
    pub kind: Name,
    /// In a group that exists: undone only while nobody is in it.
    pub gently: bool,
}

impl MakeDir {
    /// The groups above, from the root of the hierarchy down.
    fn above(&self) -> Vec<&Path> {
        let Some(root) = &self.root else {
            return Vec::new();
        };
        let mut above: Vec<&Path> = self
            .dir
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(root))
            .collect();
        above.reverse();
        above
    }

    fn controllers(&self) -> String {
        self.enable
            .iter()
            .map(|name| "+".to_owned() + name)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Step for MakeDir {
    fn meta(&self) -> Meta {
        let mut lines = Vec::new();
        if let Some(parent) = self.dir.parent() {
            lines.push(run!["mkdir", "-p", parent]);
        }
        if !self.enable.is_empty() {
            for dir in self.above() {
                let path = dir.join("cgroup.subtree_control").into();
                lines.push(Line::Write {
                    path,
                    text: self.controllers().into(),
                });
            }
        }
        lines.push(run!["mkdir", &self.dir]);
        Meta::new(
            "cgroup.make",
            says::make(name_of(&self.dir)),
            Shell::Exact(lines),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // By a user's name it may be somebody else's, who was quicker: that is why this fails then.
        if self.kind == Name::Users {
            Vec::new()
        } else {
            vec![Undo::cgroup(&self.dir)]
        }
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let missing = |dir: &&Path| !dir.exists();
        let mut above: Vec<&Path> = self.dir.ancestors().skip(1).take_while(missing).collect();
        if self.kind == Name::Instances {
            // Shared with the instance's other containers.
            above.clear();
        }
        if let Err(error) = make(self) {
            // Empty ones alone: another may have moved in.
            for dir in above {
                let _ = std::fs::remove_dir(dir);
            }
            return Err(error.into());
        }
        let above = above.into_iter().rev();
        let mut made: Vec<Undo> = above.map(|dir| Undo::rmdir(dir).identified()).collect();
        made.push(if self.gently {
            Undo::rmdir(&self.dir).identified()
        } else {
            Undo::cgroup(&self.dir).identified()
        });
        Ok(Done::made(made))
    }
}

/// A gc of another process removes groups above that are empty, also between the two calls that make one below: then both
/// are made once more.
fn make(step: &MakeDir) -> Result<(), CgroupError> {
    const TRIES: usize = 100;
    for _ in 1..TRIES {
        match make_once(step) {
            Err(error) if is_missing(&error) => {}
            came_to => return came_to,
        }
    }
    make_once(step)
}

fn is_missing(error: &CgroupError) -> bool {
    let errno = kit_plan::errno_of(error).map(|errno| errno as i32);
    errno == Some(rustix::io::Errno::NOENT.raw_os_error())
}

fn make_once(step: &MakeDir) -> Result<(), CgroupError> {
    if let Some(parent) = step.dir.parent() {
        kit_sys::calls::fs::create_dir_all(parent)
            .map_err(CgroupError::io("making cgroup", parent))?;
    }
    if !step.enable.is_empty() {
        for dir in step.above() {
            enable(dir, step)?;
        }
    }
    kit_sys::calls::fs::create_dir(&step.dir).map_err(CgroupError::io("making cgroup", &step.dir))
}

fn enable(dir: &Path, step: &MakeDir) -> Result<(), CgroupError> {
    let path = dir.join("cgroup.subtree_control");
    let on = crate::read(&path)?;
    if step
        .enable
        .iter()
        .all(|name| on.split(' ').any(|there| there == name))
    {
        return Ok(());
    }
    write(&path, &step.controllers())
}

/// v2: controllers that a group lacks are enabled in each group above it.
pub(crate) struct Enable(pub MakeDir);

impl Step for Enable {
    fn meta(&self) -> Meta {
        let write = |dir: &Path| Line::Write {
            path: dir.join("cgroup.subtree_control").into(),
            text: self.0.controllers().into(),
        };
        Meta::new(
            "cgroup.enable",
            says::enable(self.0.controllers()),
            Shell::Exact(self.0.above().into_iter().map(write).collect()),
        )
    }

    /// Not undone: the controllers limit nobody by themselves, and others may count on them by then.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        for dir in self.0.above() {
            enable(dir, &self.0)?;
        }
        Ok(Done::nothing())
    }
}

/// A v1 cpuset takes no process before it has CPUs and memory nodes: those of its parent (cpuset(7)).
pub(crate) struct FillCpuset {
    pub group: Group,
}

impl FillCpuset {
    fn dir(&self) -> &Path {
        self.group.dir("cpuset").unwrap_or(Path::new("/"))
    }
}

impl Step for FillCpuset {
    fn meta(&self) -> Meta {
        let lines = ["cpuset.cpus", "cpuset.mems"].map(|file| {
            // From the first above that has some, down.
            let script = "fill() { [ -n \"$(cat \"$1/$2\")\" ] || { fill \"${1%/*}\" \"$2\"; cat \"${1%/*}/$2\" >\"$1/$2\"; }; }; fill \"$@\"";
            run!["sh", "-c", script, "sh", self.dir(), file]
        });
        Meta::new(
            "cgroup.cpuset",
            says::cpuset(),
            Shell::Exact(lines.to_vec()),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let mut chain: Vec<&Path> = self.dir().ancestors().collect();
        chain.retain(|dir| dir.join("cpuset.cpus").exists());
        chain.reverse();
        for pair in chain.windows(2) {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let own = crate::read(&pair[1].join(file))?;
                if own.is_empty() {
                    let parents = crate::read(&pair[0].join(file))?;
                    write(&pair[1].join(file), &parents)?;
                }
            }
        }
        Ok(Done::nothing())
    }
}

/// The group's own name, a container's as long as docker shows it; beside v1 with the hierarchy, since it is made in each.
pub(crate) fn name_of(dir: &Path) -> String {
    const TOP: &str = "/sys/fs/cgroup";
    const SHOWN: usize = 12;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let shown = if is_id { &name[..SHOWN] } else { &name };
    let hierarchy = dir
        .strip_prefix(TOP)
        .ok()
        .and_then(|below| below.iter().next());
    match hierarchy {
        Some(hierarchy) if !Path::new(TOP).join("cgroup.controllers").exists() => {
            format!("{shown} ({})", hierarchy.display())
        }
        _ => shown.to_owned(),
    }
}
