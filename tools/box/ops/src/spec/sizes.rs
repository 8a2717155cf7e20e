//! Numbers with units, as docker reads them: `64m`, `1.5g`, `--cpus 1.5`, `nofile=1024:2048`, signals.

use oci_spec::runtime::PosixRlimitType;

use super::SpecError;

/// A number of bytes, in the form of [`kit_units::parse_bytes`].
///
/// # Errors
/// [`SpecError::Rule`], with the reason in docker's words.
pub fn parse_bytes(text: &str) -> Result<i64, SpecError> {
    // No size is beyond an i64.
    Ok(kit_units::parse_bytes(text)? as i64)
}

/// `--memory-swap`: memory and swap together in bytes, or -1 for no limit.
///
/// # Errors
/// As of [`parse_bytes`].
pub fn parse_swap(text: &str) -> Result<i64, SpecError> {
    if text == "-1" {
        Ok(-1)
    } else {
        parse_bytes(text)
    }
}

/// `--cpus` as billionths of a CPU; it has at most nine decimals.
///
/// # Errors
/// [`SpecError::Rule`], with the reason in docker's words.
pub fn parse_cpus(text: &str) -> Result<u64, SpecError> {
    Ok(kit_units::parse_cpus(text)?)
}

/// Checks `--oom-score-adj`: from -1000, never killed, to 1000, killed first (proc(5)).
///
/// # Errors
/// A number outside of that range.
pub fn check_oom_score_adj(score: i64) -> Result<i32, SpecError> {
    let fits = i32::try_from(score).ok();
    fits.filter(|score| (-1000..=1000).contains(score))
        .ok_or_else(|| {
            SpecError::Rule(format!(
                "invalid value {score}, range for oom score adj is [-1000, 1000]"
            ))
        })
}

/// One `--ulimit`: the limits of a resource (setrlimit(2)), in the unit of that resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// The resource.
    pub kind: PosixRlimitType,
    /// The limit in force, at most `hard`; `u64::MAX` is unlimited.
    pub soft: u64,
    /// The limit that the program may raise `soft` to; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// One `--ulimit`: `TYPE=SOFT[:HARD]`, where -1 is unlimited and one number is both.
///
/// # Errors
/// An unknown type, no number, or a soft limit above the hard one.
pub fn parse_ulimit(text: &str) -> Result<Ulimit, SpecError> {
    let bad = || SpecError::invalid("invalid ulimit argument", text);
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    let kind = rlimit(name).ok_or_else(|| SpecError::invalid("invalid ulimit type", name))?;
    let given = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| match text {
        "-1" => Ok(u64::MAX),
        text => text.parse::<u64>().map_err(|_| bad()),
    };
    let (soft, hard) = (number(given.0)?, number(given.1)?);
    if soft > hard {
        let (soft, hard) = given;
        return Err(SpecError::Rule(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )));
    }
    if name == "nofile" && soft < 3 {
        return Err(SpecError::Rule(format!(
            "ulimit nofile must be 3 or more, for the program's standard streams: {soft}"
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

/// The number of a signal, from `TERM`, `SIGTERM`, `15`, `SIGRTMIN+3` or `RTMAX-1`, in any case.
///
/// # Errors
/// [`SpecError::Rule`], with the reason in docker's words.
pub fn parse_signal(text: &str) -> Result<i32, SpecError> {
    Ok(kit_units::parse_signal(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_dockers() {
        let said = |error: SpecError| error.to_string();
        assert_eq!(said(parse_bytes("1x").unwrap_err()), "invalid size: '1x'");
        assert_eq!(
            said(parse_cpus("x").unwrap_err()),
            "failed to parse x as a rational number"
        );
        assert_eq!(
            said(parse_signal("FOO").unwrap_err()),
            "invalid signal: FOO"
        );
        assert_eq!(parse_swap("-1"), Ok(-1));
    }

    #[test]
    fn oom_scores_are_the_kernels() {
        for score in [-1000, 0, 1000] {
            assert_eq!(check_oom_score_adj(score), Ok(score as i32));
        }
        for score in [-1001, 1001, i64::MAX] {
            let said = check_oom_score_adj(score).unwrap_err().to_string();
            let rule = "range for oom score adj is [-1000, 1000]";
            assert_eq!(said, format!("invalid value {score}, {rule}"));
        }
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
}
