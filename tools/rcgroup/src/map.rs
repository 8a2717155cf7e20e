//! Limits to kernel files: pure, for v1 and v2. `rcgroup map` prints it.

use std::borrow::Cow;

use serde::Serialize;

use crate::{CgroupError, Hierarchies, Limits, Mode, UNLIMITED};

/// The period of CPU bandwidth, as docker's: microseconds.
const PERIOD_USEC: u64 = 100_000;

/// One kernel file and what is written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Of which limit it comes: `memory`, `cpus`.
    #[serde(skip)]
    pub limit: &'static str,
    /// Whose file it is.
    pub controller: &'static str,
    /// The control file, in the group's directory.
    pub file: Cow<'static, str>,
    /// What is written to it.
    pub text: String,
    /// How the text comes from the limit.
    pub formula: &'static str,
    /// A file that some kernels lack: then it is passed over.
    pub optional: bool,
    /// The file holds this value alone, so that it can be read back: not one with a line for each device.
    #[serde(skip)]
    pub alone: bool,
}

impl Setting {
    fn new(
        limit: &'static str,
        (controller, file): (&'static str, &'static str),
        text: impl std::fmt::Display,
        formula: &'static str,
    ) -> Self {
        Self {
            limit,
            controller,
            file: Cow::Borrowed(file),
            text: text.to_string(),
            formula,
            optional: false,
            alone: true,
        }
    }

    /// A file of `controller` that docker has no word for, and what is written to it.
    pub fn raw(
        controller: &'static str,
        file: impl Into<Cow<'static, str>>,
        text: impl std::fmt::Display,
        formula: &'static str,
    ) -> Self {
        Self {
            file: file.into(),
            ..Self::new("raw", (controller, ""), text, formula)
        }
    }

    /// The same for a file with a line for each device or page size: what it reads back is not what was written.
    #[must_use]
    pub fn one_of_many(self) -> Self {
        Self {
            alone: false,
            ..self
        }
    }
}

/// What to write, in an order that the kernel takes: on v1 memory before memory and swap together.
pub fn settings(host: &Hierarchies, limits: &Limits) -> Result<Vec<Setting>, CgroupError> {
    limits.check()?;
    let settings = if host.mode == Mode::V2 {
        v2(limits)
    } else {
        v1(limits)
    };
    for setting in settings.iter().filter(|setting| !setting.optional) {
        let there = host.mode == Mode::V2 || host.v1.contains_key(setting.controller);
        if !there {
            return Err(CgroupError::NoController {
                controller: setting.controller,
                what: setting.formula,
            });
        }
    }
    Ok(settings)
}

/// A limit, and the kernel files that it becomes in either version of cgroups.
#[derive(Debug, Clone, Serialize)]
pub struct Mapped {
    /// The version of this form: 1.
    pub schema: u32,
    /// `limit`
    pub kind: &'static str,
    /// The limit: `memory`, `cpus`.
    pub name: &'static str,
    /// Which of the two this host has: `v1` or `v2`.
    pub here: &'static str,
    /// What it becomes on v1.
    pub v1: Vec<Setting>,
    /// What it becomes on v2.
    pub v2: Vec<Setting>,
}

/// What each limit becomes on v1 and on v2, side by side.
pub fn both(mode: Mode, limits: &Limits) -> Result<Vec<Mapped>, CgroupError> {
    limits.check()?;
    let here = if mode == Mode::V2 { "v2" } else { "v1" };
    let mut all: Vec<Mapped> = Vec::new();
    for setting in v1(limits) {
        match all.last_mut() {
            Some(last) if last.name == setting.limit => last.v1.push(setting),
            _ => all.push(Mapped {
                schema: 1,
                kind: "limit",
                name: setting.limit,
                here,
                v1: vec![setting],
                v2: Vec::new(),
            }),
        }
    }
    // Both lists come of the same limits, so each has its row.
    for setting in v2(limits) {
        if let Some(row) = all.iter_mut().find(|row| row.name == setting.limit) {
            row.v2.push(setting);
        }
    }
    Ok(all)
}

/// The file of the other version of cgroups that holds the same limit: `memory.limit_in_bytes` for `memory.max`.
pub fn counterpart(file: &str) -> Option<&'static str> {
    const PAIRS: [(&str, &str); 10] = [
        ("memory.limit_in_bytes", "memory.max"),
        ("memory.usage_in_bytes", "memory.current"),
        ("memory.max_usage_in_bytes", "memory.peak"),
        ("memory.memsw.limit_in_bytes", "memory.swap.max"),
        ("memory.soft_limit_in_bytes", "memory.low"),
        ("cpu.cfs_quota_us", "cpu.max"),
        ("cpu.shares", "cpu.weight"),
        ("blkio.bfq.weight", "io.bfq.weight"),
        ("memory.oom_control", "memory.events"),
        ("freezer.state", "cgroup.freeze"),
    ];
    PAIRS.iter().find_map(|(v1, v2)| match file {
        _ if file == *v1 => Some(*v2),
        _ if file == *v2 => Some(*v1),
        _ => None,
    })
}

fn quota(nano_cpus: u64, unlimited: &str) -> String {
    match nano_cpus {
        UNLIMITED => unlimited.to_owned(),
        nano => (u128::from(nano) * u128::from(PERIOD_USEC) / 1_000_000_000)
            .max(1000)
            .to_string(),
    }
}

/// The number, or the kernel's word for no limit.
fn number(value: u64, unlimited: &str) -> String {
    match value {
        UNLIMITED => unlimited.to_owned(),
        value => value.to_string(),
    }
}

