//! A whole OCI runtime configuration from flags and an image's configuration. Pure: the steps of the start look users up,
//! bind ports and make files.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{
    LinuxBuilder, LinuxNamespaceBuilder, LinuxNamespaceType, LinuxSeccomp, Mount, MountBuilder,
    PosixRlimit, PosixRlimitBuilder, ProcessBuilder, RootBuilder, Spec, SpecBuilder,
};

use super::SpecError;
use super::capabilities::{capabilities, sets};
use super::cgroup::{propagation, resources};
use super::env::{EnvChange, environment};
use super::sizes::Ulimit;
use kit_seccomp as seccomp;

const MASKED: [&str; 11] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

const READONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The size of /dev/shm, docker's.
pub const SHM_BYTES: u64 = 64 << 20;

/// The version whose fields are written: crun of Debian 12 knows none above it.
const WRITTEN_AS: &str = "1.0.2";

/// The flags of `run` and `create`, each already parsed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The program and its arguments, from [`super::command::command`]; not empty.
    pub argv: Vec<String>,
    /// `-e` and `--env-file`, in their order: a later one wins.
    pub env: Vec<EnvChange>,
    /// `-w`; empty takes the image's.
    pub workdir: String,
    /// The host name in the container's UTS namespace, also HOSTNAME in its environment: 1 to 64 bytes.
    pub hostname: String,
    /// `-t`: the program gets a terminal.
    pub tty: bool,
    /// `--read-only`: the root is mounted read-only.
    pub readonly: bool,
    /// `--privileged`: all capabilities that the kernel has, all devices, a writable /sys, no masked paths and no default filter.
    pub privileged: bool,
    /// `--cap-add`: names with or without `CAP_`, in any case, or `ALL`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`, in the same form.
    pub cap_drop: Vec<String>,
    /// `--security-opt no-new-privileges`: set-uid files and file capabilities give nothing (prctl(2),
    /// `PR_SET_NO_NEW_PRIVS`).
    pub no_new_privileges: bool,
    /// Volumes, binds and tmpfs of the user's and the image's, on top of the default mounts.
    pub mounts: Vec<Mount>,
    /// `--ulimit`, one entry a resource (setrlimit(2)).
    pub ulimits: Vec<Ulimit>,
    /// `--oom-score-adj`, -1000 to 1000 (proc(5)); `None` is docker's 0, whatever the caller has.
    pub oom_score_adj: Option<i32>,
    /// The container runs in an existing network namespace: none is made.
    pub shares_net: bool,
    /// Which system calls are allowed.
    pub seccomp: Seccomp,
    /// `-u USER[:GROUP]`, names or numbers, looked up in the container at the start; empty for root.
    pub user: String,
    /// `--init`: PID 1 reaps orphans and passes signals on.
    pub init: bool,
    /// The limits of the container's cgroup (`-m`, `--cpus`, `--pids-limit` and their kind).
    pub limits: rcgroup::Limits,
    /// The cgroup's name, relative to the root of each hierarchy.
    pub cgroup: String,
}

/// `--security-opt seccomp=…`. With `--privileged` the default is no filter, and a given profile holds (moby,
/// `daemon/seccomp_linux.go`).
#[derive(Debug, Clone, Default)]
pub enum Seccomp {
    /// Docker's default profile, for the capabilities that the container has.
    #[default]
    Default,
    /// `unconfined`: no filter.
    Unconfined,
    /// A profile of the user's, resolved for this machine and these capabilities.
    Profile(Box<LinuxSeccomp>),
}

/// What an image's configuration says of how it is run (OCI image-spec, config.md).
#[derive(Debug, Clone, Default)]
pub struct ImageDefaults {
    /// `Env`: `NAME=VALUE` entries.
    pub env: Vec<String>,
    /// `WorkingDir`; empty for `/`.
    pub workdir: String,
}

/// The configuration that config.json is written from. Its root is `rootfs`, which the engine replaces.
///
/// # Errors
/// A working directory that is not absolute, an unknown capability, a field that oci-spec refuses.
pub fn build(wanted: &Wanted, image: &ImageDefaults) -> Result<Spec, SpecError> {
    let cwd = [&wanted.workdir, &image.workdir]
        .into_iter()
        .find(|dir| !dir.is_empty());
    let cwd = cwd.cloned().unwrap_or_else(|| "/".to_owned());
    if !cwd.starts_with('/') {
        let rule =
            format!("the working directory '{cwd}' is invalid, it needs to be an absolute path");
        return Err(SpecError::Rule(rule));
    }
    let sets = sets(capabilities(wanted)?)?;
    let mut process = ProcessBuilder::default()
        .terminal(wanted.tty)
        .args(wanted.argv.clone())
        .env(environment(
            &wanted.env,
            &image.env,
            &wanted.hostname,
            wanted.tty,
        ))
        .cwd(cwd)
        .capabilities(sets)
        .no_new_privileges(wanted.no_new_privileges)
        .rlimits(rlimits(&wanted.ulimits)?)
        .build()?;
    process.set_oom_score_adj(Some(wanted.oom_score_adj.unwrap_or(0)));
    let paths = |paths: &[&str]| {
        let all = paths
            .iter()
            .map(|path| (*path).to_owned())
            .collect::<Vec<_>>();
        if wanted.privileged { Vec::new() } else { all }
    };
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces(wanted)?)
        .masked_paths(paths(&MASKED))
        .readonly_paths(paths(&READONLY))
        .build()?;
    linux.set_resources(Some(resources(wanted)));
    linux.set_rootfs_propagation(propagation(&wanted.mounts));
    if !wanted.cgroup.is_empty() {
        linux.set_cgroups_path(Some(Path::new("/").join(&wanted.cgroup)));
    }
    let user = (box_engine::user::ANNOTATION.to_owned(), wanted.user.clone());
    let mut annotations = HashMap::from([user]);
    if wanted.init {
        annotations.insert(box_engine::init::ANNOTATION.to_owned(), "true".to_owned());
    }
    match &wanted.seccomp {
        Seccomp::Unconfined => {}
        Seccomp::Default if wanted.privileged => {}
        Seccomp::Default => {
            annotations.insert(seccomp::ANNOTATION.to_owned(), seccomp::DEFAULT.to_owned());
        }
        Seccomp::Profile(profile) => {
            linux.set_seccomp(Some((**profile).clone()));
        }
    }
    let mounts = in_order(default_mounts(wanted.privileged)?, &wanted.mounts);
    let root = RootBuilder::default()
        .path("rootfs")
        .readonly(wanted.readonly)
        .build()?;
    let mut spec = SpecBuilder::default()
        .version(WRITTEN_AS)
        .root(root)
        .process(process)
        .mounts(mounts)
        .linux(linux)
        .annotations(annotations)
        .build()?;
    spec.set_hostname(Some(wanted.hostname.clone()));
    Ok(spec)
}

