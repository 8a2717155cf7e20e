//! The engine: an OCI runtime configuration becomes a process. It understands `config.json` and the few things
//! beside it that [`Setup`] names, and nothing of docker.
//!
//! [`plan`] is pure: the monitor applies what it returns, `--dry-run` prints it.

pub mod caps;
pub mod cgroup;
pub mod cgroupfs;
pub mod dev;
pub mod devices;
mod error;
pub mod exec;
pub mod find;
mod in_sh;
mod init;
mod mask;
mod mounts;
mod names;
mod process;
mod resolve;
mod rootfs;
mod says;
pub mod spawn;
mod stdio;
mod terminal;
pub mod user;

use std::path::PathBuf;

use kit_plan::{Plan, Step};
use oci_spec::runtime::{LinuxDeviceType, LinuxNamespaceType, Mount, Spec};

use kit_seccomp::{Filter, SeccompError};
pub use rmount::overlay::{Lowers, Overlay, OverlayOptions, Upper};
pub use rootfs::Root;
pub use spawn::{PID, PIDFD};
pub use stdio::{Fifo, Streams, fifo_path};
pub use terminal::{TERMINAL_TO, receive, resize, send};

/// What the engine is to know besides config.json.
pub struct Setup {
    pub id: String,
    pub spec: Spec,
    pub root: Root,
    /// The run directory of this container: FIFOs, the mount point of the root.
    pub run_dir: PathBuf,
    /// As given to `-u`.
    pub user: String,
    /// PID 1 is ours, and reaps.
    pub init: bool,
    pub tty: bool,
    pub open_stdin: bool,
    /// Rows and columns for the terminal.
    pub size: Option<(u16, u16)>,
    /// Files by which the script's child joins its cgroups.
    pub join: Vec<PathBuf>,
    /// What the parent does before the child is cloned (cgroups), and while it mounts (network), by step.
    pub before: Vec<Box<dyn Step>>,
    pub meanwhile: Vec<Box<dyn Step>>,
    /// What the parent's steps have made to be mounted: /etc/hosts and the like.
    pub names: Vec<Mount>,
    /// What the child does first (joining cgroups and namespaces), and last in its network namespace.
    pub child_first: Vec<Box<dyn Step>>,
    pub child_net: Vec<Box<dyn Step>>,
    /// What the parent does while the program starts.
    pub last: Vec<Box<dyn Step>>,
}

/// The plan of one run.
pub fn plan(setup: Setup, command: impl Into<String>) -> Result<Plan, SeccompError> {
    let filter = Filter::of(&setup.spec)?;
    let mut plan = Plan::new(command);
    let at = setup.run_dir.join("root");
    for step in setup.before {
        plan.push_boxed(step);
    }
    plan.push(stdio::MakeStdio {
        run_dir: setup.run_dir.clone(),
        tty: setup.tty,
        open_stdin: setup.open_stdin,
    });
    plan.push(spawn::Spawn {
        join: setup.join,
        namespaces: namespaces(&setup.spec),
    });
    for step in setup.child_first {
        plan.push_boxed(step);
    }
    plan.push(rootfs::MakePrivate);
    plan.push(rootfs::MountRoot {
        root: setup.root,
        at: at.clone(),
    });
    inside(
        &mut plan,
        &setup.spec,
        &at,
        setup.tty.then_some(terminal::OpenTerminal {
            size: setup.size,
            given_dev: has_given_dev(&setup.spec),
        }),
    );
    // The parent plugs the network in while the child mounts; and the later the better, since the namespace of a
    // container that has just ended may still be holding the kernel's one lock for all links.
    for step in setup.meanwhile {
        plan.push_boxed(step);
    }
    for mount in setup.names {
        plan.push(mounts::MountOne {
            mount,
            at: at.clone(),
        });
    }
    for step in setup.child_net {
        plan.push_boxed(step);
    }
    let readonly = setup
        .spec
        .root()
        .as_ref()
        .and_then(oci_spec::runtime::Root::readonly)
        == Some(true);
    if setup.init {
        plan.push(init::Stay);
    }
    plan.push(rootfs::Enter {
        at: at.clone(),
        pid: PID,
        readonly,
    });
    let process = setup.spec.process().clone().unwrap_or_default();
    plan.push(process::Become {
        process,
        filter,
        user: setup.user,
        script: in_sh::Script {
            at,
            stdin: setup.open_stdin,
        },
        makes_cwd: true,
    });
    for step in setup.last {
        plan.push_boxed(step);
    }
    Ok(plan)
}

