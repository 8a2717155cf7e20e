//! The six hooks of config.json: programs that are told the container's state on their standard input (runtime
//! specification, config.md "POSIX-platform Hooks", runtime.md "Lifecycle").
//!
//! | hook | where | when |
//! |---|---|---|
//! | prestart, createRuntime | the host | the mounts are made, the root is not entered |
//! | createContainer | the container's namespaces, the host's files | right after |
//! | startContainer | inside, as the program's user | just before the program |
//! | poststart | the host | the program runs |
//! | poststop | the host | the container is deleted: [`poststop`], which the deleting program calls |

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError, Value, words};
use oci_spec::runtime::{Hook, Spec};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::error::fail;
use super::spawn::PID;
use crate::{Bundle, EngineError, says};

/// Which of the six hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl When {
    const ALL: [Self; 6] = [
        Self::Prestart,
        Self::CreateRuntime,
        Self::CreateContainer,
        Self::StartContainer,
        Self::Poststart,
        Self::Poststop,
    ];

    /// As config.json has it.
    fn name(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }

    /// What the state says at that moment (runtime.md, "State").
    fn status(self) -> &'static str {
        match self {
            Self::Poststart => "running",
            Self::Poststop => "stopped",
            Self::StartContainer => "created",
            _ => "creating",
        }
    }

    fn of(self, spec: &Spec) -> &[Hook] {
        let hooks = spec.hooks().as_ref();
        #[allow(deprecated)] // by the specification; who still writes it is to have it run
        let list = hooks.and_then(|hooks| match self {
            Self::Prestart => hooks.prestart().as_deref(),
            Self::CreateRuntime => hooks.create_runtime().as_deref(),
            Self::CreateContainer => hooks.create_container().as_deref(),
            Self::StartContainer => hooks.start_container().as_deref(),
            Self::Poststart => hooks.poststart().as_deref(),
            Self::Poststop => hooks.poststop().as_deref(),
        });
        list.unwrap_or_default()
    }
}

/// What a hook is told about its container.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub id: String,
    pub bundle: PathBuf,
    version: String,
    annotations: HashMap<String, String>,
}

impl About {
    #[must_use]
    pub fn of(id: &str, bundle: &Bundle) -> Self {
        Self {
            id: id.to_owned(),
            bundle: bundle.dir.clone(),
            version: bundle.spec.version().clone(),
            annotations: bundle.spec.annotations().clone().unwrap_or_default(),
        }
    }

    /// The state of runtime.md. `pid` as its reader sees it; 0 for none.
    fn state(&self, status: &str, pid: i32) -> String {
        let mut state = serde_json::json!({
            "ociVersion": self.version,
            "id": self.id,
            "status": status,
            "bundle": self.bundle,
            "annotations": self.annotations,
        });
        if pid != 0 {
            state["pid"] = pid.into();
        }
        state.to_string()
    }
}

/// Refuses a hook that could never be run.
pub(crate) fn check(spec: &Spec) -> Result<(), EngineError> {
    for when in When::ALL {
        for hook in when.of(spec) {
            let wrong = |field: &str, reason: String| {
                Err(EngineError::invalid(
                    format!("hooks.{}.{field}", when.name()),
                    reason,
                ))
            };
            if !hook.path().is_absolute() {
                return wrong("path", format!("{:?} is not absolute", hook.path()));
            }
            let is_pair = |pair: &&String| {
                pair.split_once('=')
                    .is_some_and(|(name, _)| !name.is_empty())
            };
            if let Some(entry) = hook.env().iter().flatten().find(|pair| !is_pair(pair)) {
                return wrong("env", format!("{entry:?} is not NAME=VALUE"));
            }
            if hook.timeout().is_some_and(|seconds| seconds <= 0) {
                return wrong("timeout", "it is not above 0 seconds".to_owned());
            }
        }
    }
    Ok(())
}

/// The hooks of one moment, as a step of the parent's or the child's.
pub(crate) struct Run {
    when: When,
    hooks: Vec<Hook>,
    about: About,
}

impl Run {
    /// The step of the hooks of that moment; none where config.json has none.
    pub fn of(when: When, spec: &Spec, about: &About) -> Option<Self> {
        let hooks = when.of(spec).to_vec();
        (!hooks.is_empty()).then(|| Self {
            when,
            hooks,
            about: about.clone(),
        })
    }

