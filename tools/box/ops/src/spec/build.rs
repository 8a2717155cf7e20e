//! A whole OCI runtime configuration from flags and an image's configuration. Pure: users are looked up, ports
//! bound and files made by others, later.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{
    Capability, LinuxBuilder, LinuxCapabilities, LinuxCapabilitiesBuilder, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxSeccomp, Mount, MountBuilder, PosixRlimit, PosixRlimitBuilder,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder,
};

use super::SpecError;
use super::cgroup::{propagation, resources};
use super::env::{EnvChange, environment};
use super::sizes::Ulimit;
use kit_seccomp as seccomp;

/// docker's default set (moby, `oci/caps/defaults.go`).
const DEFAULT_CAPABILITIES: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::SysChroot,
    Capability::Mknod,
    Capability::AuditWrite,
    Capability::Setfcap,
];

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

/// The version whose fields are written: crun of Debian 12 knows none above it.
const WRITTEN_AS: &str = "1.0.2";

/// What the flags say, each already parsed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub argv: Vec<String>,
    pub env: Vec<EnvChange>,
    /// `-w`; empty takes the image's.
    pub workdir: String,
    pub hostname: String,
    pub tty: bool,
    pub readonly: bool,
    pub privileged: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub no_new_privileges: bool,
    /// Volumes and binds, on top of the default mounts.
    pub mounts: Vec<Mount>,
    pub ulimits: Vec<Ulimit>,
    /// `--oom-score-adj`; none leaves the caller's.
    pub oom_score_adj: Option<i32>,
    /// A network namespace is shared rather than made.
    pub shares_net: bool,
    pub seccomp: Seccomp,
    /// `-u`; empty for root.
    pub user: String,
    /// `--init`
    pub init: bool,
    /// The limits of its cgroup.
    pub limits: rcgroup::Limits,
    /// The cgroup's name below the root of each hierarchy.
    pub cgroup: String,
}

/// `--security-opt seccomp=…`.
#[derive(Debug, Clone, Default)]
pub enum Seccomp {
    #[default]
    Default,
    Unconfined,
    Profile(Box<LinuxSeccomp>),
}

/// What an image says of how it is run.
#[derive(Debug, Clone, Default)]
pub struct ImageDefaults {
    pub env: Vec<String>,
    pub workdir: String,
}

/// The configuration.
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
    process.set_oom_score_adj(wanted.oom_score_adj);
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
    let mut annotations = HashMap::new();
    if !wanted.user.is_empty() {
        annotations.insert(box_engine::user::ANNOTATION.to_owned(), wanted.user.clone());
    }
    if wanted.init {
        annotations.insert(box_engine::init::ANNOTATION.to_owned(), "true".to_owned());
    }
    match &wanted.seccomp {
        _ if wanted.privileged => {}
        Seccomp::Unconfined => {}
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
    ulimits.iter().map(make).collect()
}

/// The default set with `--cap-add` and `--cap-drop`; either may be `ALL`. An added capability wins over `--cap-drop ALL`.
pub fn capabilities(wanted: &Wanted) -> Result<HashSet<Capability>, SpecError> {
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let mut caps: HashSet<Capability> = if wanted.privileged || wanted.cap_add.iter().any(is_all) {
        all_capabilities()
    } else if wanted.cap_drop.iter().any(is_all) {
        HashSet::new()
    } else {
        DEFAULT_CAPABILITIES.into_iter().collect()
    };
    for name in wanted.cap_drop.iter().filter(|name| !is_all(name)) {
        caps.remove(&capability(name)?);
    }
    for name in wanted.cap_add.iter().filter(|name| !is_all(name)) {
        caps.insert(capability(name)?);
    }
    Ok(caps)
}

fn sets(caps: HashSet<Capability>) -> Result<LinuxCapabilities, SpecError> {
    Ok(LinuxCapabilitiesBuilder::default()
        .bounding(caps.clone())
        .effective(caps.clone())
        .permitted(caps)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?)
}

/// Those of `--privileged`.
pub fn all_sets() -> Result<LinuxCapabilities, SpecError> {
    sets(all_capabilities())
}

/// `NET_ADMIN`, `CAP_NET_ADMIN`, in any case.
fn capability(name: &str) -> Result<Capability, SpecError> {
    let upper = name.to_ascii_uppercase();
    let upper = if upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    };
    let parsed = upper.parse::<caps::Capability>().ok();
    let known = parsed.and_then(|_| {
        all_capabilities()
            .into_iter()
            .find(|cap| with_prefix(*cap) == upper)
    });
    known.ok_or_else(|| SpecError::Rule(format!("unknown capability: \"{name}\"")))
}

fn with_prefix(cap: Capability) -> String {
    let name = cap.to_string();
    if name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    }
}

/// Those that this kernel has.
fn all_capabilities() -> HashSet<Capability> {
    let known = caps::runtime::thread_all_supported();
    known
        .into_iter()
        .filter_map(|cap| {
            let name = cap.to_string();
            serde_json::from_value(serde_json::Value::String(name)).ok()
        })
        .collect()
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
            "nosuid,noexec,nodev,mode=1777,size=67108864",
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

/// One entry of `mounts`.
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

/// A typical configuration, with which a monitor rehearses the planning.
pub fn example() -> Option<Spec> {
    let wanted = Wanted {
        argv: vec!["sh".to_owned()],
        ..Wanted::default()
    };
    build(&wanted, &ImageDefaults::default()).ok()
}
#[cfg(test)]
mod tests;
