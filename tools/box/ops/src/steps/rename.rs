//! Another name for a container: the new one is taken, the container's file says so, the old one is freed.

use kit_plan::{Context, Done, Line, Meta, Shell, Step, StepError, Undo, run};

use crate::Subject;
use crate::says;
use box_state::at_work;

/// Takes the new name by link(2), which decides a race.
pub struct TakeName {
    /// With its old name.
    pub of: Subject,
    pub name: String,
}

impl Step for TakeName {
    fn meta(&self) -> Meta {
        let names = self.of.containers.names();
        let old = names.join(&self.of.container.name);
        let link = run!["ln", "-T", "--", old, names.join(&self.name)];
        Meta::new(
            "name.take",
            says::take_name(&self.name),
            Shell::Exact(vec![link]),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let containers = &self.of.containers;
        let dir = containers.dir(self.of.id());
        // Held to the end: gc removes a name that its container does not have, unless a command works on the container.
        let work = at_work(&dir).map_err(|e| StepError::new(format!("locking {dir:?}"), e))?;
        cx.keep(work);
        containers.take_name(&self.name, self.of.id())?;
        let path = containers.names().join(&self.name);
        Ok(Done::made(vec![Undo::unlink(path).identified()]))
    }
}

/// Writes container.json anew.
pub struct SaveContainer(pub Subject);

impl Step for SaveContainer {
    fn meta(&self) -> Meta {
        let path = self.0.containers.dir(self.0.id()).join("container.json");
        let new = path.with_extension("json.new");
        let text = serde_json::to_string_pretty(&self.0.container).unwrap_or_default();
        let write = Line::Write {
            path: (&new).into(),
            text: text.into(),
        };
        let lines = vec![write, run!["mv", "--", new, path]];
        Meta::new("container.save", says::save(), Shell::Exact(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.0.containers.save(&self.0.container)?;
        Ok(Done::nothing())
    }
}

/// Frees a name, if it is this container's.
pub struct FreeName {
    pub of: Subject,
    pub name: String,
}

impl Step for FreeName {
    fn meta(&self) -> Meta {
        let path = self.of.containers.names().join(&self.name);
        let line = run!["rm", "-f", "--", path];
        Meta::new(
            "name.free",
            says::free_name(&self.name),
            Shell::Exact(vec![line]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.of.containers.free_name(&self.name, self.of.id());
        Ok(Done::nothing())
    }
}
