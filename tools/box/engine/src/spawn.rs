//! The child: clone3(2) into new namespaces. It waits for "go" and then runs the child-side steps.

use std::io::Write;
use std::os::fd::AsFd;

use kit_net::NetError;
use kit_plan::{
    Context, Done, FdId, Line, Meta, ProcessId, Shell, SlotId, Slots, Step, StepError, Undo, Value,
    relay,
};
use kit_sys::calls;
use kit_sys::calls::thread::move_into_link_name_space;
use kit_sys::clone::Cloned;
use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;

use super::error::fail;
use crate::says;

/// The slot of the child's PID as the host sees it.
pub const PID: SlotId = SlotId("pid");
/// The name of the child's pidfd in the context ([`kit_plan::Context::take_fd`]).
pub const PIDFD: FdId = FdId::new("pidfd");
/// The name of the descriptor of a cgroup v2 directory, in which the child is born (clone3(2), `CLONE_INTO_CGROUP`).
pub(crate) const CGROUP_DIR: FdId = FdId::new("cgroup-dir");

/// The name of the descriptor of a network namespace that the caller made beforehand, with lo up. It is optional:
/// making one takes five times as long as the rest of clone3(2).
pub const NETNS_READY: FdId = FdId::new("netns-ready");

/// Kept in the context if [`NETNS_READY`] was used, in which lo is up: the child need not raise it.
pub(crate) struct LoIsUp;

/// While this value exists, children of this process are born in another PID namespace.
struct Pids(std::fs::File);

impl Pids {
    fn enter(other: &std::os::fd::OwnedFd) -> Result<Self, StepError> {
        let doing = "entering the container's PID namespace";
        let own = std::fs::File::open("/proc/self/ns/pid").map_err(fail(doing))?;
        let kind = Some(LinkNameSpaceType::ProcessID);
        move_into_link_name_space(other.as_fd(), kind).map_err(fail(doing))?;
        Ok(Self(own))
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        let kind = Some(LinkNameSpaceType::ProcessID);
        let _ = move_into_link_name_space(self.0.as_fd(), kind);
    }
}

/// A namespace to make: its clone flag and unshare(1)'s option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewNamespace {
    pub flag: i32,
    pub option: &'static str,
}

pub(crate) const MOUNT: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWNS,
    option: "--mount",
};
pub(crate) const UTS: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWUTS,
    option: "--uts",
};
pub(crate) const IPC: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWIPC,
    option: "--ipc",
};
pub(crate) const NET: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWNET,
    option: "--net",
};
pub(crate) const PID_NS: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWPID,
    option: "--pid",
};

pub(crate) const USER: NewNamespace = NewNamespace {
    flag: libc::CLONE_NEWUSER,
    option: "--user",
};
/// The name of the descriptor of the PID namespace that the child joins instead of having one of its own.
pub(crate) const JOIN_PID: FdId = FdId::new("join-pid");

/// The first process that this shell makes is PID 1 of the new namespace, and what it ends with is passed on: `unshare
/// --fork` of util-linux 2.38 makes an error of its own of a SIGKILL.
const FORK: &str = "trap '' INT QUIT TERM; exec 3<&0; env --default-signal=INT,QUIT,TERM \"$@\" <&3 3<&- & exec 3<&- </dev/null; wait $!";

/// The script's child joins its cgroups, then makes its cgroup namespace, since a shell cannot make one and go on. In the
/// child: the shell that waits for it is not of the container.
const JOIN: &str = "while [ \"$1\" != -- ]; do echo 0 >\"$1\" || exit 125; shift; done; shift; exec unshare --cgroup \"$@\"";

/// Clones the child into new namespaces.
pub(crate) struct Spawn {
    pub namespaces: Vec<NewNamespace>,
    /// Only for the script: the files by which the cgroups are joined.
    pub join: Vec<std::path::PathBuf>,
    /// `process.oomScoreAdj`; in the script the step of the program writes it.
    pub oom_score: Option<i32>,
}

