//! The steps of `rrun gc`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use kit_plan::{
    Context, Done, Line, Meta, Roots, Saying, Shell, Slots, Step, StepError, Undo, run, words,
};

use crate::Subject;
use crate::says;
use box_monitor as monitor;
use box_state::{Containers, Lock, alone};

/// What all plans of one gc have done; its steps share it.
#[derive(Debug, Clone, Default)]
pub struct Outcome(Rc<RefCell<Told>>);

/// The report of a gc.
#[derive(Debug, Default)]
pub struct Told {
    lines: Vec<String>,
    removed: usize,
    /// The steps that failed; the others were done all the same.
    pub failures: Vec<StepError>,
}

impl Told {
    /// The report for people: a line for each thing that was removed or repaired, and the number of left-over names and
    /// directories. Empty if there was nothing to do.
    pub fn text(&self) -> String {
        let count = self.removed;
        let swept = format!("removed: {count} left-over names and directories");
        let lines = self.lines.iter().map(String::as_str);
        let lines = lines.chain((count > 0).then_some(swept.as_str()));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

impl Outcome {
    pub fn take(&self) -> Told {
        self.0.take()
    }

    fn say(&self, line: String) {
        self.0.borrow_mut().lines.push(line);
    }

    pub fn fail(&self, why: impl Into<StepError>) {
        self.0.borrow_mut().failures.push(why.into());
    }

    /// Wraps a step so that its failure is reported at the end and stops no other step.
    pub fn go_on(&self, step: impl Step + 'static) -> Box<dyn Step> {
        self.go_on_boxed(Box::new(step), None)
    }

    /// The same; `said` is printed when the step is done.
    pub fn go_on_boxed(&self, step: Box<dyn Step>, said: Option<String>) -> Box<dyn Step> {
        Box::new(GoOn {
            step,
            said,
            outcome: self.clone(),
        })
    }
}

struct GoOn {
    step: Box<dyn Step>,
    said: Option<String>,
    outcome: Outcome,
}

impl Step for GoOn {
    fn meta(&self) -> Meta {
        self.step.meta()
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        self.step.intent(slots)
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let done = self.step.apply(cx);
        if done.is_ok() {
            self.said
                .iter()
                .for_each(|line| self.outcome.say(line.clone()));
        }
        done.or_else(|error| {
            let (en, zh) = (format!("failed: {error}"), format!("失败：{error}"));
            self.outcome.fail(error);
            Ok(Done::nothing().note(en, zh))
        })
    }
}

/// Replays the journals of dead processes.
pub struct Replay {
    pub containers: Containers,
    pub outcome: Outcome,
}

impl Step for Replay {
    fn meta(&self) -> Meta {
        Meta::new(
            "journal.replay",
            says::replay(),
            Shell::Ours(vec![run!["rrun", "gc", "--keep-network"]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let recovery = monitor::replay(&self.containers);
        for header in &recovery.replayed {
            self.outcome.say(format!("undone: {}", header.command));
        }
        let count = recovery.replayed.len();
        recovery
            .errors
            .into_iter()
            .for_each(|e| self.outcome.fail(e));
        let unreadable = recovery.unreadable.into_iter();
        unreadable.for_each(|e| self.outcome.fail(e));
        Ok(Done::nothing().note(format!("{count} journals"), format!("{count} 份日志")))
    }
}

/// Writes to state.json that a container has ended.
pub struct Settle(pub Subject);

impl Step for Settle {
    fn meta(&self) -> Meta {
        let Subject { containers, .. } = &self.0;
        let path = containers.dir(self.0.id()).join("state.json");
        let new = path.with_extension("json.new");
        let state = monitor::settled(containers, self.0.id());
        let text = serde_json::to_string_pretty(&state).unwrap_or_default();
        let lines = vec![
            run!["install", "-m", "600", "/dev/null", &new],
            Line::Write {
                path: (&new).into(),
                text: text.into(),
            },
            run!["mv", "--", new, path],
        ];
        Meta::new("container.settle", says::settle(), Shell::Exact(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let Subject { containers, .. } = &self.0;
        let lock = Lock::try_take(containers, self.0.id())?;
        let state = monitor::settled(containers, self.0.id());
        let (Some(_lock), Some(state)) = (lock, state) else {
            return Ok(Done::nothing().note(
                "another command has recorded its end",
                "别的命令已记下它的结束",
            ));
        };
        containers.save_state(self.0.id(), &state, true)?;
        Ok(Done::nothing())
    }
}

/// Deletes a left-over.
pub struct Sweep {
    pub path: PathBuf,
    pub says: Saying,
    pub only_if: OnlyIf,
    pub outcome: Outcome,
}

/// What must still hold when a left-over is deleted.
pub enum OnlyIf {
    Always,
    /// No command works on this directory.
    Unlocked(PathBuf),
    /// There is no such container, and no command makes it.
    Nobodys(Containers, String),
    /// The same, and its layer is still there: a command that removes a container and keeps its volumes deletes the layer
    /// before it forgets the rest.
    LayerLeft(Containers, String),
    /// The first of a name, which another container may have taken meanwhile.
    Orphan(Containers, String),
    /// There is no such container, and nobody holds its lock.
    LockFree(Containers, String),
}

impl Step for Sweep {
    fn meta(&self) -> Meta {
        let lock = match &self.only_if {
            OnlyIf::Always | OnlyIf::Nobodys(..) | OnlyIf::LayerLeft(..) | OnlyIf::Orphan(..) => {
                None
            }
            OnlyIf::Unlocked(dir) => Some(dir.clone()),
            OnlyIf::LockFree(..) => Some(self.path.join("lock")),
        };
        let mut words = words!["rm", "-rf", "--", &self.path];
        let line = match lock {
            Some(lock) => {
                words.splice(0..0, words!["flock", "-n", lock]);
                Line::Try(words)
            }
            None => Line::Run(words),
        };
        Meta::new(
            "leftover.delete",
            self.says.clone(),
            Shell::Exact(vec![line]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let busy = || Ok(Done::nothing().note("another command works on it", "别的命令正在处理它"));
        // Held while it is deleted.
        let (_alone, _lock) = match &self.only_if {
            OnlyIf::Always => (None, None),
            OnlyIf::Unlocked(dir) => match alone(dir) {
                Ok(alone) => (Some(alone), None),
                Err(_) => return busy(),
            },
            OnlyIf::Nobodys(of, id) if of.is_nobodys(id) => (None, None),
            OnlyIf::LayerLeft(of, id) if of.is_nobodys(id) && of.layer(id).exists() => (None, None),
            OnlyIf::Orphan(of, id) => {
                let name = self.path.file_name().and_then(|name| name.to_str());
                let freed = of.free_orphan(name.unwrap_or_default(), id);
                let fail = |e| StepError::new(format!("deleting {:?}", self.path), e);
                if !freed.map_err(fail)? {
                    return busy();
                }
                (None, None)
            }
            OnlyIf::LockFree(of, id) if of.is_nobodys(id) => match Lock::try_take(of, id) {
                Ok(Some(lock)) => (None, Some(lock)),
                _ => return busy(),
            },
            OnlyIf::Nobodys(..) | OnlyIf::LayerLeft(..) | OnlyIf::LockFree(..) => {
                return busy();
            }
        };
        let delete = super::Delete {
            path: self.path.clone(),
            says: self.says.clone(),
        };
        delete.delete()?;
        self.outcome.0.borrow_mut().removed += 1;
        Ok(Done::nothing())
    }
}

/// Removes the default network, if no container is in it.
pub struct RemoveNetwork {
    pub roots: Roots,
    pub outcome: Outcome,
}

impl Step for RemoveNetwork {
    fn meta(&self) -> Meta {
        let dir = rbridge::network::Dir::new(&self.roots, rbridge::network::DEFAULT);
        let dead = rbridge::network::dead_ports(&self.roots, &dir).unwrap_or_default();
        let dead = dead.into_iter();
        let mut lines: Vec<Line> = dead
            .map(|port| Line::Try(words!["rveth", "del", port.name]))
            .collect();
        if dir.list_members().is_empty() {
            if let Ok(Some(network)) = dir.read() {
                lines.push(Line::Try(words!["rbridge", "del", network.bridge]));
            }
            lines.push(run!["rm", "-rf", "--", dir.path()]);
        }
        Meta::new("network.remove", says::take_down(), Shell::Ours(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let nft = kit_net::Nft::open()?;
        let name = rbridge::network::DEFAULT;
        if rbridge::network::remove(&self.roots, &nft, name)? {
            self.outcome.say("removed: the empty network".to_owned());
            return Ok(Done::nothing());
        }
        Ok(Done::nothing().note("a container is in it", "里面有容器"))
    }
}

/// Switches forwarding off again, if a network of ours had switched it on.
pub struct ReleaseForwarding {
    pub lines: Vec<Line>,
}

impl Step for ReleaseForwarding {
    fn meta(&self) -> Meta {
        Meta::new(
            "forwarding.release",
            says::release(),
            Shell::Exact(self.lines.clone()),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        rbridge::release_unused()?;
        Ok(Done::nothing())
    }
}

/// Removes cgroups that containers have left: a limit given later has made them, and the monitor was killed.
pub struct RemoveCgroups {
    pub containers: Containers,
    pub dirs: Vec<PathBuf>,
}

impl Step for RemoveCgroups {
    fn meta(&self) -> Meta {
        let lines = self.dirs.iter().map(|dir| Line::Try(words!["rmdir", dir]));
        Meta::new(
            "cgroup.remove",
            says::left_cgroups(),
            Shell::Exact(lines.collect()),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        // Its container may have been started meanwhile.
        let is_left = |dir: &&PathBuf| box_monitor::is_left(&self.containers, dir);
        for dir in self.dirs.iter().filter(is_left) {
            let _ = std::fs::remove_dir(dir);
        }
        Ok(Done::nothing())
    }
}

/// Removes the parent cgroups of containers that have no child.
pub struct RemoveParents(pub Vec<PathBuf>);

impl Step for RemoveParents {
    fn meta(&self) -> Meta {
        let lines = self.0.iter().map(|dir| Line::Try(words!["rmdir", dir]));
        Meta::new("cgroup.tidy", says::tidy(), Shell::Exact(lines.collect()))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        for dir in &self.0 {
            // A container has been started below it meanwhile.
            let _ = std::fs::remove_dir(dir);
        }
        Ok(Done::nothing())
    }
}
