//! `rcgroup show`: a cgroup's limits, in the words of the flags that set them, and what it uses of them.

use std::path::Path;

use serde::Serialize;

use crate::stats::{Stats, limit, number, stats};
use crate::{CgroupError, Group, Hierarchies, Mode, map, read};

/// A group's limits and use; a limit is `None` where there is none, and where the host has none of its kind.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// What it uses, and the limits of memory and processes.
    #[serde(flatten)]
    pub stats: Stats,
    /// Those that count and limit it: `memory`, `cpu`.
    pub controllers: Vec<String>,
    /// Memory and swap together, in use now.
    pub memory_swap_bytes: Option<u64>,
    /// The most of both that it may use.
    pub memory_swap_limit_bytes: Option<u64>,
    /// Memory that is left alone while there is enough.
    pub memory_reservation_bytes: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Its weight beside other groups; 1024 by default.
    pub cpu_shares: Option<u64>,
    /// The CPUs that it may run on, as a list.
    pub cpuset_cpus: Option<String>,
    /// The memory nodes that it may use, as a list.
    pub cpuset_mems: Option<String>,
    /// Its weight in block I/O, for the bfq scheduler.
    pub blkio_weight: Option<u64>,
}

/// What a group may use and uses now.
pub fn show(host: &Hierarchies, name: &str) -> Result<Shown, CgroupError> {
    let stats = stats(host, name)?;
    let group = host.existing(name)?;
    Ok(if host.mode == Mode::V2 {
        v2(stats, &group)
    } else {
        v1(stats, &group)
    })
}

/// A file's text, but for an empty one.
fn text(dir: Option<&Path>, file: &str) -> Option<String> {
    read(&dir?.join(file)).ok().filter(|text| !text.is_empty())
}

/// The number of `default 100`, or of `100` alone.
fn weight(dir: Option<&Path>, file: &str) -> Option<u64> {
    text(dir, file)?
        .lines()
        .next()?
        .rsplit(' ')
        .next()?
        .parse()
        .ok()
}

fn nano_cpus(quota_usec: u64, period_usec: u64) -> Option<u64> {
    let nano = u128::from(quota_usec) * 1_000_000_000 / u128::from(period_usec.max(1));
    u64::try_from(nano).ok()
}

fn v1(stats: Stats, group: &Group) -> Shown {
    let [memory, cpu, cpuset, blkio] =
        ["memory", "cpu", "cpuset", "blkio"].map(|name| group.dir(name));
    let period = number(cpu, "cpu.cfs_period_us");
    Shown {
        stats,
        controllers: group
            .dirs
            .keys()
            .filter(|key| !key.is_empty())
            .cloned()
            .collect(),
        memory_swap_bytes: number(memory, "memory.memsw.usage_in_bytes"),
        memory_swap_limit_bytes: limit(number(memory, "memory.memsw.limit_in_bytes")),
        memory_reservation_bytes: limit(number(memory, "memory.soft_limit_in_bytes")),
        nano_cpus: number(cpu, "cpu.cfs_quota_us").and_then(|quota| nano_cpus(quota, period?)),
        cpu_shares: number(cpu, "cpu.shares"),
        cpuset_cpus: text(cpuset, "cpuset.cpus"),
        cpuset_mems: text(cpuset, "cpuset.mems"),
        blkio_weight: weight(blkio, "blkio.bfq.weight"),
    }
}

fn v2(stats: Stats, group: &Group) -> Shown {
    let dir = group.dir("");
    let both = |memory: Option<u64>, swap| Some(memory? + number(dir, swap)?);
    let max = text(dir, "cpu.max").unwrap_or_default();
    let (quota, period) = max.split_once(' ').unwrap_or_default();
    Shown {
        controllers: text(dir, "cgroup.controllers")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        memory_swap_bytes: both(stats.memory_bytes, "memory.swap.current"),
        memory_swap_limit_bytes: both(stats.memory_limit_bytes, "memory.swap.max"),
        memory_reservation_bytes: number(dir, "memory.low").filter(|bytes| *bytes > 0),
        nano_cpus: quota
            .parse()
            .ok()
            .and_then(|quota| nano_cpus(quota, period.parse().ok()?)),
        cpu_shares: number(dir, "cpu.weight").map(map::shares),
        cpuset_cpus: text(dir, "cpuset.cpus"),
        cpuset_mems: text(dir, "cpuset.mems"),
        blkio_weight: weight(dir, "io.bfq.weight"),
        stats,
    }
}
