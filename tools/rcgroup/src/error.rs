//! What can go wrong with a cgroup. The kernel's errno often means something else than it says.

use std::io;
use std::path::PathBuf;

use kit_plan::{FAILED, Fault, USAGE};

/// What can go wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum CgroupError {
    #[error("finding cgroups: none are mounted")]
    NotMounted,
    #[error("finding cgroups: {path:?} is a {kind}, not a cgroup filesystem")]
    NotCgroup { path: PathBuf, kind: &'static str },
    #[error("limiting {what}: no hierarchy has the {controller} controller")]
    NoController {
        controller: &'static str,
        what: &'static str,
    },
    #[error("naming cgroup {name:?}: {reason}")]
    BadName { name: String, reason: &'static str },
    #[error("creating cgroup {name:?}: it exists")]
    Exists { name: String },
    #[error("finding cgroup {name:?}: no such cgroup")]
    Unknown { name: String },
    #[error("deleting cgroup {name:?}: {}", busy(.pids, *.groups))]
    Busy {
        name: String,
        pids: Vec<i32>,
        groups: usize,
    },
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("setting {path:?} to {wanted}: the kernel kept {kept}")]
    NoEffect {
        path: PathBuf,
        wanted: String,
        kept: String,
    },
    #[error("changing cgroup {name:?}: {} is more than its {total} of memory and swap together", memory_text(*.memory))]
    AboveTotal {
        name: String,
        /// `None` for no limit.
        memory: Option<u64>,
        total: u64,
    },
    #[error("setting {path:?} to {wanted}: the group above has only {parents}")]
    BeyondParent {
        path: PathBuf,
        /// The group above, if it can have more: that of the root is the machine's.
        above: Option<PathBuf>,
        wanted: String,
        parents: String,
    },
    #[error(transparent)]
    Unit(#[from] kit_units::UnitError),
    #[error("reading {what} \"{text}\": {reason}")]
    BadValue {
        what: &'static str,
        text: String,
        reason: &'static str,
    },
}

fn busy(pids: &[i32], groups: usize) -> String {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    if pids.is_empty() {
        let s = if groups == 1 { "" } else { "s" };
        format!("it has {groups} cgroup{s} below it")
    } else if let [pid] = &pids[..] {
        format!("process {pid} is in it")
    } else {
        format!("processes {} are in it", pids.join(", "))
    }
}

fn memory_text(memory: Option<u64>) -> String {
    memory.map_or_else(
        || "no limit of memory".to_owned(),
        |bytes| format!("{bytes} bytes of memory"),
    )
}

impl Fault for CgroupError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotMounted => Some("mount -t cgroup2 cgroup2 /sys/fs/cgroup".to_owned()),
            Self::NoController { .. } => Some(
                "the kernel lacks it, or it is disabled on its command line: see /proc/cgroups"
                    .to_owned(),
            ),
            Self::AboveTotal { name, memory, .. } => {
                let (memory, total) = match memory {
                    None => ("-1".to_owned(), "-1".to_owned()),
                    Some(bytes) => (bytes.to_string(), bytes.saturating_mul(2).to_string()),
                };
                Some(format!(
                    "name both: rcgroup set {} -m {memory} --memory-swap {total}",
                    kit_plan::quote(name)
                ))
            }
            Self::BeyondParent { above: None, .. } => Some(
                "cat /sys/devices/system/cpu/online /sys/devices/system/node/online lists those of this machine".to_owned(),
            ),
            Self::BeyondParent {
                above: Some(above),
                path,
                ..
            } => Some(format!(
                "the group above bounds it: cat {} shows its own",
                kit_plan::quote(above.join(file_of(path)))
            )),
            Self::Exists { name } => {
                let name = kit_plan::quote(name);
                Some(format!(
                    "rcgroup set {name} changes it; rcgroup del {name} removes it"
                ))
            }
            Self::Unknown { .. } => Some("rcgroup list shows them".to_owned()),
            Self::Busy { name, .. } => Some(format!(
                "rcgroup del --force {} kills what is inside",
                kit_plan::quote(name)
            )),
            Self::NoEffect { path, .. } => kept_hint(file_of(path)),
            Self::Io { source, path, .. } => io_hint(source, path),
            _ => None,
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::BadValue { .. } | Self::BadName { .. } | Self::Unit(_) => USAGE,
            _ => FAILED,
        }
    }
}

impl CgroupError {
    pub(crate) fn io(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

fn file_of(path: &std::path::Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

fn kept_hint(file: &str) -> Option<String> {
    if file.starts_with("memory.") {
        Some("memory is counted in pages of 4096 bytes: ask for at least one".to_owned())
    } else {
        None
    }
}

/// What this machine has of CPUs or memory nodes: `0-3`.
fn online(file: &str) -> String {
    let what = if file == "cpuset.cpus" { "cpu" } else { "node" };
    let path = format!("/sys/devices/system/{what}/online");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // Without NUMA there is one node, and no file.
    if text.is_empty() {
        "0".to_owned()
    } else {
        text.trim_end().to_owned()
    }
}

fn io_hint(source: &io::Error, path: &std::path::Path) -> Option<String> {
    let errno = rustix::io::Errno::from_io_error(source)?;
    let file = file_of(path);
    Some(match errno {
        rustix::io::Errno::BUSY if file == "cgroup.subtree_control" || file == "cgroup.procs" => {
            "on cgroup v2 a group has processes or children with controllers, not both: move its processes to a leaf".to_owned()
        }
        rustix::io::Errno::BUSY if file.starts_with("memory.limit") => "more memory than that is in use already".to_owned(),
        rustix::io::Errno::NOENT if file == "cgroup.subtree_control" => {
            "the parent does not have that controller: see its cgroup.controllers".to_owned()
        }
        rustix::io::Errno::INVAL | rustix::io::Errno::RANGE if file.starts_with("cpuset.") => {
            format!("it is a list like 0-2,4, of what this machine has: {}", online(file))
        }
        rustix::io::Errno::INVAL if file.starts_with("memory.memsw") => {
            "memory and swap together cannot be less than memory alone".to_owned()
        }
        rustix::io::Errno::EXIST => "somebody else was first: rcgroup list shows it".to_owned(),
        rustix::io::Errno::ROFS => "cgroups are mounted read-only here: inside a container?".to_owned(),
        _ => return None,
    })
}
