//! An exec: a program in the namespaces and cgroups of a running container, as a plan. Two processes are cloned: one enters
//! the namespaces, since a process that has entered cannot come back; its child is the program, since only the children of
//! a process are in a PID namespace that it joins (setns(2)). The first waits and exits with the second's code.

mod script;
mod streams;
mod wait;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use kit_plan::{
    Context, Done, FdId, Meta, Plan, ProcessId, Shell, Side, Slots, Step, StepError, Undo,
};
use kit_seccomp::Filter;
use kit_sys::calls;
use kit_sys::calls::thread::{chdir, fchdir, move_into_link_name_space};
use oci_spec::runtime::Process;
use rcgroup::{Group, Hierarchies};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::error::fail;
use crate::idmap::become_root;
use crate::process::{Become, shown};
use crate::spawn::{clone_child, program};
use crate::terminal::{TERMINAL, TERMINAL_TO, open_master, send, slave_of};
use crate::{cgroup, in_sh, says};
use script::Script;
use streams::{NULL, Ours};

/// A program to run in a running container.
pub struct Exec {
    /// PID 1 of the container, with its start time, since the number may be another process's by now.
    pub init: ProcessId,
    /// The program, its environment, capabilities and limits, in config.json's form. `terminal` and `consoleSize` in it are
    /// not read: see `tty` and `size`.
    pub process: Process,
    /// The seccomp filter of the program; `None` for all system calls.
    pub filter: Option<Filter>,
    /// `USER[:GROUP]`, names or numbers, looked up in the container's own /etc/passwd and /etc/group, with the escapes of
    /// [`crate::user::Files::resolve`]; empty for root, `None` for the numbers of `process.user`.
    pub user: Option<String>,
    /// The host's hierarchies and the container's cgroup, which the program joins; `None` if there is no such cgroup.
    pub cgroup: Option<(Hierarchies, Group)>,
    /// The program gets a terminal of the container's devpts.
    pub tty: bool,
    /// The caller does not wait: without a terminal the standard streams are /dev/null, and the output of a terminal is
    /// thrown away.
    pub detach: bool,
    /// In the script, standard input is the caller's; without it /dev/null.
    pub stdin: bool,
    /// Rows and columns of the terminal; `None` leaves the kernel's 0.
    pub size: Option<(u16, u16)>,
}

/// The started program, and the caller's ends of its standard streams.
pub struct Running {
    /// The host's PID of the process that entered the container: the program's parent, which exits with its code.
    pub pid: i32,
    /// The pidfd of that process, readable when it has exited (pidfd_open(2)).
    pub pidfd: OwnedFd,
    /// The writing end of the program's standard input; dropping it is the end of file.
    pub stdin: Option<OwnedFd>,
    /// The reading end of the program's standard output.
    pub stdout: Option<OwnedFd>,
    /// The reading end of the program's standard error.
    pub stderr: Option<OwnedFd>,
    /// The master of the program's terminal, in place of the three.
    pub terminal: Option<OwnedFd>,
    waiter: Ours,
}

impl Running {
    /// The program that a plan of [`plan`] has started, from the context in which it was applied.
    ///
    /// # Errors
    /// The terminal's master was not received, or the plan was not applied in this context.
    pub fn of(cx: &mut Context) -> Result<Self, StepError> {
        let mut ours = cx.take::<Ours>().unwrap_or_default();
        let terminal = ours.terminal()?;
        let program = program(cx)?;
        Ok(Self {
            pid: program.pid,
            pidfd: program.pidfd,
            stdin: ours.stdin.take(),
            stdout: ours.stdout.take(),
            stderr: ours.stderr.take(),
            terminal,
            waiter: ours,
        })
    }

    /// Leaves the terminal's master to the process that waits for the program, for a caller that exits before: with no master
    /// open, the kernel would hang the terminal up.
    ///
    /// # Errors
    /// The errno of sendmsg(2).
    pub fn leave(&self, master: Option<&OwnedFd>) -> Result<(), StepError> {
        self.waiter.leave(master)
    }
}

