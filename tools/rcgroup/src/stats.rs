//! `rcgroup stats` and `list`: what a cgroup uses.

use std::path::Path;

use serde::Serialize;

use crate::{CgroupError, Group, Hierarchies, Mode, member};

/// What a group uses; `None` where the host does not count it.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// The version of this form: 1.
    pub schema: u32,
    /// `cgroup`
    pub kind: &'static str,
    /// Relative to the root of each hierarchy.
    pub name: String,
    /// In use now. Here as below, `None` is what this group's controllers do not count.
    pub memory_bytes: Option<u64>,
    /// The most that it may use.
    pub memory_limit_bytes: Option<u64>,
    /// The most that it has used.
    pub memory_peak_bytes: Option<u64>,
    /// CPU time, in microseconds.
    pub cpu_usec: Option<u64>,
    /// How long it was held back by its quota, in microseconds.
    pub cpu_throttled_usec: Option<u64>,
    /// Processes and threads inside.
    pub pids_current: Option<u64>,
    /// The most that there may be.
    pub pids_limit: Option<u64>,
    /// How often the kernel killed a process of it for want of memory.
    pub oom_kills: Option<u64>,
}

/// What a group uses now.
pub fn stats(host: &Hierarchies, name: &str) -> Result<Stats, CgroupError> {
    let group = host.existing(name)?;
    Ok(if host.mode == Mode::V2 {
        v2(&group)
    } else {
        v1(&group)
    })
}

pub(crate) fn number(dir: Option<&Path>, file: &str) -> Option<u64> {
    crate::read(&dir?.join(file)).ok()?.parse().ok()
}

/// A line `key value` of a file.
fn field(dir: Option<&Path>, file: &str, key: &str) -> Option<u64> {
    let text = crate::read(&dir?.join(file)).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}

/// v1 says "no limit" by a number near 2^63.
pub(crate) fn limit(bytes: Option<u64>) -> Option<u64> {
    bytes.filter(|bytes| *bytes < 1 << 60)
}

fn v1(group: &Group) -> Stats {
    let (memory, cpu, pids) = (group.dir("memory"), group.dir("cpu"), group.dir("pids"));
    Stats {
        schema: 1,
        kind: "cgroup",
        name: group.name.clone(),
        memory_bytes: number(memory, "memory.usage_in_bytes"),
        memory_limit_bytes: limit(number(memory, "memory.limit_in_bytes")),
        memory_peak_bytes: number(memory, "memory.max_usage_in_bytes"),
        cpu_usec: number(group.dir("cpuacct"), "cpuacct.usage").map(|nanos| nanos / 1000),
        cpu_throttled_usec: field(cpu, "cpu.stat", "throttled_time").map(|nanos| nanos / 1000),
        pids_current: number(pids, "pids.current"),
        pids_limit: number(pids, "pids.max"),
        oom_kills: field(memory, "memory.oom_control", "oom_kill"),
    }
}

fn v2(group: &Group) -> Stats {
    let dir = group.dir("");
    Stats {
        schema: 1,
        kind: "cgroup",
        name: group.name.clone(),
        memory_bytes: number(dir, "memory.current"),
        memory_limit_bytes: number(dir, "memory.max"),
        memory_peak_bytes: number(dir, "memory.peak"),
        cpu_usec: field(dir, "cpu.stat", "usage_usec"),
        cpu_throttled_usec: field(dir, "cpu.stat", "throttled_usec"),
        pids_current: number(dir, "pids.current"),
        pids_limit: number(dir, "pids.max"),
        oom_kills: field(dir, "memory.events", "oom_kill"),
    }
}

/// A group in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The version of this form: 1.
    pub schema: u32,
    /// `cgroup`
    pub kind: &'static str,
    /// Relative to the root of each hierarchy.
    pub name: String,
    /// On v1; empty on v2.
    pub controllers: Vec<String>,
    /// Those inside, not those of groups below.
    pub pids: Vec<i32>,
}

/// The groups below `parent` (all of the host's for `None`), parents before children.
pub fn list(host: &Hierarchies, parent: Option<&str>) -> Result<Vec<Entry>, CgroupError> {
    if let Some(parent) = parent {
        host.existing(parent)?;
    }
    let mut names = std::collections::BTreeSet::new();
    let roots: Vec<&Path> = match (host.mode, &host.v2) {
        (Mode::V2, Some(root)) => vec![root],
        _ => host.v1.values().map(std::path::PathBuf::as_path).collect(),
    };
    for root in roots {
        walk(
            root,
            &parent.map_or_else(|| root.to_owned(), |parent| root.join(parent)),
            &mut names,
        );
    }
    let entry = |name: String| {
        let group = host.existing(&name).ok()?;
        let pids = member::pids(&group).unwrap_or_default();
        let controllers = group
            .dirs
            .keys()
            .filter(|key| !key.is_empty())
            .cloned()
            .collect();
        Some(Entry {
            schema: 1,
            kind: "cgroup",
            name,
            controllers,
            pids,
        })
    };
    Ok(names.into_iter().filter_map(entry).collect())
}

fn walk(root: &Path, dir: &Path, names: &mut std::collections::BTreeSet<String>) {
    for below in member::below(dir) {
        if let Some(name) = below.strip_prefix(root).ok().and_then(Path::to_str) {
            names.insert(name.to_owned());
        }
        walk(root, &below, names);
    }
}
