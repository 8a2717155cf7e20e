//! The container's cgroup: its directories opened before the clone, joined by the child itself.

use std::os::fd::AsFd;
use std::path::PathBuf;

use kit_plan::{Context, Done, FdId, Meta, Shell, Side, Step, StepError};
use oci_spec::runtime::Spec;
use rcgroup::{Group, Hierarchies, Mode};
use rustix::thread::UnshareFlags;

use super::error::{EngineError, fail};
use super::spawn::CGROUP_DIR;
use crate::says;

/// Names of the descriptors to join by; more hierarchies than this no kernel has.
const FILES: [FdId; 14] = [
    FdId::new("cgroup-0"),
    FdId::new("cgroup-1"),
    FdId::new("cgroup-2"),
    FdId::new("cgroup-3"),
    FdId::new("cgroup-4"),
    FdId::new("cgroup-5"),
    FdId::new("cgroup-6"),
    FdId::new("cgroup-7"),
    FdId::new("cgroup-8"),
    FdId::new("cgroup-9"),
    FdId::new("cgroup-10"),
    FdId::new("cgroup-11"),
    FdId::new("cgroup-12"),
    FdId::new("cgroup-13"),
];

/// The name below the root of each hierarchy that `linux.cgroupsPath` asks for; without it `parent`/`id`.
pub fn name(spec: &Spec, parent: &str, id: &str) -> Result<String, EngineError> {
    let given = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.cgroups_path().clone());
    let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(format!("{parent}/{id}"));
    };
    let text = path.to_str().unwrap_or_default().trim_matches('/');
    if text.contains(':') {
        let reason = "systemd is not asked for a unit: give a path below the root of the hierarchy";
        return Err(EngineError::unsupported("linux.cgroupsPath", reason));
    }
    rcgroup::check_name(text)?;
    Ok(text.to_owned())
}

/// The files by which a child of the plan's joins, in the script and in exec.
pub fn join_files(host: &Hierarchies, group: &Group) -> Vec<PathBuf> {
    let file = if host.mode == Mode::V2 {
        "cgroup.procs"
    } else {
        "tasks"
    };
    group
        .unique_dirs()
        .into_iter()
        .map(|dir| dir.join(file))
        .collect()
}

/// Opens what the child joins by; on v2, the directory that it is born in.
pub struct Open {
    pub host: Hierarchies,
    pub group: Group,
}

impl Step for Open {
    fn meta(&self) -> Meta {
        Meta::new("cgroup.open", says::open(), Shell::Exact(Vec::new()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = |path: &PathBuf| format!("opening cgroup {path:?}");
        if let (Mode::V2, Some(dir)) = (self.host.mode, self.group.dir("")) {
            let flags = rustix::fs::OFlags::PATH
                | rustix::fs::OFlags::DIRECTORY
                | rustix::fs::OFlags::CLOEXEC;
            let opened = rustix::fs::open(dir, flags, rustix::fs::Mode::empty());
            cx.put_fd(CGROUP_DIR, opened.map_err(fail(doing(&dir.to_owned())))?);
            return Ok(Done::nothing());
        }
        for (name, path) in FILES.into_iter().zip(join_files(&self.host, &self.group)) {
            let file = std::fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .map_err(fail(doing(&path)))?;
            cx.put_fd(name, file.into());
        }
        Ok(Done::nothing())
    }
}

/// Whatever CPUs the caller keeps to (taskset(1)), the container's are those of its cpuset, which the kernel takes the
/// intersection with (sched_setaffinity(2)). As runc's; a sandbox that refuses it changes nothing for the worse.
pub fn any_cpu() {
    let mut all = rustix::thread::CpuSet::new();
    for cpu in 0..rustix::thread::CpuSet::MAX_CPU {
        all.set(cpu);
    }
    let _ = rustix::thread::sched_setaffinity(None, &all);
}

/// The child joins, then hides what is above: the cgroup namespace takes the group that its maker is in as its
/// root (cgroup_namespaces(7)), so this order is the only one.
pub enum Join {
    /// Of a new container: its own groups will be seen in /sys/fs/cgroup, and with `namespace` none above them.
    Shown { namespace: bool },
    /// Of an exec, whose mounts are made.
    Only,
}

impl Step for Join {
    fn meta(&self) -> Meta {
        // In sh it is what `unshare` starts: see `Spawn`.
        let says = match self {
            Self::Shown { namespace: true } => says::join_cgroup_and_hide(),
            _ => says::join_cgroup(),
        };
        Meta::new("cgroup.join", says, Shell::Exact(Vec::new()))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        for name in FILES {
            let Some(file) = cx.take_fd(name) else { break };
            // Writing "0" to a v1 `tasks` file as a single thread takes 50 us; being moved by another, or by
            // `cgroup.procs`, waits for a grace period of 11 to 15 ms.
            kit_sys::calls::told(
                || format!("write({}, \"0\")", kit_sys::calls::fd(&file)),
                || rustix::io::write(file.as_fd(), b"0"),
            )
            .map_err(fail("joining the cgroup"))?;
        }
        any_cpu();
        let Self::Shown { namespace } = self else {
            return Ok(Done::nothing());
        };
        // What the mount of /sys/fs/cgroup will show, seen from outside for the last time.
        cx.keep(super::cgroupfs::Own::read());
        if *namespace {
            let unshared = kit_sys::process::unshare(UnshareFlags::NEWCGROUP);
            unshared.map_err(fail("making a cgroup namespace"))?;
        }
        Ok(Done::nothing())
    }
}
