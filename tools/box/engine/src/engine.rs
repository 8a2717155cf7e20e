//! A bundle becomes a plan.

use std::path::{Path, PathBuf};

use kit_plan::{Plan, Step};
use kit_seccomp::Filter;
use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};
use rcgroup::{Group, Hierarchies};

use crate::hooks::{About, Run, When};
use crate::namespaces::{has_new, has_other_ids};
use crate::rootfs::Root;
use crate::spawn::PID;
use crate::terminal::is_terminal;
use crate::{
    Bundle, EngineError, Prepared, cgroup, dev, devices, fields, hooks, idmap, in_sh, init, mask,
    mounts, names, namespaces, process, resources, rootfs, spawn, stdio, sysctl, terminal, user,
    values,
};

/// Where in the plan a step of the caller's goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the parent, before the container's process is cloned, when the namespaces that it joins are open.
    Before,
    /// In the parent, while the child mounts: the network is plugged in here.
    Meanwhile,
    /// In the child, in its namespaces, when its own mounts are made and the root is not entered yet.
    Inside,
    /// In the parent, while the program starts.
    Started,
}

/// What the program's standard streams are, if it has no terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stdio {
    /// Those of the process that applies the plan.
    #[default]
    Inherit,
    /// Output goes to FIFOs in the run directory, which outlive their reader ([`crate::Streams`]).
    Fifos {
        /// Input is a pipe whose writing end the caller gets; without it /dev/null.
        stdin: bool,
    },
}

/// A bundle to be run, with what config.json has no field for.
pub struct Engine {
    id: String,
    bundle: Bundle,
    run_dir: PathBuf,
    root: Root,
    stdio: Stdio,
    shares_cgroup: bool,
    cgroup_parent: String,
    steps: Vec<(Phase, Box<dyn Step>)>,
}

/// Directories of v1 that each container has besides those that its limits need: devices carry the rules. Memory is not
/// among them: the first pages that a new memory cgroup is charged for cost 3 ms.
const CONTROLLERS: [&str; 1] = ["devices"];

impl Engine {
    /// Container `id` of `bundle`. `run_dir` gets the mount point of the root and the FIFOs. If it is missing, the plan makes
    /// it with mode 0700 and removes it at the end.
    #[must_use]
    pub fn new(id: impl Into<String>, bundle: Bundle, run_dir: impl Into<PathBuf>) -> Self {
        Self {
            id: id.into(),
            root: Root::Dir(bundle.root()),
            bundle,
            run_dir: run_dir.into(),
            stdio: Stdio::default(),
            shares_cgroup: false,
            cgroup_parent: "boxkit".to_owned(),
            steps: Vec::new(),
        }
    }

