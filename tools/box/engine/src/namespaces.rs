//! The namespaces of config.json: which are made by clone3(2), which are joined by their path, and the clocks of a time
//! namespace. See namespaces(7), time_namespaces(7).

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, FdId, Meta, Shell, Side, Step, StepError};
use kit_sys::calls::thread::move_into_link_name_space;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType as Type, LinuxTimeOffset, Spec};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::error::fail;
use super::spawn;
use crate::{EngineError, says};

/// The names of setns(2)'s flags as config.json has them, in the order in which they are joined: the user namespace
/// first, since it gives the right to the others; the mount namespace last, since paths change with it.
const JOINED: [(Type, LinkNameSpaceType, &str, FdId); 8] = [
    (
        Type::User,
        LinkNameSpaceType::User,
        "user",
        FdId::new("join-user"),
    ),
    (
        Type::Cgroup,
        LinkNameSpaceType::ControlGroup,
        "cgroup",
        FdId::new("join-cgroup"),
    ),
    (
        Type::Ipc,
        LinkNameSpaceType::InterProcessCommunication,
        "ipc",
        FdId::new("join-ipc"),
    ),
    (
        Type::Uts,
        LinkNameSpaceType::HostNameAndNISDomainName,
        "uts",
        FdId::new("join-uts"),
    ),
    (
        Type::Network,
        LinkNameSpaceType::Network,
        "network",
        FdId::new("join-network"),
    ),
    (
        Type::Pid,
        LinkNameSpaceType::ProcessID,
        "pid",
        spawn::JOIN_PID,
    ),
    (
        Type::Time,
        LinkNameSpaceType::Time,
        "time",
        FdId::new("join-time"),
    ),
    (
        Type::Mount,
        LinkNameSpaceType::Mount,
        "mount",
        FdId::new("join-mount"),
    ),
];

fn all(spec: &Spec) -> impl Iterator<Item = &LinuxNamespace> {
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
    namespaces.into_iter().flatten()
}

/// Its path; an empty one is none, as with runc.
fn path_of(namespace: &LinuxNamespace) -> Option<&Path> {
    let path = namespace.path().as_deref();
    path.filter(|path| !path.as_os_str().is_empty())
}

/// Whether the container gets a new namespace of this kind.
pub fn has_new(spec: &Spec, kind: Type) -> bool {
    all(spec).any(|namespace| namespace.typ() == kind && path_of(namespace).is_none())
}

/// The path of the namespace of this kind that the container joins; `None` if it joins none.
pub fn joined(spec: &Spec, kind: Type) -> Option<&Path> {
    let mut all = all(spec);
    path_of(all.find(|namespace| namespace.typ() == kind)?)
}

/// Whether the container is in another user namespace than this process.
pub fn has_other_ids(spec: &Spec) -> bool {
    has_new(spec, Type::User) || joined(spec, Type::User).is_some()
}

/// Refuses combinations that cannot be made: a kind named twice, a mount namespace that is joined, clock offsets or id maps
/// without a new namespace for them.
pub fn check(spec: &Spec) -> Result<(), EngineError> {
    const FIELD: &str = "linux.namespaces";
    for (kind, _, name, _) in JOINED {
        if all(spec)
            .filter(|namespace| namespace.typ() == kind)
            .count()
            > 1
        {
            let reason = format!("it has two entries of type {name}");
            return Err(EngineError::invalid(FIELD, reason));
        }
    }
    if !has_new(spec, Type::Mount) {
        let reason =
            "a mount namespace of the container's own is needed: its root is mounted there";
        return Err(EngineError::unsupported(FIELD, reason));
    }
    let offsets = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.time_offsets().as_ref());
    if offsets.is_some_and(|offsets| !offsets.is_empty()) && !has_new(spec, Type::Time) {
        let reason = "clocks have offsets in a new time namespace only";
        return Err(EngineError::invalid("linux.timeOffsets", reason));
    }
    let maps = spec.linux().as_ref().is_some_and(|linux| {
        linux.uid_mappings().iter().flatten().next().is_some()
            || linux.gid_mappings().iter().flatten().next().is_some()
    });
    match (maps, has_new(spec, Type::User)) {
        (true, false) => Err(EngineError::invalid(
            "linux.uidMappings",
            "ids are mapped in a new user namespace only",
        )),
        (false, true) => Err(EngineError::invalid(
            FIELD,
            "a new user namespace needs linux.uidMappings and linux.gidMappings",
        )),
        _ => Ok(()),
    }
}

/// The namespaces that clone3(2) makes; the cgroup namespace is made by the step that joins the cgroups, which must come
/// first (cgroup_namespaces(7)), and the time namespace by its own, which sets its clocks.
pub fn made(spec: &Spec) -> Vec<spawn::NewNamespace> {
    let all = [
        (Type::User, spawn::USER),
        (Type::Mount, spawn::MOUNT),
        (Type::Uts, spawn::UTS),
        (Type::Ipc, spawn::IPC),
        (Type::Network, spawn::NET),
        (Type::Pid, spawn::PID_NS),
    ];
    all.into_iter()
        .filter(|(kind, _)| has_new(spec, *kind))
        .map(|(_, namespace)| namespace)
        .collect()
}

