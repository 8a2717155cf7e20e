//! Which devices a container may open, on v1: docker's default rules, on its own cgroup. The shared parent would
//! do for all, but takes no rule while it has children (EINVAL), so two first runs at once would race.
//! See Documentation/admin-guide/cgroup-v1/devices.rst.

use std::path::PathBuf;

use kit_plan::{Context, Done, Line, Meta, Shell, Slots, Step, StepError, Undo};

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

/// Sets the rules, unless whoever made us has set some: those may be narrowed only. They go with the cgroup.
pub struct Restrict {
    pub dir: PathBuf,
}

impl Step for Restrict {
    fn meta(&self) -> Meta {
        let file = |name: &str| self.dir.join(name);
        let mut lines = vec![Line::Write {
            path: file("devices.deny").into(),
            text: "a".into(),
        }];
        lines.extend(ALLOWED.map(|rule| Line::Write {
            path: file("devices.allow").into(),
            text: rule.into(),
        }));
        Meta::new(
            "cgroup.devices",
            "no disk of the host's can be opened, whoever makes a node for it",
            Shell::Exact(lines),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let list = rcgroup::read(&self.dir.join("devices.list")).map_err(StepError::whole)?;
        if list != EVERYTHING {
            return Ok(Done::nothing());
        }
        rcgroup::write(&self.dir.join("devices.deny"), "a").map_err(StepError::whole)?;
        for rule in ALLOWED {
            rcgroup::write(&self.dir.join("devices.allow"), rule).map_err(StepError::whole)?;
        }
        Ok(Done::nothing())
    }
}