    /// The configuration as it will be run.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.bundle.spec
    }

    /// Sets the root where it is not the directory that config.json names, such as an overlay of layers.
    #[must_use]
    pub fn root(self, root: Root) -> Self {
        Self { root, ..self }
    }

    /// Sets the standard streams of a program without a terminal; without this call they are the caller's.
    #[must_use]
    pub fn stdio(self, stdio: Stdio) -> Self {
        Self { stdio, ..self }
    }

    /// Says that `linux.cgroupsPath` is an existing cgroup of another owner: the container joins it, sets no limits and does
    /// not remove it.
    #[must_use]
    pub fn sharing_cgroup(self, shares_cgroup: bool) -> Self {
        Self {
            shares_cgroup,
            ..self
        }
    }

    /// Sets the parent of the cgroup of a bundle without `linux.cgroupsPath`: the name of the caller's instance
    /// ([`kit_plan::Roots`]), whose `rrun gc` then removes what a killed run left. Without this call it is `boxkit`. This
    /// parent stays; others that `linux.cgroupsPath` has made necessary are removed with the container's own cgroup.
    #[must_use]
    pub fn cgroup_parent(self, name: impl Into<String>) -> Self {
        let cgroup_parent = name.into();
        Self {
            cgroup_parent,
            ..self
        }
    }

    /// Adds a step of the caller's; the steps of a phase keep their order.
    #[must_use]
    pub fn step(mut self, phase: Phase, step: Box<dyn Step>) -> Self {
        self.steps.push((phase, step));
        self
    }

    /// Adds several steps of the caller's to one phase.
    #[must_use]
    pub fn steps(self, phase: Phase, steps: impl IntoIterator<Item = Box<dyn Step>>) -> Self {
        steps
            .into_iter()
            .fold(self, |engine, step| engine.step(phase, step))
    }

    /// The plan that runs the bundle. `command` is what the script and the journal call it. It reads which controllers the
    /// kernel has and changes nothing. The poststop hooks are no part of it: [`Engine::prepare`] sees to them too.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`], [`EngineError::Invalid`]: a field that is not carried out, by its name; a cgroup or a
    /// seccomp filter that cannot be made.
    pub fn plan(
        mut self,
        host: &Hierarchies,
        command: impl Into<String>,
    ) -> Result<Plan, EngineError> {
        let mut given = Given(std::mem::take(&mut self.steps));
        check(&self.bundle.spec)?;
        mounts::from_dir(&mut self.bundle);
        let (spec, about) = (&self.bundle.spec, About::of(&self.id, &self.bundle));
        let filter = Filter::of(spec)?;
        let at = root_at(&self.run_dir);
        let mut plan = Plan::new(command);
        let join = self.cloned(&mut plan, host, &mut given)?;
        plan.push(cgroup::Join::Shown {
            namespace: has_new(spec, LinuxNamespaceType::Cgroup),
        });
        push_all(&mut plan, join);
        push_option(&mut plan, namespaces::NewTime::of(spec));
        let propagation = rootfs::propagation(spec)?;
        plan.push(rootfs::SetPropagation {
            propagation,
            run_dir: self.run_dir.clone(),
        });
        plan.push(rootfs::MountRoot {
            root: self.root.clone(),
            at: at.clone(),
        });
        push_option(&mut plan, idmap::BecomeRoot::of(spec));
        inside(&mut plan, spec, &at)?;

        // The parent plugs the network in while the child mounts; and the later the better, since the namespace of a
        // container that has just ended may still be holding the kernel's one lock for all links.
        push_all(&mut plan, given.of(Phase::Meanwhile));
        if has_new(spec, LinuxNamespaceType::Network) {
            plan.push(names::RaiseLo);
        }
        push_all(&mut plan, given.of(Phase::Inside));
        for step in sysctl::steps(spec)? {
            plan.push(step);
        }
        for when in [When::Prestart, When::CreateRuntime, When::CreateContainer] {
            push_option(&mut plan, Run::of(when, spec, &about));
        }
        self.become_program(&mut plan, filter, &about)?;
        push_all(&mut plan, given.of(Phase::Started));
        push_option(&mut plan, Run::of(When::Poststart, spec, &about));
        Ok(plan)
    }

    /// The same, ready to be started in the foreground, poststop hooks included.
    ///
    /// # Errors
    /// As [`Engine::plan`].
    pub fn prepare(
        self,
        host: &Hierarchies,
        command: impl Into<String>,
    ) -> Result<Prepared, EngineError> {
        let (id, bundle) = (self.id.clone(), self.bundle.clone());
        Ok(Prepared::new(self.plan(host, command)?, id, bundle))
    }

    /// Everything up to the clone; the steps by which the child joins namespaces.
    fn cloned(
        &self,
        plan: &mut Plan,
        host: &Hierarchies,
        given: &mut Given,
    ) -> Result<Vec<Box<dyn Step>>, EngineError> {
        let spec = &self.bundle.spec;
        let (open, join) = namespaces::join_steps(spec);
        push_all(plan, open);
        // After the namespaces are open, so that a step of the caller's can check them.
        push_all(plan, given.of(Phase::Before));
        let cgroup = cgroup::name(spec, &self.cgroup_parent, &self.id)?;
        let group = if self.shares_cgroup {
            host.existing(&cgroup)?
        } else {
            new_cgroup(plan, host, spec, (&cgroup, &self.cgroup_parent))?
        };
        let join_files = cgroup::join_files(host, &group);
        plan.push(cgroup::Open {
            host: host.clone(),
            group,
        });
        plan.push(stdio::MakeStdio {
            run_dir: self.run_dir.clone(),
            makes_run_dir: !self.run_dir.exists(),
            tty: is_terminal(spec),
            stdio: self.stdio,
        });
        plan.push(spawn::Spawn {
            join: join_files,
            namespaces: namespaces::made(spec),
            oom_score: spec.process().as_ref().and_then(Process::oom_score_adj),
        });
        push_option(plan, idmap::WriteMaps::of(spec));
        Ok(join)
    }

    /// The last steps of the child: it enters the root and becomes the program.
    fn become_program(
        &self,
        plan: &mut Plan,
        filter: Option<Filter>,
        about: &About,
    ) -> Result<(), EngineError> {
        let (spec, at) = (&self.bundle.spec, root_at(&self.run_dir));
        if init::is_wanted(spec) {
            plan.push(init::Stay);
        }
        let root = spec.root().as_ref();
        plan.push(rootfs::Enter {
            at: at.clone(),
            pid: PID,
            readonly: root.and_then(oci_spec::runtime::Root::readonly) == Some(true),
            propagation: rootfs::propagation(spec)?,
        });
        let stdin = match self.stdio {
            Stdio::Inherit => true,
            Stdio::Fifos { stdin } => stdin,
        };
        let linux = spec.linux().as_ref();
        plan.push(process::Become {
            process: spec.process().clone().unwrap_or_default(),
            filter,
            user: user::asked(spec).map(str::to_owned),
            personality: linux.and_then(|linux| linux.personality().clone()),
            hooks: Run::of(When::StartContainer, spec, about),
            script: in_sh::Script { at, stdin },
            makes_cwd: true,
        });
        Ok(())
    }
}

