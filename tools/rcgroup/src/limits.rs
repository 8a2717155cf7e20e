//! Limits, in docker's words.

use serde::{Deserialize, Serialize};

use kit_units::CpuList;

use crate::CgroupError;

/// A limit that was there is lifted: for memory, reservation, CPUs and processes.
pub const UNLIMITED: u64 = u64::MAX;

/// The most that `pids.max` takes: `PID_MAX_LIMIT` of a 64-bit kernel.
const MOST_PIDS: u64 = 4_194_304;
const TOO_MANY_PIDS: &str = "the kernel counts no more than 4194304; -1 is no limit";

/// `None` leaves what there is, which on a new group is no limit. Of a new group a 0 is the same, as in docker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The most memory.
    pub memory_bytes: Option<u64>,
    /// Memory and swap together; -1 for no limit.
    pub memory_swap_bytes: Option<i64>,
    /// What is left alone while the host has enough.
    pub memory_reservation_bytes: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// A weight, 2 to 262144, 1024 by default; 0 says nothing, as docker's.
    pub cpu_shares: Option<u64>,
    /// CPUs to run on: `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes to take from: `0-1`.
    pub cpuset_mems: Option<String>,
    /// The most processes and threads.
    pub pids: Option<u64>,
    /// A weight, 10 to 1000.
    pub blkio_weight: Option<u16>,
}

const NO_MEMORY_LIMIT: &str = "memory has no limit, so memory and swap together cannot have one";
const LESS_THAN_MEMORY: &str = "the limit of memory alone is larger";

impl Limits {
    /// What no kernel takes, or takes otherwise than it is meant.
    pub(crate) fn check(&self) -> Result<(), CgroupError> {
        let wrong = |what, number: &dyn ToString, reason| {
            Err(CgroupError::BadValue {
                what,
                text: number.to_string(),
                reason,
            })
        };
        if let Some(total) = self.memory_swap_bytes.and_then(|n| u64::try_from(n).ok()) {
            let what = "memory and swap";
            match self.memory_bytes {
                _ if total == 0 => {}
                None | Some(0 | UNLIMITED) => {
                    return wrong(what, &total, NO_MEMORY_LIMIT);
                }
                Some(memory) if total < memory => {
                    return wrong(what, &total, LESS_THAN_MEMORY);
                }
                Some(_) => {}
            }
        }
        if let Some(pids) = self.pids.filter(|pids| *pids != UNLIMITED)
            && pids > MOST_PIDS
        {
            return wrong("number of processes", &pids, TOO_MANY_PIDS);
        }
        for (what, list) in [
            ("CPUs", &self.cpuset_cpus),
            ("memory nodes", &self.cpuset_mems),
        ] {
            let Some(text) = list else { continue };
            match text.parse::<CpuList>() {
                // The kernel takes it, and a v1 group without a CPU takes no process.
                Ok(list) if list.is_empty() => return wrong(what, text, "it names none"),
                Ok(_) => {}
                Err(error) => return wrong(what, text, error.reason),
            }
        }
        match self.shares() {
            Some(shares) if !(2..=262_144).contains(&shares) => {
                wrong("CPU shares", &shares, "they are 2 to 262144")
            }
            _ => Ok(()),
        }
    }

    /// For a new group: what is not limited there has nothing to be written.
    #[must_use]
    pub(crate) fn of_new_group(&self) -> Self {
        let limiting =
            |value: Option<u64>| value.filter(|value| *value != 0 && *value != UNLIMITED);
        Self {
            memory_bytes: limiting(self.memory_bytes),
            memory_reservation_bytes: limiting(self.memory_reservation_bytes),
            nano_cpus: limiting(self.nano_cpus),
            pids: limiting(self.pids),
            memory_swap_bytes: self.memory_swap_bytes,
            cpu_shares: self.cpu_shares,
            cpuset_cpus: self.cpuset_cpus.clone(),
            cpuset_mems: self.cpuset_mems.clone(),
            blkio_weight: self.blkio_weight,
        }
    }

    /// CPU shares that are asked for.
    pub(crate) fn shares(&self) -> Option<u64> {
        self.cpu_shares.filter(|shares| *shares != 0)
    }
}

/// Bytes: `100m`, `2g`; see [`kit_units::parse_bytes`].
pub fn parse_bytes(text: &str) -> Result<u64, CgroupError> {
    Ok(kit_units::parse_bytes(text)?)
}

/// A number of processes and threads; 0 and less is [`UNLIMITED`], as docker has it.
pub fn parse_pids(text: &str) -> Result<u64, CgroupError> {
    if text.parse::<i64>().is_ok_and(|pids| pids <= 0) {
        return Ok(UNLIMITED);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| CgroupError::BadValue {
            what: "number of processes",
            text: text.to_owned(),
            reason: if digits {
                TOO_MANY_PIDS
            } else {
                "it is a whole number, or -1 for no limit"
            },
        })
}

/// Billionths of a CPU: `1.5`.
pub fn parse_cpus(text: &str) -> Result<u64, CgroupError> {
    /// The kernel's least quota is a millisecond, of a period of 100.
    const LEAST: u64 = kit_units::NANO / 100;
    let nano = kit_units::parse_cpus(text)?;
    if nano < LEAST {
        return Err(CgroupError::BadValue {
            what: "number of CPUs",
            text: text.to_owned(),
            reason: "0.01 is the least",
        });
    }
    Ok(nano)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_of_a_cpu_is_the_least() {
        assert_eq!(parse_cpus("0.01").unwrap(), 10_000_000);
        assert_eq!(
            parse_cpus("0.009").unwrap_err().to_string(),
            "reading number of CPUs \"0.009\": 0.01 is the least"
        );
    }

    #[test]
    fn no_process_and_less_is_no_limit() {
        for text in ["0", "-1", "-2", "-9223372036854775808"] {
            assert_eq!(parse_pids(text).unwrap(), UNLIMITED, "{text}");
        }
        for text in ["", "-", "--1", "+5", "5.0"] {
            let said = parse_pids(text).unwrap_err().to_string();
            assert!(
                said.ends_with("it is a whole number, or -1 for no limit"),
                "{said}"
            );
        }
    }

    #[test]
    fn swap_counts_memory_in() {
        let check = |memory_bytes, total| {
            let limits = Limits {
                memory_bytes,
                memory_swap_bytes: Some(total),
                ..Limits::default()
            };
            limits.check().map_err(|e| e.to_string())
        };
        for total in [200, 300, 0, -1] {
            assert_eq!(check(Some(200), total), Ok(()), "{total}");
        }
        for (memory, said) in [
            (Some(201), LESS_THAN_MEMORY),
            (None, NO_MEMORY_LIMIT),
            (Some(UNLIMITED), NO_MEMORY_LIMIT),
        ] {
            assert_eq!(
                check(memory, 200),
                Err(format!("reading memory and swap \"200\": {said}"))
            );
        }
    }
}