/// docker's: without --memory-swap as much swap as memory. Memory and swap together; `None` for no limit.
fn memory_and_swap(limits: &Limits) -> Option<i64> {
    match (limits.memory_bytes, limits.memory_swap_bytes) {
        (_, Some(swap)) if swap != 0 => Some(swap),
        (Some(UNLIMITED), _) => Some(-1),
        (Some(memory), _) => Some(i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX)),
        _ => None,
    }
}

fn v1(limits: &Limits) -> Vec<Setting> {
    let mut all = Vec::new();
    if let Some(bytes) = limits.memory_bytes {
        all.push(Setting::new(
            "memory",
            ("memory", "memory.limit_in_bytes"),
            number(bytes, "-1"),
            "memory, in bytes",
        ));
    }
    if let Some(total) = memory_and_swap(limits) {
        // Kernels without swap accounting lack the file.
        let optional = limits.memory_swap_bytes.is_none();
        let setting = Setting::new(
            "memory_swap",
            ("memory", "memory.memsw.limit_in_bytes"),
            total,
            "memory and swap together",
        );
        all.push(Setting {
            optional,
            ..setting
        });
    }
    if let Some(bytes) = limits.memory_reservation_bytes {
        all.push(Setting::new(
            "memory_reservation",
            ("memory", "memory.soft_limit_in_bytes"),
            number(bytes, "-1"),
            "memory reservation",
        ));
    }
    if let Some(nano) = limits.nano_cpus {
        all.push(Setting::new(
            "cpus",
            ("cpu", "cpu.cfs_period_us"),
            PERIOD_USEC,
            "a period of 100 ms",
        ));
        all.push(Setting::new(
            "cpus",
            ("cpu", "cpu.cfs_quota_us"),
            quota(nano, "-1"),
            "CPUs times the period",
        ));
    }
    if let Some(shares) = limits.shares() {
        all.push(Setting::new(
            "cpu_shares",
            ("cpu", "cpu.shares"),
            shares,
            "shares as they are",
        ));
    }
    same_in_both(limits, &mut all);
    if let Some(weight) = limits.blkio_weight {
        all.push(Setting::new(
            "blkio_weight",
            ("blkio", "blkio.bfq.weight"),
            weight,
            "block I/O weight, for the bfq scheduler",
        ));
    }
    all
}

/// What v1 and v2 have under one name.
fn same_in_both(limits: &Limits, all: &mut Vec<Setting>) {
    if let Some(cpus) = &limits.cpuset_cpus {
        all.push(Setting::new(
            "cpuset_cpus",
            ("cpuset", "cpuset.cpus"),
            cpus,
            "CPUs, as a list",
        ));
    }
    if let Some(mems) = &limits.cpuset_mems {
        all.push(Setting::new(
            "cpuset_mems",
            ("cpuset", "cpuset.mems"),
            mems,
            "memory nodes, as a list",
        ));
    }
    if let Some(pids) = limits.pids {
        all.push(Setting::new(
            "pids",
            ("pids", "pids.max"),
            number(pids, "max"),
            "processes and threads",
        ));
    }
}

fn v2(limits: &Limits) -> Vec<Setting> {
    let mut all = Vec::new();
    if let Some(bytes) = limits.memory_bytes {
        all.push(Setting::new(
            "memory",
            ("memory", "memory.max"),
            number(bytes, "max"),
            "memory, in bytes",
        ));
    }
    if let Some(total) = memory_and_swap(limits) {
        let memory = limits.memory_bytes.unwrap_or(0);
        let swap = if total < 0 {
            "max".to_owned()
        } else {
            (total as u64).saturating_sub(memory).to_string()
        };
        let setting = Setting::new(
            "memory_swap",
            ("memory", "memory.swap.max"),
            swap,
            "memory-swap minus memory",
        );
        all.push(Setting {
            optional: limits.memory_swap_bytes.is_none(),
            ..setting
        });
    }
    if let Some(bytes) = limits.memory_reservation_bytes {
        all.push(Setting::new(
            "memory_reservation",
            ("memory", "memory.low"),
            // Not "max", which would protect all of it.
            if bytes == UNLIMITED { 0 } else { bytes },
            "memory reservation",
        ));
    }
    if let Some(nano) = limits.nano_cpus {
        all.push(Setting::new(
            "cpus",
            ("cpu", "cpu.max"),
            format!("{} {PERIOD_USEC}", quota(nano, "max")),
            "CPUs times a period of 100 ms",
        ));
    }
    if let Some(shares) = limits.shares() {
        all.push(Setting::new(
            "cpu_shares",
            ("cpu", "cpu.weight"),
            weight(shares),
            "shares * 100 / 1024: the ratio stays",
        ));
    }
    same_in_both(limits, &mut all);
    if let Some(weight) = limits.blkio_weight {
        all.push(Setting::new(
            "blkio_weight",
            ("io", "io.bfq.weight"),
            weight,
            "block I/O weight, for the bfq scheduler",
        ));
    }
    all
}

/// 1024 shares and weight 100 are the defaults. The OCI formula, `1 + (shares - 2) * 9999 / 262142`, makes 39 of
/// 1024, so that a container beside a default one gets less than its half.
fn weight(shares: u64) -> u64 {
    (shares * 100).div_ceil(1024).clamp(1, 10_000)
}

/// The shares that make a weight, the other way. About ten numbers make the same one, and the kernel keeps the weight alone:
/// the roundest of them is what was most likely given, else the largest.
pub(crate) fn shares(of_weight: u64) -> u64 {
    const ROUND: [u64; 6] = [256, 100, 128, 50, 64, 10];
    let largest = of_weight.saturating_mul(1024) / 100;
    let round = ROUND.map(|round| largest / round * round);
    let makes_it = |given: &u64| *given > 0 && weight(*given) == of_weight;
    round.into_iter().find(makes_it).unwrap_or(largest)
}

#[cfg(test)]
mod tests;
