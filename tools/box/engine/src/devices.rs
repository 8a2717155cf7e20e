//! Which devices a container may open: docker's default rules, on its own cgroup; on v1 by its files, on v2 by a
//! program (`program`). The shared parent would do for all, but takes no rule on v1 while it has children (EINVAL),
//! so two first runs at once would race. See Documentation/admin-guide/cgroup-v1/devices.rst, cgroup-v2.rst.

mod program;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::says;
use kit_plan::{Context, Done, Line, Meta, Shell, Step, StepError, Value, words};
use kit_sys::bpf::{attach_device_program, load_device_program};
use rcgroup::{Hierarchies, Mode};
use rustix::io::Errno;

/// Nodes may be made of anything; opened may be null, zero, full, random, urandom, tty, console, ptmx, pts.
const ALLOWED: [&str; 11] = [
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// What `devices.list` says before any rule.
const EVERYTHING: &str = "a *:* rwm";

/// The step that sets them for cgroup `name`; none where the host has no hierarchy that could.
pub fn rules(host: &Hierarchies, name: &str) -> Option<Box<dyn Step>> {
    if let (Mode::V2, Some(root)) = (host.mode, &host.v2) {
        return Some(Box::new(Attach {
            dir: root.join(name),
        }));
    }
    let dir = host.v1.get("devices")?.join(name);
    Some(Box::new(Restrict { dir }))
}

/// The same, in the cgroup `$1`; the rest are the rules.
const RESTRICT: &str = r#"cd "$1"; shift
[ "$(cat devices.list)" = "a *:* rwm" ] || exit 0
echo a >devices.deny
for rule; do printf '%s\n' "$rule" >devices.allow || exit; done"#;

/// Sets the rules, unless whoever made us has set some: those may be narrowed only. They go with the cgroup.
pub struct Restrict {
    pub dir: PathBuf,
}

impl Step for Restrict {
    fn meta(&self) -> Meta {
        let mut words = words!["sh", "-c", RESTRICT, "sh", &self.dir];
        words.extend(ALLOWED.map(Value::from));
        Meta::new(
            "cgroup.devices",
            says::devices(),
            Shell::Exact(vec![Line::Run(words)]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let list = rcgroup::read(&self.dir.join("devices.list"))?;
        if list != EVERYTHING {
            return Ok(Done::nothing());
        }
        rcgroup::write(&self.dir.join("devices.deny"), "a")?;
        for rule in ALLOWED {
            rcgroup::write(&self.dir.join("devices.allow"), rule)?;
        }
        Ok(Done::nothing())
    }
}

/// The same on v2, where a program is asked. One attached beside others narrows, so it needs no look at what is
/// there; it goes with the cgroup.
pub struct Attach {
    pub dir: PathBuf,
}

impl Step for Attach {
    fn meta(&self) -> Meta {
        Meta::new(
            "cgroup.devices",
            says::devices(),
            Shell::None(
                "a program for bpf(2) has no form in sh: on cgroup v2 any device can be opened",
            ),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        attach(&self.dir)
    }
}

/// Attaches the rules to the cgroup v2 in `dir`. Without them any disk of the host's could be opened: a kernel or
/// a sandbox that refuses bpf(2) is an error, as it is docker's.
fn attach(dir: &Path) -> Result<Done, StepError> {
    let doing = || format!("setting the device rules of cgroup {dir:?}");
    let refused = |errno: Errno| {
        let error = StepError::new(doing(), errno);
        match errno {
            Errno::PERM | Errno::NOSYS | Errno::INVAL => error.hint(
                "cgroup v2 takes them by bpf(2), which this kernel or sandbox refuses; --privileged runs without",
            ),
            _ => error,
        }
    };
    let opened = std::fs::File::open(dir).map_err(|e| StepError::new(doing(), e))?;
    let rules = program::compile(&ALLOWED);
    let loaded = load_device_program(&rules).map_err(refused)?;
    attach_device_program(opened.as_fd(), loaded.as_fd()).map_err(refused)?;
    Ok(Done::nothing().note(format!("{} instructions", rules.len())))
}

/// Whether bpf(2) takes our rules: nothing is attached.
pub fn can_load() -> bool {
    load_device_program(&program::compile(&ALLOWED)).is_ok()
}

#[cfg(test)]
mod tests;
