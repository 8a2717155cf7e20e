//! Numbers with units, as docker reads them: `64m`, `1.5g`, `--cpus 1.5`, `nofile=1024:2048`, signals.

use oci_spec::runtime::PosixRlimitType;

use super::SpecError;

/// Bytes; the units are powers of 1024 whatever they are called: `64`, `64k`, `64KB`, `64KiB`, `1.5g`.
pub fn parse_bytes(text: &str) -> Result<i64, SpecError> {
    let bad = || SpecError::Rule(format!("invalid size: '{text}'"));
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit.is_empty() || unit == "b" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(bad()),
    };
    let letter = usize::from(power > 0);
    if !matches!(&unit[letter..], "" | "b" | "ib") {
        return Err(bad());
    }
    let value: f64 = number.parse().map_err(|_| bad())?;
    #[allow(clippy::cast_precision_loss)] // 2^62 is far above any memory; the fraction is docker's
    let bytes = value * 1024_f64.powi(power);
    if bytes.is_finite() && bytes < 9.2e18 {
        Ok(bytes as i64)
    } else {
        Err(bad())
    }
}

/// `--memory-swap`: bytes, or -1 for no limit.
pub fn parse_swap(text: &str) -> Result<i64, SpecError> {
    if text == "-1" {
        Ok(-1)
    } else {
        parse_bytes(text)
    }
}

/// `--cpus`: billionths of a CPU, at most nine decimals.
pub fn parse_cpus(text: &str) -> Result<u64, SpecError> {
    let bad = || SpecError::Rule(format!("failed to parse {text} as a rational number"));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if (whole.is_empty() && part.is_empty())
        || !whole
            .bytes()
            .chain(part.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return Err(bad());
    }
    if part.len() > 9 {
        return Err(SpecError::Rule("value is too precise".into()));
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| bad())?
    };
    let nano: u64 = format!("{part:0<9}").parse().map_err(|_| bad())?;
    whole
        .checked_mul(1_000_000_000)
        .and_then(|n| n.checked_add(nano))
        .ok_or_else(bad)
}

/// One `--ulimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    pub kind: PosixRlimitType,
    /// `u64::MAX` is unlimited.
    pub soft: u64,
    pub hard: u64,
}

/// `TYPE=SOFT[:HARD]`; -1 is unlimited; one number is both.
pub fn parse_ulimit(text: &str) -> Result<Ulimit, SpecError> {
    let bad = || SpecError::invalid("invalid ulimit argument", text);
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    let kind = rlimit(name).ok_or_else(|| SpecError::invalid("invalid ulimit type", name))?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| match text {
        "-1" => Ok(u64::MAX),
        text => text.parse::<u64>().map_err(|_| bad()),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err(SpecError::Rule(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )));
    }
    Ok(Ulimit { kind, soft, hard })
}

fn rlimit(name: &str) -> Option<PosixRlimitType> {
    use PosixRlimitType as R;
    Some(match name {
        "core" => R::RlimitCore,
        "cpu" => R::RlimitCpu,
        "data" => R::RlimitData,
        "fsize" => R::RlimitFsize,
        "locks" => R::RlimitLocks,
        "memlock" => R::RlimitMemlock,
        "msgqueue" => R::RlimitMsgqueue,
        "nice" => R::RlimitNice,
        "nofile" => R::RlimitNofile,
        "nproc" => R::RlimitNproc,
        "rss" => R::RlimitRss,
        "rtprio" => R::RlimitRtprio,
        "rttime" => R::RlimitRttime,
        "sigpending" => R::RlimitSigpending,
        "stack" => R::RlimitStack,
        _ => return None,
    })
}

/// Signal names by number; 0 is no signal.
const SIGNALS: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The C library keeps 32 and 33 for its threads.
const SIGRTMIN: i32 = 34;
const SIGRTMAX: i32 = 64;

/// `TERM`, `SIGTERM`, `15`, `SIGRTMIN+3`, `RTMAX-1`, in any case.
pub fn parse_signal(text: &str) -> Result<i32, SpecError> {
    let bad = || SpecError::invalid("invalid signal", text);
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=SIGRTMAX).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |text: &str| {
        if text.is_empty() {
            Ok(0)
        } else {
            text.parse::<i32>().map_err(|_| bad())
        }
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        let number = SIGRTMIN.saturating_add(offset(rest)?);
        return if (SIGRTMIN..=SIGRTMAX).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        let number = SIGRTMAX.saturating_add(offset(rest)?);
        return if (SIGRTMIN..=SIGRTMAX).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    let name = match name {
        "IOT" => "ABRT",
        "CLD" => "CHLD",
        "POLL" => "IO",
        name => name,
    };
    SIGNALS
        .iter()
        .position(|s| !s.is_empty() && *s == name)
        .map(|n| n as i32)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_powers_of_1024() {
        for (text, bytes) in [
            ("64", 64),
            ("64b", 64),
            ("64k", 65536),
            ("64KB", 65536),
            ("64KiB", 65536),
            ("1.5g", 1_610_612_736),
            ("100MB", 104_857_600),
            ("2GB", 2_147_483_648),
            ("0", 0),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for bad in [
            "", "m", "-1", "1x", "1mm", "1ibm", "1bb", "1.2.3", "64ki b", "1i",
        ] {
            assert_eq!(
                parse_bytes(bad).unwrap_err().to_string(),
                format!("invalid size: '{bad}'")
            );
        }
        assert_eq!(parse_swap("-1"), Ok(-1));
    }

    #[test]
    fn cpus() {
        assert_eq!(parse_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(parse_cpus(".25"), Ok(250_000_000));
        assert_eq!(parse_cpus("0.000000001"), Ok(1));
        assert!(parse_cpus("0.0000000001").is_err());
        assert_eq!(
            parse_cpus("x").unwrap_err().to_string(),
            "failed to parse x as a rational number"
        );
        assert!(parse_cpus("99999999999999999999").is_err());
    }

    #[test]
    fn ulimits() {
        let limit = parse_ulimit("nofile=1024:2048").unwrap();
        assert_eq!(
            (limit.kind, limit.soft, limit.hard),
            (PosixRlimitType::RlimitNofile, 1024, 2048)
        );
        assert_eq!(parse_ulimit("core=-1").unwrap().hard, u64::MAX);
        assert_eq!(
            parse_ulimit("x=1").unwrap_err().to_string(),
            "invalid ulimit type: x"
        );
        assert_eq!(
            parse_ulimit("nofile").unwrap_err().to_string(),
            "invalid ulimit argument: nofile"
        );
        assert!(parse_ulimit("nofile=3:2").is_err());
    }

    #[test]
    fn signals() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("sigusr1", 10),
            ("15", 15),
            ("RTMIN+3", 37),
            ("RTMAX-1", 63),
            ("SYS", 31),
        ] {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        for bad in ["", "SIG", "0", "65", "RTMIN+40", "FOO", "RTMAX+1"] {
            assert_eq!(
                parse_signal(bad).unwrap_err().to_string(),
                format!("invalid signal: {bad}")
            );
        }
    }
}