/// The plan that starts the program. `command` is what the script and the journal call it.
#[must_use]
pub fn plan(exec: Exec, command: impl Into<String>) -> Plan {
    let mut plan = Plan::new(command);
    let cgroups = exec.cgroup.as_ref();
    let script = Script {
        pid: exec.init.pid,
        process: exec.process.clone(),
        user: exec.user.clone(),
        cgroups: cgroups.map_or_else(Vec::new, |(host, group)| cgroup::join_files(host, group)),
        detach: exec.detach,
        stdin: exec.stdin,
    };
    let pid = exec.init.pid;
    plan.push(Open { init: exec.init });
    if let Some((host, group)) = exec.cgroup {
        plan.push(cgroup::Open { host, group });
    }
    plan.push(streams::Make {
        tty: exec.tty,
        detach: exec.detach,
    });
    plan.push(CloneIt { script });
    plan.push(cgroup::Join::Only);
    plan.push(Enter { pid });
    if exec.tty {
        plan.push(OpenTerminal { size: exec.size });
    }
    plan.push(Run {
        program: Become {
            process: exec.process,
            filter: exec.filter,
            user: exec.user,
            personality: None,
            hooks: None,
            script: in_sh::Script::default(),
            makes_cwd: false,
        },
    });
    plan
}

const INIT: FdId = FdId::new("init");
const ROOT: FdId = FdId::new("init-root");
const CGROUP_NS: FdId = FdId::new("init-cgroup-ns");
const DOING: &str = "entering the container";

/// Opens the descriptors by which the container is entered, then checks that its PID 1 is still the process that was meant.
struct Open {
    init: ProcessId,
}

