//! Limits, in docker's words.

use serde::{Deserialize, Serialize};

use crate::CgroupError;

/// A limit that was there is lifted: for memory, reservation, CPUs and processes.
pub const UNLIMITED: u64 = u64::MAX;

/// `None` leaves what there is, which on a new group is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub memory_bytes: Option<u64>,
    /// Memory and swap together; -1 for no limit.
    pub memory_swap_bytes: Option<i64>,
    pub memory_reservation_bytes: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// A weight, 2 to 262144, 1024 by default; 0 says nothing, as docker's.
    pub cpu_shares: Option<u64>,
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
    pub pids: Option<u64>,
    /// A weight, 10 to 1000.
    pub blkio_weight: Option<u16>,
}

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
                None | Some(UNLIMITED) => {
                    return wrong(what, &total, "it counts memory too, which has no limit");
                }
                Some(memory) if total < memory => {
                    let reason = "it counts memory too, and memory alone is more";
                    return wrong(what, &total, reason);
                }
                Some(_) => {}
            }
        }
        match self.shares() {
            Some(shares) if !(2..=262_144).contains(&shares) => {
                wrong("CPU shares", &shares, "they are 2 to 262144")
            }
            _ => Ok(()),
        }
    }

    /// CPU shares that are asked for.
    pub(crate) fn shares(&self) -> Option<u64> {
        self.cpu_shares.filter(|shares| *shares != 0)
    }
}

/// `100m`, `2g`, `100MB`, `512k`, `1048576`: powers of 1024, as docker's.
pub fn parse_bytes(text: &str) -> Result<u64, CgroupError> {
    let wrong = |reason| CgroupError::BadValue {
        what: "size",
        text: text.to_owned(),
        reason,
    };
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match lower[number.len()..]
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 0_u32,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong("the units are b, k, m, g and t")),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(1 << shift)
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or(wrong("it is too large"));
    }
    let fraction: f64 = number
        .parse()
        .map_err(|_| wrong("it is a number and a unit, like 100m"))?;
    let bytes = fraction * f64::from(shift).exp2();
    if (0.0..9e18).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(wrong("it is out of range"))
    }
}

/// A number of processes and threads.
pub fn parse_pids(text: &str) -> Result<u64, CgroupError> {
    text.parse().map_err(|_| CgroupError::BadValue {
        what: "number of processes",
        text: text.to_owned(),
        reason: "it is a whole number, or -1 for no limit",
    })
}

/// `1.5` CPUs in billionths.
pub fn parse_cpus(text: &str) -> Result<u64, CgroupError> {
    let wrong = |reason| CgroupError::BadValue {
        what: "number of CPUs",
        text: text.to_owned(),
        reason,
    };
    let cpus: f64 = text
        .parse()
        .map_err(|_| wrong("it is a number, like 1.5"))?;
    if (0.01..=100_000.0).contains(&cpus) {
        Ok((cpus * 1e9).round() as u64)
    } else {
        Err(wrong("0.01 is the least"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        for (text, bytes) in [
            ("100m", 100 << 20),
            ("100MB", 100 << 20),
            ("2g", 2 << 30),
            ("7", 7),
            ("1.5k", 1536),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for bad in ["", "m", "1x", "-1", "1e99g", "8388608t"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_cpus("1.5").unwrap(), 1_500_000_000);
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
            (Some(201), "it counts memory too, and memory alone is more"),
            (None, "it counts memory too, which has no limit"),
            (Some(UNLIMITED), "it counts memory too, which has no limit"),
        ] {
            assert_eq!(
                check(memory, 200),
                Err(format!("reading memory and swap \"200\": {said}"))
            );
        }
    }
}
