//! config.json's `linux.resources` as settings of a new cgroup, and as the limits of `rcgroup` and back. Pure.
//!
//! Limits that docker has a flag for go by rcgroup's table, so that `--dry-run` shows the same formula; the rest is written
//! as the kernel documents it (cgroup-v1/*.rst, cgroup-v2.rst).

mod raw;

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use rcgroup::{Hierarchies, Limits, Mode, Setting};

use crate::EngineError;
use raw::Raw;

const SWAP: &str = "memory_swap";

/// docker's period, and the kernel's default: microseconds.
const PERIOD_USEC: u64 = 100_000;
/// Billionths of a CPU in a microsecond of that period.
const NANO_PER_USEC: u64 = 1_000_000_000 / PERIOD_USEC;

/// The settings to write into a new cgroup of these resources, each with its controller, file and value.
///
/// # Errors
/// [`EngineError::Unsupported`], [`EngineError::Invalid`]: a field that has no form on this host, by its name;
/// [`EngineError::Cgroup`]: a controller that no hierarchy has.
pub fn settings(
    host: &Hierarchies,
    resources: &LinuxResources,
) -> Result<Vec<Setting>, EngineError> {
    let limits = new_limits(resources);
    let mut all = rcgroup::settings(host, &limits)?;
    // Swap is limited only where config.json says so: that it is twice the memory by default is docker's rule.
    let twice = limits
        .memory_bytes
        .and_then(|bytes| i64::try_from(bytes.checked_mul(2)?).ok());
    match limits.memory_swap_bytes {
        None => all.retain(|setting| setting.limit != SWAP),
        // By that rule: a kernel without swap accounting has no file for it, and no swap limit is then as good.
        swap if swap == twice => all
            .iter_mut()
            .filter(|setting| setting.limit == SWAP)
            .for_each(|setting| setting.optional = true),
        _ => {}
    }
    let mut more = Raw {
        v2: host.mode == Mode::V2,
        settings: Vec::new(),
    };
    if let Some(cpu) = resources.cpu() {
        more.cpu(cpu)?;
    }
    if let Some(memory) = resources.memory() {
        more.memory(memory)?;
    }
    if let Some(io) = resources.block_io() {
        more.block_io(io);
    }
    more.rest(resources)?;
    for setting in &more.settings {
        if !more.v2 && !host.v1.contains_key(setting.controller) {
            return Err(rcgroup::CgroupError::NoController {
                controller: setting.controller,
                what: setting.formula,
            }
            .into());
        }
    }
    all.extend(more.settings);
    Ok(all)
}

/// [`limits`] for a new group, which has none: 0 and -1, which mean no limit, are left out.
fn new_limits(resources: &LinuxResources) -> Limits {
    let limits = limits(resources);
    let limiting = |value: Option<u64>| value.filter(|value| !matches!(*value, 0 | u64::MAX));
    Limits {
        memory_bytes: limiting(limits.memory_bytes),
        memory_reservation_bytes: limiting(limits.memory_reservation_bytes),
        nano_cpus: limiting(limits.nano_cpus),
        pids: limiting(limits.pids),
        ..limits
    }
}

/// The limits of `linux.resources` that docker has flags for; the reverse of [`to_resources`]. Fields of config.json that
/// [`Limits`] has no place for, such as a CPU period that is not docker's 100 ms, are left out.
pub fn limits(resources: &LinuxResources) -> Limits {
    // -1 is no limit.
    let bytes = |value: Option<i64>| value.map(|value| u64::try_from(value).unwrap_or(u64::MAX));
    let memory = resources.memory().unwrap_or_default();
    let cpu = resources.cpu().clone().unwrap_or_default();
    let io = resources.block_io().as_ref();
    Limits {
        memory_bytes: bytes(memory.limit()),
        memory_swap_bytes: memory.swap(),
        memory_reservation_bytes: bytes(memory.reservation()),
        nano_cpus: nano_cpus(&cpu),
        cpu_shares: cpu.shares(),
        cpuset_cpus: cpu.cpus().clone().filter(|list| !list.is_empty()),
        cpuset_mems: cpu.mems().clone().filter(|list| !list.is_empty()),
        pids: resources
            .pids()
            .as_ref()
            .and_then(|pids| bytes(Some(pids.limit()))),
        blkio_weight: io
            .and_then(LinuxBlockIo::weight)
            .filter(|weight| *weight != 0),
    }
}

/// A quota as billionths of a CPU, if its period is docker's: `--cpus` implies that period.
fn nano_cpus(cpu: &LinuxCpu) -> Option<u64> {
    let quota = cpu.quota().filter(|_| has_dockers_period(cpu))?;
    Some(u64::try_from(quota).map_or(u64::MAX, |quota| quota.saturating_mul(NANO_PER_USEC)))
}

fn has_dockers_period(cpu: &LinuxCpu) -> bool {
    matches!(cpu.period(), None | Some(0 | PERIOD_USEC))
}

/// Limits as `linux.resources` of config.json. A memory limit without one of swap gets a total of twice as much, as from
/// docker's daemon.
#[must_use]
pub fn to_resources(limits: &Limits) -> LinuxResources {
    let bytes = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(-1));
    let mut resources = LinuxResources::default();
    let mut memory = LinuxMemory::default();
    memory.set_limit(bytes(limits.memory_bytes));
    let given = limits.memory_swap_bytes.filter(|total| *total != 0);
    let limited = limits
        .memory_bytes
        .filter(|bytes| !matches!(*bytes, 0 | u64::MAX));
    let twice = limited.map(|bytes| i64::try_from(bytes.saturating_mul(2)).unwrap_or(i64::MAX));
    memory.set_swap(given.or(twice));
    memory.set_reservation(bytes(limits.memory_reservation_bytes));
    if memory != LinuxMemory::default() {
        resources.set_memory(Some(memory));
    }
    let mut cpu = LinuxCpu::default();
    if let Some(nano) = limits.nano_cpus {
        cpu.set_quota(bytes(Some(nano / NANO_PER_USEC)));
        cpu.set_period(Some(PERIOD_USEC));
    }
    cpu.set_shares(limits.cpu_shares);
    cpu.set_cpus(limits.cpuset_cpus.clone());
    cpu.set_mems(limits.cpuset_mems.clone());
    if cpu != LinuxCpu::default() {
        resources.set_cpu(Some(cpu));
    }
    if let Some(most) = limits.pids {
        let mut pids = LinuxPids::default();
        pids.set_limit(i64::try_from(most).unwrap_or(-1));
        resources.set_pids(Some(pids));
    }
    if limits.blkio_weight.is_some() {
        let mut io = LinuxBlockIo::default();
        io.set_weight(limits.blkio_weight);
        resources.set_block_io(Some(io));
    }
    resources
}

#[cfg(test)]
mod tests;
