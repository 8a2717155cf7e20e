//! Which devices containers may open, on v1: docker's default rules, once, on the instance's parent cgroup, whose
//! children inherit them. See Documentation/admin-guide/cgroup-v1/devices.rst.

use std::path::PathBuf;

use kit_plan::{Context, Done, Line, Meta, Shell, Slots, Step, StepError, Undo, run};

use super::error::fail;

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

/// Sets the rules where they are not set yet. The parent is shared, so nothing is undone.
pub struct Restrict {
    pub parent: PathBuf,
}

impl Step for Restrict {
    fn meta(&self) -> Meta {
        let file = |name: &str| self.parent.join(name);
        let mut lines = vec![run!["mkdir", "-p", &self.parent]];
        if std::fs::read_to_string(file("devices.list"))
            .is_ok_and(|list| list.trim_end() != EVERYTHING)
        {
            return Meta::new(
                "cgroup.devices",
                "no disk of the host's can be opened: set already",
                Shell::Exact(Vec::new()),
            );
        }
        lines.push(Line::Write {
            path: file("devices.deny").into(),
            text: "a".into(),
        });
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
        std::fs::create_dir_all(&self.parent)
            .map_err(fail(format!("making cgroup {:?}", self.parent)))?;
        let list = rcgroup::read(&self.parent.join("devices.list")).map_err(StepError::whole)?;
        if list != EVERYTHING {
            return Ok(Done::nothing());
        }
        rcgroup::write(&self.parent.join("devices.deny"), "a").map_err(StepError::whole)?;
        for rule in ALLOWED {
            rcgroup::write(&self.parent.join("devices.allow"), rule).map_err(StepError::whole)?;
        }
        Ok(Done::nothing())
    }
}
