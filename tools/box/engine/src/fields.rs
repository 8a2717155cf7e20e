//! Every field of config.json (runtime specification 1.2.1, config.md and config-linux.md), and what becomes of it: it is
//! carried out, or a bundle that sets it is refused by its name. The table is docs/oci.md; a test holds it against the
//! types of oci-spec, so that a field of a new version cannot be passed over in silence.

use oci_spec::runtime::{Linux, LinuxResources, Process, Spec};

use crate::EngineError;

/// Whether a field of config.json is carried out.
#[derive(Clone, Copy)]
pub enum Fate {
    /// It is: how, for docs/oci.md. tests/engine/cases.rs has a case that sees it from inside.
    Done(&'static str),
    /// It is not: why, for docs/oci.md and the error, and a function that says whether a configuration asks for it.
    Refused(&'static str, fn(&Spec) -> bool),
}

/// A field of config.json.
pub struct Field {
    /// Its path, such as `linux.resources.devices.access`; elements of a list have no index.
    pub path: &'static str,
    /// What this engine does with it.
    pub fate: Fate,
}

const fn done(path: &'static str, how: &'static str) -> Field {
    Field {
        path,
        fate: Fate::Done(how),
    }
}

const fn refused(path: &'static str, why: &'static str, is_set: fn(&Spec) -> bool) -> Field {
    Field {
        path,
        fate: Fate::Refused(why, is_set),
    }
}

fn process(spec: &Spec) -> Option<&Process> {
    spec.process().as_ref()
}

fn linux(spec: &Spec) -> Option<&Linux> {
    spec.linux().as_ref()
}

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    linux(spec)?.resources().as_ref()
}

fn any_mount(spec: &Spec, has: fn(&oci_spec::runtime::Mount) -> bool) -> bool {
    spec.mounts().iter().flatten().any(has)
}

const OTHER_SYSTEM: &str = "it is for another operating system than Linux";
const MAPPED_MOUNT: &str =
    "a mount with ids of its own is not made; a user namespace maps the whole container";
const NO_CFQ: &str = "the kernel's CFQ scheduler, which had leaf weights, is gone since 5.0";

/// All fields of the specification, in config.json's order.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    done("ociVersion", "1.x is taken, another major version refused; above 1.2 a key that is in no row here is refused"),
    done("root.path", "the root, from the bundle's directory on"),
    done("root.readonly", "the root is made read-only after it is entered"),
    done("mounts.destination", "found beneath the root by descriptor, made if it is missing"),
    done("mounts.type", "fsopen(2), or open_tree(2) for a bind"),
    done("mounts.source", "the host's path for a bind, from the bundle's directory on, else the filesystem's source"),
    done("mounts.options", "in order, so that the last word holds: mount attributes and propagation by mount_setattr(2), all else to the filesystem"),
    refused("mounts.uidMappings", MAPPED_MOUNT, |spec| any_mount(spec, |mount| mount.uid_mappings().is_some())),
    refused("mounts.gidMappings", MAPPED_MOUNT, |spec| any_mount(spec, |mount| mount.gid_mappings().is_some())),
    done("process.terminal", "a terminal of the container's own devpts; its master comes by a socket"),
    done("process.consoleSize.height", "rows of the terminal, from the start"),
    done("process.consoleSize.width", "columns of the terminal, from the start"),
    done("process.user.uid", "setresuid(2)"),
    done("process.user.gid", "setresgid(2)"),
    done("process.user.umask", "umask(2); 0022 without it"),
    done("process.user.additionalGids", "setgroups(2)"),
    refused("process.user.username", OTHER_SYSTEM, |spec| process(spec).is_some_and(|p| p.user().username().is_some())),
    done("process.args", "execve(2), looked up in the PATH of process.env; `process` without it is refused"),
    refused("process.commandLine", OTHER_SYSTEM, |spec| process(spec).is_some_and(|p| p.command_line().is_some())),
    done("process.env", "the whole environment, the last of each name; HOME is added where it is missing or empty"),
    done("process.cwd", "absolute; made if it is missing, and proved to lie inside the root"),
    done("process.capabilities.bounding", "prctl(PR_CAPBSET_DROP); here as in the other sets a name that is no capability is refused, and one that the caller lacks is not given"),
    done("process.capabilities.effective", "capset(2); each must be permitted"),
    done("process.capabilities.inheritable", "capset(2); each must be in the bounding set"),
    done("process.capabilities.permitted", "capset(2)"),
    done(
        "process.capabilities.ambient",
        "prctl(PR_CAP_AMBIENT), of those that are permitted and inheritable too",
    ),
    done("process.rlimits.type", "setrlimit(2), each once"),
    done("process.rlimits.hard", "setrlimit(2)"),
    done("process.rlimits.soft", "setrlimit(2)"),
    done("process.noNewPrivileges", "prctl(PR_SET_NO_NEW_PRIVS)"),
    refused("process.apparmorProfile", "AppArmor profiles are not applied", |spec| process(spec).is_some_and(|p| p.apparmor_profile().as_ref().is_some_and(|name| !name.is_empty() && name != "unconfined"))),
    done("process.oomScoreAdj", "/proc/PID/oom_score_adj, from outside; where 0 would lower the caller's score and the caller lacks CAP_SYS_RESOURCE, the caller's is kept"),
    refused("process.selinuxLabel", "SELinux labels are not set", |spec| process(spec).is_some_and(|p| p.selinux_label().as_ref().is_some_and(|label| !label.is_empty()))),
    done("process.ioPriority.class", "ioprio_set(2)"),
    done("process.ioPriority.priority", "ioprio_set(2)"),
    done("process.scheduler.policy", "sched_setattr(2)"),
    done("process.scheduler.nice", "sched_setattr(2)"),
    done("process.scheduler.priority", "sched_setattr(2)"),
    done("process.scheduler.flags", "sched_setattr(2), by the specification's names, each once"),
    done("process.scheduler.runtime", "sched_setattr(2), in nanoseconds"),
    done("process.scheduler.deadline", "sched_setattr(2), in nanoseconds"),
    done("process.scheduler.period", "sched_setattr(2), in nanoseconds"),
    refused("process.execCPUAffinity.initial", "an exec runs on the CPUs of the container's cpuset", |spec| process(spec).is_some_and(|p| p.exec_cpu_affinity().as_ref().is_some_and(|cpus| cpus.initial().is_some()))),
    refused("process.execCPUAffinity.final", "an exec runs on the CPUs of the container's cpuset", |spec| process(spec).is_some_and(|p| p.exec_cpu_affinity().as_ref().is_some_and(|cpus| cpus.cpu_affinity_final().is_some()))),
    done("hostname", "sethostname(2), in a new UTS namespace"),
    done("domainname", "setdomainname(2), in a new UTS namespace"),
    done("hooks.prestart", "on the host, when the mounts are made, before createRuntime"),
    done("hooks.createRuntime", "on the host, when the mounts are made, before the root is entered"),
    done("hooks.createContainer", "in the container's namespaces, before the root is entered"),
    done("hooks.startContainer", "inside, as the program's user, just before the program"),
    done("hooks.poststart", "on the host, when the program runs"),
    done("hooks.poststop", "on the host, by whoever deletes the container, also after a start that failed"),
    done("hooks.path", "an absolute path"),
    done("hooks.args", "execve(2), the first being its own name"),
    done("hooks.env", "the whole environment, NAME=VALUE each"),
    done("hooks.timeout", "seconds; then its process group is killed, which is an error"),
    done("annotations", "kept; those of org.boxkit say what the specification has no word for"),
    done("linux.uidMappings.containerID", "/proc/PID/uid_map"),
    done("linux.uidMappings.hostID", "/proc/PID/uid_map"),
    done("linux.uidMappings.size", "/proc/PID/uid_map"),
    done("linux.gidMappings.containerID", "/proc/PID/gid_map"),
    done("linux.gidMappings.hostID", "/proc/PID/gid_map"),
    done("linux.gidMappings.size", "/proc/PID/gid_map"),
    done("linux.sysctl", "/proc/sys, of namespaces of the container's own"),
    done("linux.resources.devices.allow", "v1: devices.allow and devices.deny; v2: a BPF program"),
    done("linux.resources.devices.type", "the same"),
    done("linux.resources.devices.major", "the same"),
    done("linux.resources.devices.minor", "the same"),
    done("linux.resources.devices.access", "the same"),
    done("linux.resources.memory.limit", "v1: memory.limit_in_bytes; v2: memory.max"),
    done("linux.resources.memory.reservation", "v1: memory.soft_limit_in_bytes; v2: memory.low"),
    done("linux.resources.memory.swap", "v1: memory.memsw.limit_in_bytes; v2: memory.swap.max, less the memory"),
    refused("linux.resources.memory.kernel", "a limit of kernel memory alone is gone from the kernel since 5.16", |spec| resources(spec).is_some_and(|r| r.memory().as_ref().is_some_and(|m| m.kernel().is_some()))),
    done("linux.resources.memory.kernelTCP", "v1: memory.kmem.tcp.limit_in_bytes; refused on v2, which has none"),
    done("linux.resources.memory.swappiness", "v1: memory.swappiness; refused on v2, which has none"),
    done("linux.resources.memory.disableOOMKiller", "v1: memory.oom_control; refused on v2, which has none"),
    refused("linux.resources.memory.useHierarchy", "memory is always counted with the groups below: false cannot be had", |spec| resources(spec).is_some_and(|r| r.memory().as_ref().is_some_and(|m| m.use_hierarchy() == Some(false)))),
    done("linux.resources.memory.checkBeforeUpdate", "for updates: a new group has no usage to compare"),
    done("linux.resources.cpu.shares", "v1: cpu.shares; v2: cpu.weight"),
    done("linux.resources.cpu.quota", "v1: cpu.cfs_quota_us; v2: cpu.max"),
    done("linux.resources.cpu.burst", "v1: cpu.cfs_burst_us; v2: cpu.max.burst"),
    done("linux.resources.cpu.period", "v1: cpu.cfs_period_us; v2: cpu.max"),
    done("linux.resources.cpu.realtimeRuntime", "v1: cpu.rt_runtime_us; refused on v2, which has none"),
    done("linux.resources.cpu.realtimePeriod", "v1: cpu.rt_period_us; refused on v2, which has none"),
    done("linux.resources.cpu.cpus", "cpuset.cpus"),
    done("linux.resources.cpu.mems", "cpuset.mems"),
    done("linux.resources.cpu.idle", "cpu.idle"),
    done("linux.resources.pids.limit", "pids.max"),
    done("linux.resources.blockIO.weight", "v1: blkio.bfq.weight; v2: io.bfq.weight"),
    refused("linux.resources.blockIO.leafWeight", NO_CFQ, |spec| resources(spec).is_some_and(|r| r.block_io().as_ref().is_some_and(|io| io.leaf_weight().is_some()))),
    done("linux.resources.blockIO.weightDevice.major", "v1: blkio.bfq.weight_device; v2: io.bfq.weight"),
    done("linux.resources.blockIO.weightDevice.minor", "the same"),
    done("linux.resources.blockIO.weightDevice.weight", "the same"),
    refused("linux.resources.blockIO.weightDevice.leafWeight", NO_CFQ, |spec| resources(spec).is_some_and(|r| r.block_io().as_ref().is_some_and(|io| io.weight_device().iter().flatten().any(|device| device.leaf_weight().is_some())))),
    done("linux.resources.blockIO.throttleReadBpsDevice", "v1: blkio.throttle.read_bps_device; v2: io.max"),
    done("linux.resources.blockIO.throttleWriteBpsDevice", "v1: blkio.throttle.write_bps_device; v2: io.max"),
    done("linux.resources.blockIO.throttleReadIOPSDevice", "v1: blkio.throttle.read_iops_device; v2: io.max"),
    done("linux.resources.blockIO.throttleWriteIOPSDevice", "v1: blkio.throttle.write_iops_device; v2: io.max"),
    done("linux.resources.hugepageLimits.pageSize", "hugetlb.SIZE.limit_in_bytes; v2: hugetlb.SIZE.max"),
    done("linux.resources.hugepageLimits.limit", "the same"),
    done("linux.resources.network.classID", "v1: net_cls.classid; refused on v2, which has none"),
    done("linux.resources.network.priorities.name", "v1: net_prio.ifpriomap; refused on v2, which has none"),
    done("linux.resources.network.priorities.priority", "the same"),
    done("linux.resources.rdma.hcaHandles", "rdma.max"),
    done("linux.resources.rdma.hcaObjects", "rdma.max"),
    done("linux.resources.unified", "v2: the file of that name; refused on v1"),
    done("linux.cgroupsPath", "the cgroup below the root of each hierarchy, removed at the end with the groups above that it needed; systemd's slice:prefix:name is refused"),
    done("linux.namespaces.type", "clone3(2), unshare(2) for cgroup and time"),
    done("linux.namespaces.path", "setns(2), the file's kind checked; an empty path is none"),
    done("linux.devices.path", "mknod(2); in a user namespace the host's node is bound; none is made in a /dev that is a bind mount"),
    done("linux.devices.type", "the same"),
    done("linux.devices.major", "the same; a file that is there already must be this device"),
    done("linux.devices.minor", "the same"),
    done("linux.devices.fileMode", "the node's mode; 0666 without it; refused in a user namespace, as uid and gid"),
    done("linux.devices.uid", "the node's owner"),
    done("linux.devices.gid", "the node's group"),
    refused("linux.netDevices.name", "links of the host are not moved in; rveth set NAME --netns pid:N does", |spec| linux(spec).is_some_and(|l| l.net_devices().as_ref().is_some_and(|all| !all.is_empty()))),
    done("linux.seccomp.defaultAction", "compiled here, loaded by seccomp(2)"),
    done("linux.seccomp.defaultErrnoRet", "the same"),
    done("linux.seccomp.architectures", "the same"),
    done("linux.seccomp.flags", "seccomp(2)"),
    refused("linux.seccomp.listenerPath", "no listener is offered, so no system call is handed to one", |spec| linux(spec).is_some_and(|l| l.seccomp().as_ref().is_some_and(|s| s.listener_path().is_some()))),
    refused("linux.seccomp.listenerMetadata", "no listener is offered, so no system call is handed to one", |spec| linux(spec).is_some_and(|l| l.seccomp().as_ref().is_some_and(|s| s.listener_metadata().is_some()))),
    done("linux.seccomp.syscalls.names", "the same; a name that no table has is passed over, as runc does"),
    done("linux.seccomp.syscalls.action", "the same; SCMP_ACT_NOTIFY is refused"),
    done("linux.seccomp.syscalls.errnoRet", "the same"),
    done("linux.seccomp.syscalls.args.index", "the same"),
    done("linux.seccomp.syscalls.args.value", "the same"),
    done("linux.seccomp.syscalls.args.valueTwo", "the same"),
    done("linux.seccomp.syscalls.args.op", "the same"),
    done("linux.rootfsPropagation", "mount(2) on all mounts before the root's, and on the root when it is entered; private without it. A bind mount is private unless its own options say otherwise"),
    done("linux.maskedPaths", "a null device or an empty tmpfs over each"),
    done("linux.readonlyPaths", "a read-only bind of each on itself"),
    refused("linux.mountLabel", "SELinux labels are not set", |spec| linux(spec).is_some_and(|l| l.mount_label().as_ref().is_some_and(|label| !label.is_empty()))),
    refused("linux.intelRdt", "cache and memory bandwidth classes (resctrl) are not set", |spec| linux(spec).is_some_and(|l| l.intel_rdt().is_some())),
    refused("linux.memoryPolicy", "a NUMA policy is not set; linux.resources.cpu.mems limits the nodes", |spec| linux(spec).is_some_and(|l| l.memory_policy().is_some())),
    done("linux.personality.domain", "personality(2)"),
    refused("linux.personality.flags", "the specification has no flag yet", |spec| linux(spec).is_some_and(|l| l.personality().as_ref().is_some_and(|p| p.flags().iter().flatten().next().is_some()))),
    done("linux.timeOffsets.secs", "/proc/self/timens_offsets, in a new time namespace"),
    done("linux.timeOffsets.nanosecs", "the same"),
    refused("solaris", OTHER_SYSTEM, |spec| spec.solaris().is_some()),
    refused("windows", OTHER_SYSTEM, |spec| spec.windows().is_some()),
    refused("vm", "containers share this host's kernel", |spec| spec.vm().is_some()),
    refused("zos", OTHER_SYSTEM, |spec| spec.zos().is_some()),
    refused("uidMappings", "they belong under linux", |spec| spec.uid_mappings().is_some()),
    refused("gidMappings", "they belong under linux", |spec| spec.gid_mappings().is_some()),
];

/// Refuses a configuration that sets a field which is not carried out. [`crate::Bundle::open`] and [`crate::Engine::plan`]
/// call it.
///
/// # Errors
/// [`EngineError::Unsupported`] with the first such field, or for a version that is not 1.x.
pub fn check(spec: &Spec) -> Result<(), EngineError> {
    let version = spec.version();
    if version.split('.').next() != Some("1") {
        let reason = format!("it is {version:?}, and versions 1.x are understood");
        return Err(EngineError::invalid("ociVersion", reason));
    }
    for field in FIELDS {
        if let Fate::Refused(reason, is_set) = field.fate
            && is_set(spec)
        {
            return Err(EngineError::unsupported(field.path, reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