impl Step for Open {
    fn meta(&self) -> Meta {
        Meta::new(
            "exec.open",
            says::target(self.init.pid),
            Shell::Exact(Vec::new()),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let pid = self.init.pid;
        let target =
            Pid::from_raw(pid).ok_or_else(|| StepError::new(DOING, "it has no process"))?;
        let opened = calls::told(
            || format!("pidfd_open({pid}, 0)"),
            || pidfd_open(target, PidfdFlags::empty()),
        );
        cx.put_fd(INIT, opened.map_err(fail(DOING))?);
        for (name, path) in [(ROOT, "root"), (CGROUP_NS, "ns/cgroup")] {
            let path = format!("/proc/{pid}/{path}");
            let opened = calls::told(|| format!("open({path:?}, O_RDONLY)"), || File::open(&path));
            cx.put_fd(name, opened.map_err(fail(DOING))?.into());
        }
        // It is alive now, so the number meant this process when the files were opened.
        if !self.init.is_alive() {
            return Err(StepError::new(DOING, "it has ended"));
        }
        Ok(Done::nothing())
    }
}

/// Clones the process that enters the container.
struct CloneIt {
    script: Script,
}

impl Step for CloneIt {
    fn meta(&self) -> Meta {
        let says = says::clone_to_enter();
        Meta::new("exec.clone", says, Shell::Exact(self.script.lines()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Before it is done the child dies by the end of file on its go-pipe.
        vec![Undo::Kill { process: None }]
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        clone_child(cx, &[], self.script.process.oom_score_adj())
    }
}

/// Joins the namespaces of the container's first process, and its root. Child-side.
struct Enter {
    pid: i32,
}

impl Enter {
    /// Whether the container's first process has another namespace of this kind than ours.
    fn has_other(&self, kind: &str) -> bool {
        let link = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
        link(&self.pid.to_string()) != link("self")
    }
}

/// The flags of setns(2) by their names in C.
const SPACES: [(ThreadNameSpaceType, &str); 7] = [
    (ThreadNameSpaceType::USER, "CLONE_NEWUSER"),
    (ThreadNameSpaceType::MOUNT, "CLONE_NEWNS"),
    (
        ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME,
        "CLONE_NEWUTS",
    ),
    (
        ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION,
        "CLONE_NEWIPC",
    ),
    (ThreadNameSpaceType::NETWORK, "CLONE_NEWNET"),
    (ThreadNameSpaceType::PROCESS_ID, "CLONE_NEWPID"),
    (ThreadNameSpaceType::TIME, "CLONE_NEWTIME"),
];

/// Joins namespaces of the process that a pidfd refers to.
fn join(pidfd: BorrowedFd<'_>, spaces: ThreadNameSpaceType) -> Result<(), Errno> {
    let text = || {
        let joined = SPACES.iter().filter(|(space, _)| spaces.contains(*space));
        let names: Vec<&str> = joined.map(|(_, name)| *name).collect();
        format!("setns({}, {})", calls::fd(pidfd), names.join("|"))
    };
    calls::told(text, || move_into_thread_name_spaces(pidfd, spaces))
}

impl Step for Enter {
    fn meta(&self) -> Meta {
        // In sh it is what nsenter(1) does: see `CloneIt`.
        Meta::new(
            "namespace.enter",
            says::enter_container(),
            Shell::Exact(Vec::new()),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let (other_user, other_time) = (self.has_other("user"), self.has_other("time"));
        let cgroup = Some(LinkNameSpaceType::ControlGroup);
        move_into_link_name_space(cx.fd(CGROUP_NS)?, cgroup).map_err(fail(DOING))?;
        let mut spaces = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::PROCESS_ID;
        spaces.set(ThreadNameSpaceType::USER, other_user);
        spaces.set(ThreadNameSpaceType::TIME, other_time);
        join(cx.fd(INIT)?, spaces).map_err(fail(DOING))?;
        // The mount namespace's root is where we are now; the container's PID 1 may have another.
        fchdir(cx.fd(ROOT)?).map_err(fail(DOING))?;
        calls::told(
            || "chroot(\".\")".to_owned(),
            || rustix::process::chroot("."),
        )
        .map_err(fail(DOING))?;
        chdir("/").map_err(fail(DOING))?;
        if other_user {
            become_root()?;
            let _ = nix::sys::prctl::set_dumpable(false);
        }
        for name in [INIT, ROOT, CGROUP_NS] {
            cx.take_fd(name);
        }
        Ok(Done::nothing())
    }
}

/// A terminal of the container's own devpts. Child-side.
struct OpenTerminal {
    size: Option<(u16, u16)>,
}

impl Step for OpenTerminal {
    fn meta(&self) -> Meta {
        let none = Shell::None("a shell cannot hold the other end of a terminal");
        Meta::new("terminal.open", says::terminal_here(), none)
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        use rustix::fs::{Mode, OFlags};
        let doing = "opening a terminal";
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open("/", flags, Mode::empty()).map_err(fail(doing))?;
        let master = open_master(root.as_fd()).map_err(fail(doing))?;
        let slave = slave_of(&master, self.size).map_err(fail(doing))?;
        send(cx.fd(TERMINAL_TO)?, &master).map_err(fail("handing the terminal out"))?;
        cx.put_fd(TERMINAL, slave);
        Ok(Done::nothing())
    }
}

/// Clones the program, and waits for it. Child-side, the last: it does not return.
struct Run {
    program: Become,
}

impl Step for Run {
    fn meta(&self) -> Meta {
        let argv = self.program.process.args().clone().unwrap_or_default();
        let says = says::exec(shown(&argv.join(" ")));
        Meta::new("program.exec", says, Shell::Exact(Vec::new()))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let terminal = cx.take_fd(TERMINAL_TO);
        let null = cx.take_fd(NULL);
        let null = null.ok_or_else(|| StepError::new(DOING, "/dev/null was not opened"))?;
        let become_it = || self.program.apply(cx).map(drop);
        match wait::run(become_it, terminal.as_ref(), &null)? {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_plan::{Mark, Roots};

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_entered() {
        let instance = Roots::at("/".into(), "/".into()).instance;
        let mut init = ProcessId::of_self().unwrap();
        let opened = |init: &ProcessId| {
            let init = init.clone();
            Open { init }.apply(&mut Context::new(Mark::new(instance.clone())))
        };
        assert!(opened(&init).is_ok());
        init.start += 1;
        let error = opened(&init).err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("entering the container: it has ended")
        );
    }
}