/// As docker orders them: a mount of the user's replaces the default one at the same place, and one at /dev replaces all
/// defaults below it. A parent is mounted before its children, in whatever order the flags came (moby,
/// `daemon/oci_linux.go`).
fn in_order(defaults: Vec<Mount>, given: &[Mount]) -> Vec<Mount> {
    let gives_way = |to: &PathBuf| {
        let mut given = given.iter().map(Mount::destination);
        given.any(|theirs| theirs == to || theirs == Path::new("/dev") && to.starts_with("/dev"))
    };
    let depth = |mount: &Mount| {
        let parts = mount.destination().components();
        parts.fold(0usize, |depth, part| match part {
            Component::Normal(_) => depth + 1,
            Component::ParentDir => depth.saturating_sub(1),
            _ => depth,
        })
    };
    let mut given = given.to_vec();
    given.sort_by_key(depth);
    let mut all = defaults;
    all.retain(|mount| !gives_way(mount.destination()));
    all.extend(given);
    all
}

fn namespaces(wanted: &Wanted) -> Result<Vec<oci_spec::runtime::LinuxNamespace>, SpecError> {
    let mut kinds = vec![
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Cgroup,
        LinuxNamespaceType::Uts,
    ];
    if !wanted.shares_net {
        kinds.push(LinuxNamespaceType::Network);
    }
    let make = |kind| Ok(LinuxNamespaceBuilder::default().typ(kind).build()?);
    kinds.into_iter().map(make).collect()
}

fn rlimits(ulimits: &[Ulimit]) -> Result<Vec<PosixRlimit>, SpecError> {
    let make = |limit: &Ulimit| {
        Ok(PosixRlimitBuilder::default()
            .typ(limit.kind)
            .soft(limit.soft)
            .hard(limit.hard)
            .build()?)
    };
    // The specification has each limit once; as with docker, the last one given holds.
    let later = |nth: usize, kind| ulimits[nth + 1..].iter().any(|other| other.kind == kind);
    let last = ulimits
        .iter()
        .enumerate()
        .filter(|(nth, limit)| !later(*nth, limit.kind));
    last.map(|(_, limit)| make(limit)).collect()
}

fn default_mounts(privileged: bool) -> Result<Vec<Mount>, SpecError> {
    const TABLE: [(&str, &str, &str, &str); 7] = [
        ("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        (
            "/dev",
            "tmpfs",
            "tmpfs",
            "nosuid,strictatime,mode=755,size=65536k",
        ),
        (
            "/dev/pts",
            "devpts",
            "devpts",
            "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        ("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
        (
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            "ro,nosuid,noexec,nodev",
        ),
        ("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        (
            "/dev/shm",
            "tmpfs",
            "shm",
            "nosuid,noexec,nodev,mode=1777,size=67108864", // SHM_BYTES
        ),
    ];
    let writable = |option: &&str| !(privileged && *option == "ro");
    TABLE
        .into_iter()
        .map(|(to, kind, source, options)| {
            let options: Vec<String> = options
                .split(',')
                .filter(writable)
                .map(str::to_owned)
                .collect();
            mount(to, kind, source, options)
        })
        .collect()
}

/// An entry of config.json's `mounts`: where to, the filesystem type, the source, and options of mount(8).
///
/// # Errors
/// [`SpecError::Build`], from oci-spec.
pub fn mount(
    to: impl Into<PathBuf>,
    kind: &str,
    source: impl Into<PathBuf>,
    options: Vec<String>,
) -> Result<Mount, SpecError> {
    let built = MountBuilder::default()
        .destination(to)
        .typ(kind)
        .source(source)
        .options(options)
        .build();
    Ok(built?)
}

/// A typical configuration, with which a monitor warms up the code of planning ([`box_monitor::Ahead::rehearsal`]).
pub fn example() -> Option<Spec> {
    let wanted = Wanted {
        argv: vec!["sh".to_owned()],
        ..Wanted::default()
    };
    build(&wanted, &ImageDefaults::default()).ok()
}
#[cfg(test)]
mod tests;
