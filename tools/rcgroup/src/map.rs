//! Limits to kernel files: pure, for v1 and v2. `rcgroup map` prints it.

use serde::Serialize;

use crate::{CgroupError, Hierarchies, Limits, Mode, UNLIMITED};

/// The period of CPU bandwidth, as docker's: microseconds.
const PERIOD_USEC: u64 = 100_000;

/// One kernel file and what is written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub controller: &'static str,
    pub file: &'static str,
    pub text: String,
    /// How the text comes from the limit.
    pub formula: &'static str,
    /// A file that some kernels lack: then it is passed over.
    pub optional: bool,
}

impl Setting {
    fn new(
        controller: &'static str,
        file: &'static str,
        text: impl std::fmt::Display,
        formula: &'static str,
    ) -> Self {
        Self {
            controller,
            file,
            text: text.to_string(),
            formula,
            optional: false,
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
            "memory.limit_in_bytes",
            number(bytes, "-1"),
            "memory, in bytes",
        ));
    }
    if let Some(total) = memory_and_swap(limits) {
        // Kernels without swap accounting lack the file.
        let optional = limits.memory_swap_bytes.is_none();
        let setting = Setting::new(
            "memory",
            "memory.memsw.limit_in_bytes",
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
            "memory",
            "memory.soft_limit_in_bytes",
            number(bytes, "-1"),
            "memory reservation",
        ));
    }
    if let Some(nano) = limits.nano_cpus {
        all.push(Setting::new(
            "cpu",
            "cpu.cfs_period_us",
            PERIOD_USEC,
            "a period of 100 ms",
        ));
        all.push(Setting::new(
            "cpu",
            "cpu.cfs_quota_us",
            quota(nano, "-1"),
            "CPUs times the period",
        ));
    }
    if let Some(shares) = limits.shares() {
        all.push(Setting::new(
            "cpu",
            "cpu.shares",
            shares,
            "shares as they are",
        ));
    }
    same_in_both(limits, &mut all);
    if let Some(weight) = limits.blkio_weight {
        all.push(Setting::new(
            "blkio",
            "blkio.bfq.weight",
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
            "cpuset",
            "cpuset.cpus",
            cpus,
            "CPUs, as a list",
        ));
    }
    if let Some(mems) = &limits.cpuset_mems {
        all.push(Setting::new(
            "cpuset",
            "cpuset.mems",
            mems,
            "memory nodes, as a list",
        ));
    }
    if let Some(pids) = limits.pids {
        all.push(Setting::new(
            "pids",
            "pids.max",
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
            "memory.max",
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
            "memory",
            "memory.swap.max",
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
            "memory",
            "memory.low",
            // Not "max", which would protect all of it.
            if bytes == UNLIMITED { 0 } else { bytes },
            "memory reservation",
        ));
    }
    if let Some(nano) = limits.nano_cpus {
        all.push(Setting::new(
            "cpu",
            "cpu.max",
            format!("{} {PERIOD_USEC}", quota(nano, "max")),
            "CPUs times a period of 100 ms",
        ));
    }
    if let Some(shares) = limits.shares() {
        all.push(Setting::new(
            "cpu",
            "cpu.weight",
            weight(shares),
            "shares * 100 / 1024: the ratio stays",
        ));
    }
    same_in_both(limits, &mut all);
    if let Some(weight) = limits.blkio_weight {
        all.push(Setting::new(
            "io",
            "io.bfq.weight",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn files(settings: &[Setting]) -> Vec<String> {
        settings
            .iter()
            .map(|setting| format!("{}={}", setting.file, setting.text))
            .collect()
    }

    #[test]
    fn the_same_limits_in_both_worlds() {
        let limits = Limits {
            memory_bytes: Some(200),
            memory_swap_bytes: Some(300),
            nano_cpus: Some(500_000_000),
            cpu_shares: Some(512),
            pids: Some(7),
            ..Limits::default()
        };
        assert_eq!(
            files(&v1(&limits)),
            [
                "memory.limit_in_bytes=200",
                "memory.memsw.limit_in_bytes=300",
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=50000",
                "cpu.shares=512",
                "pids.max=7"
            ]
        );
        assert_eq!(
            files(&v2(&limits)),
            [
                "memory.max=200",
                "memory.swap.max=100",
                "cpu.max=50000 100000",
                "cpu.weight=50",
                "pids.max=7"
            ]
        );
    }

    #[test]
    fn a_limit_is_lifted_by_the_kernels_word_for_it() {
        let limits = Limits {
            memory_bytes: Some(UNLIMITED),
            memory_reservation_bytes: Some(UNLIMITED),
            nano_cpus: Some(UNLIMITED),
            pids: Some(UNLIMITED),
            ..Limits::default()
        };
        assert_eq!(
            files(&v1(&limits)),
            [
                "memory.limit_in_bytes=-1",
                "memory.memsw.limit_in_bytes=-1",
                "memory.soft_limit_in_bytes=-1",
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=-1",
                "pids.max=max"
            ]
        );
        assert_eq!(
            files(&v2(&limits)),
            [
                "memory.max=max",
                "memory.swap.max=max",
                "memory.low=0",
                "cpu.max=max 100000",
                "pids.max=max"
            ]
        );
    }

    fn map(limits: &Limits) -> Result<Vec<String>, String> {
        let host = Hierarchies {
            v1: std::collections::BTreeMap::new(),
            v2: Some("/sys/fs/cgroup".into()),
            mode: Mode::V2,
        };
        let settings = settings(&host, limits).map_err(|e| e.to_string())?;
        Ok(files(&settings))
    }

    #[test]
    fn numbers_at_the_edge() {
        let huge = Limits {
            memory_bytes: Some(6 << 60),
            ..Limits::default()
        };
        assert_eq!(
            map(&huge).unwrap(),
            [
                "memory.max=6917529027641081856",
                "memory.swap.max=2305843009213693951"
            ]
        );
        let shares = |shares| {
            map(&Limits {
                cpu_shares: Some(shares),
                ..Limits::default()
            })
        };
        assert_eq!(shares(0).unwrap(), [""; 0]);
        assert_eq!(shares(262_144).unwrap(), ["cpu.weight=10000"]);
        for bad in [1, 262_145, u64::MAX] {
            assert_eq!(
                shares(bad).unwrap_err(),
                format!("reading CPU shares \"{bad}\": they are 2 to 262144")
            );
        }
    }

    #[test]
    fn swap_without_a_limit_is_said() {
        let limits = Limits {
            memory_bytes: Some(200),
            memory_swap_bytes: Some(-1),
            ..Limits::default()
        };
        assert_eq!(
            files(&v2(&limits)),
            ["memory.max=200", "memory.swap.max=max"]
        );
        assert_eq!(
            files(&v1(&limits)),
            [
                "memory.limit_in_bytes=200",
                "memory.memsw.limit_in_bytes=-1"
            ]
        );
    }
}