/// The steps that open what is joined, which the parent does, and that join, which the child does.
pub type Steps = (Vec<Box<dyn Step>>, Vec<Box<dyn Step>>);

pub fn join_steps(spec: &Spec) -> Steps {
    let (mut parent, mut child): Steps = (Vec::new(), Vec::new());
    for (kind, flag, what, fd) in JOINED {
        if let Some(path) = joined(spec, kind) {
            let path = path.to_owned();
            let join = Join {
                path: path.clone(),
                flag,
                what,
                fd,
            };
            parent.push(Box::new(Open { path, what, fd }));
            // A PID namespace is entered by children only (setns(2)): the step that clones goes there.
            if kind != Type::Pid {
                child.push(Box::new(join));
            }
        }
    }
    (parent, child)
}

/// Opens a namespace while its path can be reached, and checks its kind.
struct Open {
    path: PathBuf,
    what: &'static str,
    fd: FdId,
}

impl Open {
    fn open(&self) -> Result<OwnedFd, StepError> {
        let doing = || format!("opening {} namespace {:?}", self.what, self.path);
        let Some(file) = kit_sys::ns::open(&self.path).map_err(fail(doing()))? else {
            return Err(StepError::new(doing(), "it is no namespace").hint(
                "a namespace is /proc/PID/ns/…, or a bind mount of one such as /run/netns/NAME",
            ));
        };
        // setns(2) would say no more than "Invalid argument".
        match kit_sys::ns::kind(file.as_fd()).map_err(fail(doing()))? {
            kind if kind.eq_ignore_ascii_case(self.what) => Ok(file.into()),
            kind => Err(StepError::new(doing(), format!("it is a {kind} namespace"))),
        }
    }
}

impl Step for Open {
    fn meta(&self) -> Meta {
        Meta::new(
            "namespace.open",
            says::open_namespace(self.what, self.path.display()),
            Shell::Exact(Vec::new()),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let opened = self.open()?;
        cx.put_fd(self.fd, opened);
        Ok(Done::nothing())
    }
}

/// Joins a namespace that exists instead of making one. Child-side.
struct Join {
    /// Where its file is, for the script.
    path: PathBuf,
    flag: LinkNameSpaceType,
    what: &'static str,
    fd: FdId,
}

impl Step for Join {
    fn meta(&self) -> Meta {
        let none = Shell::None("a shell cannot enter a namespace and go on");
        Meta::new(
            "namespace.join",
            says::join(self.what, self.path.display()),
            none,
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let joined = move_into_link_name_space(cx.fd(self.fd)?, Some(self.flag));
        joined.map_err(fail(format!(
            "joining the {} namespace {:?}",
            self.what, self.path
        )))?;
        cx.take_fd(self.fd);
        Ok(Done::nothing())
    }
}

/// Makes a time namespace with these offsets. Child-side and early: only processes that are started afterwards are in it.
pub struct NewTime(Vec<(String, LinuxTimeOffset)>);

impl NewTime {
    /// The step; `None` for a container with the host's clocks.
    pub fn of(spec: &Spec) -> Option<Self> {
        if !has_new(spec, Type::Time) {
            return None;
        }
        let offsets = spec
            .linux()
            .as_ref()?
            .time_offsets()
            .clone()
            .unwrap_or_default();
        let mut offsets: Vec<_> = offsets.into_iter().collect();
        offsets.sort_by(|(a, _), (b, _)| a.cmp(b));
        Some(Self(offsets))
    }

    /// The text of /proc/self/timens_offsets: lines of CLOCK SECONDS NANOSECONDS (time_namespaces(7)).
    fn text(&self) -> String {
        let line = |(clock, offset): &(String, LinuxTimeOffset)| {
            let (secs, nanos) = (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
            format!("{clock} {secs} {nanos}\n")
        };
        self.0.iter().map(line).collect()
    }
}

impl Step for NewTime {
    fn meta(&self) -> Meta {
        Meta::new(
            "time.new",
            says::clocks(),
            Shell::None(
                "sh cannot enter the time namespace that it makes: unshare --time --boottime SECONDS starts another program in one",
            ),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let doing = "making a time namespace";
        kit_sys::process::unshare(UnshareFlags::NEWTIME).map_err(fail(doing))?;
        // Before any process is in it (time_namespaces(7)).
        if !self.0.is_empty() {
            let set = rcgroup::write(Path::new("/proc/self/timens_offsets"), &self.text());
            set.map_err(|error| {
                let doing = format!("setting the clocks to {:?}", self.text().trim_end());
                match error {
                    rcgroup::CgroupError::Io { source, .. }
                        if Errno::from_io_error(&source) == Some(Errno::RANGE) =>
                    {
                        StepError::new(doing, "a clock would be before the start of this machine")
                    }
                    error => fail(doing)(error),
                }
            })?;
        }
        let own = std::fs::File::open("/proc/self/ns/time_for_children").map_err(fail(doing))?;
        move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Time))
            .map_err(fail(doing))?;
        Ok(Done::nothing())
    }
}
