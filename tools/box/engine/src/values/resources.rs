//! Values of `linux.resources`, which the kernel would refuse by the path of a control file.

use std::ops::RangeInclusive;

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources, LinuxThrottleDevice, LinuxWeightDevice,
};

use super::Checked;
use super::linux::{MAJOR, MINOR};
use crate::EngineError;

/// Refuses such values.
pub fn check(resources: &LinuxResources) -> Checked {
    resources.memory().as_ref().map_or(Ok(()), memory)?;
    resources.cpu().as_ref().map_or(Ok(()), cpu)?;
    resources.block_io().as_ref().map_or(Ok(()), block_io)
}

fn invalid(field: &str, reason: String) -> Checked {
    let field = format!("linux.resources.{field}");
    Err(EngineError::invalid(field, reason))
}

/// Only -1 is no limit: another number below 0 is a slip.
fn limit(field: &str, value: Option<i64>) -> Checked {
    match value.filter(|value| *value < -1) {
        Some(value) => invalid(field, format!("{value} is below -1, which is no limit")),
        None => Ok(()),
    }
}

fn memory(memory: &LinuxMemory) -> Checked {
    for (field, value) in [
        ("memory.limit", memory.limit()),
        ("memory.reservation", memory.reservation()),
        ("memory.swap", memory.swap()),
        ("memory.kernelTCP", memory.kernel_tcp()),
    ] {
        limit(field, value)?;
    }
    match memory.swappiness().filter(|value| *value > 100) {
        Some(value) => {
            let reason = format!("{value} is not between 0 and 100");
            invalid("memory.swappiness", reason)
        }
        None => Ok(()),
    }
}

/// The least and the longest period of kernel/sched/core.c, in microseconds; 0 is none, as with runc.
const PERIOD: RangeInclusive<u64> = 1_000..=1_000_000;

fn cpu(cpu: &LinuxCpu) -> Checked {
    limit("cpu.quota", cpu.quota())?;
    limit("cpu.realtimeRuntime", cpu.realtime_runtime())?;
    let least = *PERIOD.start();
    let is_short = |quota: &i64| (1..least.cast_signed()).contains(quota);
    if let Some(quota) = cpu.quota().filter(is_short) {
        return invalid(
            "cpu.quota",
            format!("{quota} is below {least} microseconds"),
        );
    }
    let period = cpu.period().filter(|period| *period != 0);
    if let Some(period) = period.filter(|period| !PERIOD.contains(period)) {
        let reason = format!("{period} is not between {least} and {}", PERIOD.end());
        return invalid("cpu.period", reason);
    }
    match cpu.idle().filter(|idle| !(0..=1).contains(idle)) {
        Some(idle) => invalid("cpu.idle", format!("{idle} is neither 0 nor 1")),
        None => Ok(()),
    }
}

/// The range of a weight is the specification's (config-linux.md, "Block IO"). 0 for the whole group is no weight, as with runc.
fn block_io(io: &LinuxBlockIo) -> Checked {
    let of_device = |device: &LinuxWeightDevice| ("blockIO.weightDevice.weight", device.weight());
    let whole = ("blockIO.weight", io.weight().filter(|weight| *weight != 0));
    let devices = io.weight_device().iter().flatten().map(of_device);
    for (field, weight) in std::iter::once(whole).chain(devices) {
        if let Some(weight) = weight.filter(|weight| !(10..=1000).contains(weight)) {
            return invalid(field, format!("{weight} is not between 10 and 1000"));
        }
    }
    let number = |device: &LinuxThrottleDevice| (device.major(), device.minor());
    for (list, devices) in [
        ("throttleReadBpsDevice", io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", io.throttle_write_iops_device()),
    ] {
        for (major, minor) in devices.iter().flatten().map(number) {
            for (part, number, highest) in [("major", major, MAJOR), ("minor", minor, MINOR)] {
                if !(0..=highest).contains(&number) {
                    let reason = format!("{number} is not between 0 and {highest}");
                    return invalid(&format!("blockIO.{list}.{part}"), reason);
                }
            }
        }
    }
    Ok(())
}
