//! Removal: a rename into the trash, by which no command finds the container any more, and then the deletions, which take
//! time.

use std::path::PathBuf;

use kit_plan::{Context, Done, Fault, Line, Meta, Saying, Shell, Step, StepError, run, words};

use crate::Subject;
use crate::says;
use crate::stop::DYING;
use box_state::Lock;

/// A file in the trash that tells gc to delete the anonymous volumes too, if the command that was to do it was killed.
pub const DOOMED: &str = "doomed";

/// Moves a container's directory and name into the trash, under its lock.
pub struct Discard {
    pub of: Subject,
    /// It ran with `--rm`: its monitor removes it too, and may be first.
    pub contended: bool,
    /// Its anonymous volumes are to be removed with it.
    pub volumes: bool,
}

impl Discard {
    fn lines(&self) -> Vec<Line> {
        let Subject {
            containers,
            container,
        } = &self.of;
        let (run_dir, trash) = (containers.run_dir(self.of.id()), containers.trash());
        let to = trash.join(self.of.id());
        let rename = words![
            "flock",
            "-n",
            run_dir.join("lock"),
            "mv",
            "--",
            containers.dir(self.of.id()),
            &to
        ];
        let name = containers.names().join(&container.name);
        let dir = containers.dir(self.of.id());
        let mut lines = vec![run!["mkdir", "-p", "-m", "0700", trash, &run_dir]];
        if self.volumes {
            lines.push(Line::Try(words!["touch", dir.join(DOOMED)]));
        }
        lines.extend([
            if self.contended {
                Line::Try(rename)
            } else {
                Line::Run(rename)
            },
            Line::Try(words!["mv", "--", name, to.join("name")]),
            run!["rm", "-rf", "--", run_dir],
        ]);
        lines
    }
}

impl Step for Discard {
    fn meta(&self) -> Meta {
        Meta::new(
            "container.discard",
            says::discard(),
            Shell::Exact(self.lines()),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let Subject {
            containers,
            container,
        } = &self.of;
        let lock = Lock::take_idle(containers, self.of.id(), DYING)?;
        let Some(lock) = lock else {
            let doing = format!("removing container \"{}\"", container.name);
            return Err(StepError::new(doing, "another command is at work on it"));
        };
        if !containers.dir(self.of.id()).exists() {
            let _ = std::fs::remove_dir_all(containers.run_dir(self.of.id()));
            return Ok(
                Done::nothing().note("its monitor has removed it already", "监护进程已把它删除")
            );
        }
        // It may have been made since the plan was.
        box_monitor::refuse_bundled("removing", containers, container)
            .map_err(|error| StepError::whole(error.to_string()).hint_from(error.hint()))?;
        // Of one whose monitor was killed, then its program: its cgroups, its links, its mounts.
        box_monitor::last_run(containers, self.of.id())
            .map_err(|failed| StepError::whole(failed.text).hint_from(failed.hint))?;
        if self.volumes {
            let mark = containers.dir(self.of.id()).join(DOOMED);
            std::fs::write(&mark, "")
                .map_err(|e| StepError::new(format!("writing {mark:?}"), e))?;
        }
        containers.discard(container)?;
        // Held to the plan's end, for commands that wait for the lock.
        cx.keep(lock);
        Ok(Done::nothing())
    }
}

/// Deletes what a removed container held: its pin, a volume, its directory in the trash.
pub struct Delete {
    pub path: PathBuf,
    pub says: Saying,
}

impl Step for Delete {
    fn meta(&self) -> Meta {
        let line = run!["rm", "-rf", "--", &self.path];
        Meta::new("file.delete", self.says.clone(), Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.delete()?;
        Ok(Done::nothing())
    }
}

impl Delete {
    /// Absence is success.
    pub fn delete(&self) -> Result<(), StepError> {
        kit_sys::tree::remove_any(&self.path)
            .map_err(|e| StepError::new(format!("deleting {:?}", self.path), e))
    }
}