impl Step for Spawn {
    fn meta(&self) -> Meta {
        let mut argv: Vec<Value> = ["unshare", "--propagation", "unchanged"]
            .map(Value::from)
            .to_vec();
        argv.extend(
            self.namespaces
                .iter()
                .map(|namespace| Value::from(namespace.option)),
        );
        argv.extend(["sh", "-c", FORK, "sh", "sh", "-c", JOIN, "sh"].map(Value::from));
        argv.extend(self.join.iter().map(Value::from));
        argv.push("--".into());
        let line = Line::Spawn { slot: PID, argv };
        let kinds = self.namespaces.iter().map(|namespace| namespace.option);
        let kinds: Vec<&str> = kinds.map(|option| option.trim_start_matches('-')).collect();
        Meta::new(
            "child.clone",
            says::clone(kinds.join(", ")),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Before it is done the child dies by the end of file on its go-pipe.
        vec![Undo::Kill { process: None }]
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        clone_child(cx, &self.namespaces, self.oom_score)
    }
}

/// The process that an applied plan has started, with its pidfd, for the caller to wait for.
///
/// # Errors
/// No plan was applied in this context, or its pidfd was taken already.
pub fn program(cx: &mut Context) -> Result<Cloned, StepError> {
    let pidfd = cx.take_fd(PIDFD);
    let none = || StepError::new("waiting for the program", "it was not started");
    Ok(Cloned {
        pid: cx.slot(PID)?,
        pidfd: pidfd.ok_or_else(none)?,
    })
}

/// Clones the child into new namespaces. It does the child's steps of the plan after it has got "go".
pub(super) fn clone_child(
    cx: &mut Context,
    namespaces: &[NewNamespace],
    oom_score: Option<i32>,
) -> Result<Done, StepError> {
    let (parent_end, child_end) = relay()?;
    let mut flags = namespaces
        .iter()
        .fold(0u64, |flags, namespace| flags | namespace.flag as u64);
    let ready = cx
        .take_fd(NETNS_READY)
        // It is our user namespace's, in which a container's with another has no rights.
        .filter(|_| namespaces.contains(&NET) && !namespaces.contains(&USER));
    if ready.is_some() {
        flags &= !(NET.flag as u64);
        // It was made while the client read the image, so that nobody waits for it: the child is born in it.
        calls::note(|| "unshare(CLONE_NEWNET), before the image was read".to_owned());
        cx.keep(LoIsUp);
    }
    // The parent's own end must not be open in the child, or its go-pipe would never end.
    let mut ends = Some((parent_end, child_end));
    let dir = cx.take_fd(CGROUP_DIR);
    let joined_pids = cx.take_fd(JOIN_PID);
    let cloned = {
        let body = || {
            let Some((theirs, ours)) = ends.take() else {
                return 1;
            };
            drop(theirs);
            // Nobody in the container may look into this process before it is the container's program.
            let _ = nix::sys::prctl::set_dumpable(false);
            ours.run(cx)
        };
        let dir = dir.as_ref().map(AsFd::as_fd);
        let clone = || kit_sys::clone::clone_into(flags, dir, body);
        let pids = joined_pids.as_ref().map(Pids::enter).transpose()?;
        let cloned = match &ready {
            Some(netns) => kit_net::within(netns.as_fd(), || Ok::<_, NetError>(clone()))
                .map_err(StepError::whole)?,
            None => clone(),
        };
        drop(pids);
        cloned
    };
    let cloned = cloned.map_err(not_cloned)?;
    if let Some((ours, _theirs)) = ends.take() {
        cx.child = Some(Box::new(ours));
    }
    let process = ProcessId::of(cloned.pid).map_err(fail("looking at the container's process"))?;
    cx.slots.fill(PID, cloned.pid.to_string());
    let kept = oom_score.map(|score| set_oom_score(cloned.pid, score));
    let kept = kept.transpose()?.flatten();
    cx.put_fd(PIDFD, cloned.pidfd);
    let done = Done::made(vec![Undo::Kill {
        process: Some(process),
    }]);
    Ok(scored(done, kept))
}

/// Notes a score that was kept.
fn scored(done: Done, kept: Option<i32>) -> Done {
    let Some(score) = kept else { return done };
    done.note(
        format!("OOM score {score}, as the caller's: to lower it takes CAP_SYS_RESOURCE"),
        format!("OOM 分数 {score}，同调用者：降低它需要 CAP_SYS_RESOURCE"),
    )
}

/// Sets the child's OOM score by the host's /proc, before the child does anything: what lies at /proc in the root is the
/// image's, and in a user namespace no right of ours is left. 0 is what docker writes for want of a wish; where it would
/// lower the caller's score and the caller may not, the caller's is kept and returned, as podman does without root.
fn set_oom_score(pid: i32, score: i32) -> Result<Option<i32>, StepError> {
    let path = std::path::PathBuf::from(format!("/proc/{pid}/oom_score_adj"));
    let text = score.to_string();
    let written = calls::told(
        || calls::fs::written(&path, text.as_bytes(), "O_WRONLY"),
        || {
            let file = std::fs::OpenOptions::new().write(true).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
        },
    );
    let Err(error) = written else { return Ok(None) };
    let is_refused = error.kind() == std::io::ErrorKind::PermissionDenied;
    if is_refused && score == 0 {
        let kept = std::fs::read_to_string(&path).ok();
        return Ok(kept.and_then(|text| text.trim().parse().ok()));
    }
    let error = fail(format!("setting the OOM score to {score}"))(error);
    Err(if is_refused {
        error.hint("lowering it needs CAP_SYS_RESOURCE, which we do not have here")
    } else {
        error
    })
}

fn not_cloned(errno: Errno) -> StepError {
    let error = fail("cloning the container's process")(errno);
    match errno {
        Errno::PERM => {
            error.hint("CAP_SYS_ADMIN is needed, and a kernel or sandbox that allows namespaces")
        }
        Errno::NOSPC | Errno::USERS => error.hint("too many namespaces: see /proc/sys/user"),
        _ => error,
    }
}