/// The caller's steps that have not been placed yet.
struct Given(Vec<(Phase, Box<dyn Step>)>);

impl Given {
    /// Those of a phase, in their order.
    fn of(&mut self, phase: Phase) -> Vec<Box<dyn Step>> {
        let here = self.0.extract_if(.., |(of, _)| *of == phase);
        here.map(|(_, step)| step).collect()
    }
}

fn new_cgroup(
    plan: &mut Plan,
    host: &Hierarchies,
    spec: &Spec,
    (name, parent): (&str, &str),
) -> Result<Group, EngineError> {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.resources().as_ref());
    let settings = given
        .map(|given| resources::settings(host, given))
        .transpose()?;
    let settings = settings.unwrap_or_default();
    let rules = devices::step(host, name, spec)?;
    let mut wanted: Vec<&str> = Vec::new();
    if rules.is_some() {
        wanted.extend(CONTROLLERS);
    }
    wanted.extend(settings.iter().map(|setting| setting.controller));
    push_all(
        plan,
        rcgroup::create::steps_with(host, (name, parent), &wanted, settings)?,
    );
    push_all(plan, rules);
    Ok(host.group(name, &wanted))
}

/// Refuses what is known to be wrong before anything is done.
pub(crate) fn check(spec: &Spec) -> Result<(), EngineError> {
    fields::check(spec)?;
    values::check(spec)?;
    namespaces::check(spec)?;
    hooks::check(spec)?;
    mounts::check(spec.mounts().as_deref().unwrap_or_default())
}

/// Where the container's root is mounted before the child enters it: `RUN_DIR/root`.
#[must_use]
pub fn root_at(run_dir: &Path) -> PathBuf {
    run_dir.join("root")
}

/// The step of a mount that config.json does not name, such as of a file that a step of the parent's makes. It is for
/// [`Phase::Inside`]; `run_dir` is that of [`Engine::new`].
#[must_use]
pub fn mount(mount: oci_spec::runtime::Mount, run_dir: &Path) -> Box<dyn Step> {
    Box::new(mounts::MountOne {
        mount,
        at: root_at(run_dir),
    })
}

fn push_all(plan: &mut Plan, steps: impl IntoIterator<Item = Box<dyn Step>>) {
    for step in steps {
        plan.push_boxed(step);
    }
}

fn push_option(plan: &mut Plan, step: Option<impl Step + 'static>) {
    if let Some(step) = step {
        plan.push(step);
    }
}

/// The steps between the root's mount and the network's.
fn inside(plan: &mut Plan, spec: &Spec, at: &Path) -> Result<(), EngineError> {
    for mount in spec.mounts().iter().flatten() {
        plan.push(mounts::MountOne {
            mount: mounts::unescaped(mount),
            at: at.to_owned(),
        });
    }
    let given_dev = dev::is_given(spec);
    if !given_dev {
        plan.push(dev::MakeDevices {
            more: dev::nodes(spec)?,
            at: at.to_owned(),
            bound: has_other_ids(spec),
        });
    }
    if is_terminal(spec) {
        plan.push(terminal::OpenTerminal {
            size: terminal::size_of(spec),
            given_dev,
        });
    }
    let linux = spec.linux().as_ref();
    let paths = |paths: Option<&Vec<String>>| -> Vec<PathBuf> {
        paths.into_iter().flatten().map(PathBuf::from).collect()
    };
    let masked = paths(linux.and_then(|linux| linux.masked_paths().as_ref()));
    let readonly = paths(linux.and_then(|linux| linux.readonly_paths().as_ref()));
    if !(masked.is_empty() && readonly.is_empty()) {
        plan.push(mask::Mask {
            masked,
            readonly,
            at: at.to_owned(),
        });
    }
    if has_new(spec, LinuxNamespaceType::Uts) {
        push_option(plan, spec.hostname().clone().map(names::SetHostname));
        push_option(plan, spec.domainname().clone().map(names::SetDomainname));
    } else if spec.hostname().is_some() || spec.domainname().is_some() {
        let reason = "it needs the uts namespace to be the container's own";
        return Err(EngineError::invalid("hostname", reason));
    }
    Ok(())
}