    /// Runs the hooks in their order, up to the first that fails.
    pub fn run(&self, pid: i32) -> Result<(), StepError> {
        let state = self.about.state(self.when.status(), pid);
        self.hooks
            .iter()
            .try_for_each(|hook| run(self.when, hook, &state))
    }

    fn script(&self, hook: &Hook) -> Line {
        let state = self.about.state(self.when.status(), 0);
        let (script, rest) = (
            "state=$1; shift; printf %s \"$state\" | env -i \"$@\"",
            hook_words(hook),
        );
        let mut words: Vec<Value> = words!["sh", "-c", script, "sh", state];
        words.extend(rest);
        if self.when == When::Poststart {
            Line::Run(words)
        } else {
            Line::Outside(words)
        }
    }
}

fn hook_words(hook: &Hook) -> Vec<Value> {
    let mut words: Vec<Value> = hook.env().iter().flatten().map(Value::from).collect();
    words.push(hook.path().into());
    words.extend(hook.args().iter().flatten().skip(1).map(Value::from));
    words
}

impl Step for Run {
    fn meta(&self) -> Meta {
        let says = says::hooks(self.when.name(), self.hooks.len());
        let shell = match self.when {
            When::Prestart | When::CreateRuntime => {
                Shell::Exact(self.hooks.iter().map(|hook| self.script(hook)).collect())
            }
            _ => {
                Shell::None("a hook inside, or after the program's start, has no place in a script")
            }
        };
        Meta::new("hooks.run", says, shell)
    }

    fn side(&self) -> Side {
        if self.when == When::CreateContainer {
            Side::Child
        } else {
            Side::Parent
        }
    }

    /// What it looks at is made by the child.
    fn waits(&self) -> bool {
        self.side() == Side::Parent
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.run(cx.slot(PID)?)?;
        Ok(Done::nothing())
    }
}

fn run(when: When, hook: &Hook, state: &str) -> Result<(), StepError> {
    let doing = || format!("running {} hook {:?}", when.name(), hook.path());
    let mut command = Command::new(hook.path());
    let args = hook.args().clone().unwrap_or_default();
    if let Some((name, rest)) = args.split_first() {
        command.arg0(name).args(rest);
    }
    let pairs = hook
        .env()
        .iter()
        .flatten()
        .filter_map(|pair| pair.split_once('='));
    let stdin = state_file(state).map_err(fail(doing()))?;
    command.env_clear().envs(pairs).stdin(stdin);
    let Some(seconds) = hook.timeout() else {
        return came_to(command.status(), &doing());
    };
    // A group of its own, so that its children end with it.
    let mut child = command.process_group(0).spawn().map_err(fail(doing()))?;
    let limit = Duration::from_secs(seconds.unsigned_abs());
    let in_time = ends_within(&child, limit);
    if !matches!(in_time, Ok(true)) {
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        in_time.map_err(fail(doing()))?;
        let reason = format!("it took more than its timeout of {seconds} s");
        return Err(StepError::new(doing(), reason));
    }
    came_to(child.wait(), &doing())
}

/// The state in a file without a name: a hook that does not read it keeps nobody waiting, as one would at a full pipe.
fn state_file(state: &str) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("state", MemfdFlags::CLOEXEC)?);
    file.write_all(state.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn ends_within(child: &Child, limit: Duration) -> Result<bool, Errno> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(Errno::SRCH)?;
    kit_sys::clone::ends_within(pidfd_open(pid, PidfdFlags::empty())?, limit)
}

fn came_to(status: std::io::Result<ExitStatus>, doing: &str) -> Result<(), StepError> {
    let status = status.map_err(fail(doing))?;
    if status.success() {
        Ok(())
    } else {
        Err(StepError::new(doing, status.to_string()))
    }
}

/// Runs the poststop hooks; call it after the container was deleted. All are run, and the error of each that failed is
/// returned (runtime.md, "Lifecycle", step 13).
pub fn poststop(id: &str, bundle: &Bundle) -> Vec<StepError> {
    let state = About::of(id, bundle).state(When::Poststop.status(), 0);
    let hooks = When::Poststop.of(&bundle.spec).iter();
    hooks
        .filter_map(|hook| run(When::Poststop, hook, &state).err())
        .collect()
}
