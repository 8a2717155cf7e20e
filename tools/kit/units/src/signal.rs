//! Signals by name and number, real-time ones too. See signal(7); the numbers are Linux's on x86, ARM and RISC-V.

use crate::error::{Kind, UnitError};

/// Names by number; 0 is no signal.
const SIGNALS: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The C library keeps 32 and 33 for its threads.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// `TERM`, `SIGTERM`, `15`, `SIGRTMIN+3`, `RTMAX-1`, in any case.
pub fn parse_signal(text: &str) -> Result<i32, UnitError> {
    let wrong = || {
        let reason = "it is a name like TERM or RTMIN+3, or a number from 1 to 64";
        UnitError::new(Kind::Signal, text, reason)
    };
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = if text.starts_with(|c: char| c.is_ascii_digit()) {
        text.parse().ok()
    } else if let Some(offset) = name.strip_prefix("RTMIN") {
        real_time(RTMIN, offset)
    } else if let Some(offset) = name.strip_prefix("RTMAX") {
        real_time(RTMAX, offset)
    } else {
        let name = match name {
            "IOT" => "ABRT",
            "CLD" => "CHLD",
            "POLL" => "IO",
            name => name,
        };
        let known = SIGNALS.iter().position(|known| *known == name);
        known.map(|number| number as i32)
    };
    number
        .filter(|number| (1..=RTMAX).contains(number))
        .ok_or_else(wrong)
}

/// `+3` from RTMIN, `-1` from RTMAX.
fn real_time(from: i32, offset: &str) -> Option<i32> {
    let offset = match offset.as_bytes() {
        [] => 0,
        [b'+' | b'-', b'0'..=b'9', ..] => offset.parse::<i32>().ok()?,
        _ => return None,
    };
    let number = from.checked_add(offset)?;
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

/// `SIGTERM`, `SIGRTMIN+3`; `None` for what has no name.
pub fn signal_name(number: i32) -> Option<String> {
    match number {
        RTMIN => Some("SIGRTMIN".to_owned()),
        RTMAX => Some("SIGRTMAX".to_owned()),
        35..RTMAX => Some(format!("SIGRTMIN+{}", number - RTMIN)),
        _ => {
            let name = SIGNALS.get(usize::try_from(number).ok()?)?;
            (!name.is_empty()).then(|| format!("SIG{name}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_every_spelling() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGKILL", 9),
            ("sigusr1", 10),
            ("15", 15),
            ("37", 37),
            ("RTMIN", 34),
            ("RTMIN+3", 37),
            ("SIGRTMIN+3", 37),
            ("sigrtmax-1", 63),
            ("RTMAX", 64),
            ("SIGPOLL", 29),
            ("SYS", 31),
        ] {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        for bad in [
            "",
            "SIG",
            "0",
            "65",
            "-9",
            "+9",
            "RTMIN+40",
            "RTMIN-1",
            "RTMIN3",
            "RTMIN+",
            "FOO",
            "RTMAX+1",
            "RTMIN+-3",
            "99999999999",
        ] {
            let error = parse_signal(bad).unwrap_err();
            assert_eq!(error.docker(), format!("invalid signal: {bad}"));
        }
    }

    #[test]
    fn a_signal_s_name_reads_back() {
        for number in 1..=64 {
            let Some(name) = signal_name(number) else {
                assert!((32..34).contains(&number), "{number}");
                continue;
            };
            assert_eq!(parse_signal(&name), Ok(number));
        }
        assert_eq!(
            (signal_name(0), signal_name(-1), signal_name(65)),
            (None, None, None)
        );
    }
}