/// The steps between the root's mount and the move into it.
fn inside(
    plan: &mut Plan,
    spec: &Spec,
    at: &std::path::Path,
    terminal: Option<terminal::OpenTerminal>,
) {
    for mount in spec.mounts().iter().flatten() {
        plan.push(mounts::MountOne {
            mount: mounts::unescaped(mount),
            at: at.to_owned(),
        });
    }
    if !has_given_dev(spec) {
        plan.push(dev::MakeDevices {
            more: devices(spec),
            at: at.to_owned(),
        });
    }
    if let Some(terminal) = terminal {
        plan.push(terminal);
    }
    let linux = spec.linux().clone().unwrap_or_default();
    let paths = |paths: &Option<Vec<String>>| {
        paths
            .iter()
            .flatten()
            .map(PathBuf::from)
            .collect::<Vec<_>>()
    };
    let (masked, readonly) = (paths(linux.masked_paths()), paths(linux.readonly_paths()));
    if !(masked.is_empty() && readonly.is_empty()) {
        plan.push(mask::Mask {
            masked,
            readonly,
            at: at.to_owned(),
        });
    }
    if let Some(name) = spec
        .hostname()
        .clone()
        .filter(|_| has_new(spec, LinuxNamespaceType::Uts))
    {
        plan.push(names::SetHostname(name));
    }
}

/// Whether /dev is a directory of the host's, which is taken as it is: a node made in it would stay there. As runc's.
fn has_given_dev(spec: &Spec) -> bool {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.any(|mount| mount.destination() == "/dev" && mounts::is_bind(mount))
}

fn has_new(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
    namespaces
        .into_iter()
        .flatten()
        .any(|namespace| namespace.typ() == kind && namespace.path().is_none())
}

/// The namespaces that are made anew; those with a path are joined by a step of the child's, and the cgroup
/// namespace by the step that joins the cgroups, which must come first (cgroup_namespaces(7)).
fn namespaces(spec: &Spec) -> Vec<spawn::NewNamespace> {
    let all = [
        (LinuxNamespaceType::Mount, spawn::MOUNT),
        (LinuxNamespaceType::Uts, spawn::UTS),
        (LinuxNamespaceType::Ipc, spawn::IPC),
        (LinuxNamespaceType::Network, spawn::NET),
        (LinuxNamespaceType::Pid, spawn::PID_NS),
    ];
    all.into_iter()
        .filter(|(kind, _)| has_new(spec, *kind))
        .map(|(_, namespace)| namespace)
        .collect()
}

/// Raises lo: a step of `child_net` for a new network namespace.
pub fn raise_lo() -> Box<dyn Step> {
    Box::new(names::RaiseLo)
}

fn devices(spec: &Spec) -> Vec<dev::Device> {
    let linux = spec.linux().clone().unwrap_or_default();
    let devices = linux.devices().clone().unwrap_or_default();
    let device = |device: &oci_spec::runtime::LinuxDevice| dev::Device {
        path: device.path().clone(),
        kind: match device.typ() {
            LinuxDeviceType::B => rustix::fs::FileType::BlockDevice,
            LinuxDeviceType::P => rustix::fs::FileType::Fifo,
            _ => rustix::fs::FileType::CharacterDevice,
        },
        major: device.major() as u32,
        minor: device.minor() as u32,
        mode: device.file_mode().unwrap_or(0o666),
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    };
    devices.iter().map(device).collect()
}
