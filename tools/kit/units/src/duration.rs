//! Spans of time as docker takes and prints them (Go's `time.ParseDuration` and `Duration.String`).

use std::time::Duration;

use crate::error::{Kind, UnitError};

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `90s`, `1h30m`, `1.5h`, `300ms`, and `0`. A number alone has no unit, and is refused as in docker.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = |reason| UnitError::new(Kind::Duration, text, reason);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(wrong("it is a number and a unit, like 30s"));
    }
    let mut nanos = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(wrong("a unit is missing: ns, us, ms, s, m or h"))?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, scale) = unit.ok_or(wrong("the units are ns, us, ms, s, m and h"))?;
        let points = number.bytes().filter(|byte| *byte == b'.').count();
        if points > 1 || points == number.len() {
            return Err(wrong("it is a number and a unit, like 30s"));
        }
        nanos = scaled(number, *scale)
            .and_then(|part| nanos.checked_add(part))
            .filter(|nanos| i64::try_from(*nanos).is_ok())
            .ok_or(wrong("it is too long"))?;
        rest = tail;
    }
    Ok(Duration::from_nanos(nanos))
}

/// `1.5` times `scale`, what is below a nanosecond cut; `None` where that is too large. `number` has digits and at
/// most one point.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?.checked_mul(scale)?
    };
    // Eighteen digits of a fraction are more than a nanosecond of an hour needs.
    let part: String = part.chars().take(18).collect();
    let fraction = part.parse::<u128>().unwrap_or(0) * u128::from(scale);
    let fraction = u64::try_from(fraction / 10_u128.pow(part.len() as u32)).ok()?;
    whole.checked_add(fraction)
}

/// As Go prints it: `1h30m0s`, `1.5s`, `300ms`, `0s`.
pub fn duration_text(span: Duration) -> String {
    let nanos = span.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if let Some((unit, scale)) = match nanos {
        0..1_000 => Some(("ns", 1)),
        1_000..1_000_000 => Some(("\u{b5}s", 1_000)),
        1_000_000..1_000_000_000 => Some(("ms", 1_000_000)),
        _ => None,
    } {
        return format!("{}{unit}", decimal(nanos, scale));
    }
    let (minutes, left) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
    let seconds = format!("{}s", decimal(left, 1_000_000_000));
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

fn decimal(nanos: u128, scale: u128) -> String {
    let width = scale.ilog10() as usize;
    if width == 0 {
        return nanos.to_string();
    }
    let text = format!("{}.{:0width$}", nanos / scale, nanos % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_gos() {
        for (text, millis) in [
            ("0", 0),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("1m.5s", 60_500),
            ("300ms", 300),
            ("1000us", 1),
            ("1000\u{b5}s", 1),
            ("1000000ns", 1),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for bad in [
            "", "10", "s", "1x", "1.2.3s", ".s", "-1s", "1h ", "1d", "9999999h",
        ] {
            let error = parse_duration(bad).unwrap_err();
            assert_eq!(error.docker(), format!("time: invalid duration \"{bad}\""));
        }
    }

    #[test]
    fn durations_print_as_gos() {
        for (millis, text) in [
            (0, "0s"),
            (300, "300ms"),
            (1_500, "1.5s"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration_text(Duration::from_nanos(1_500)), "1.5\u{b5}s");
    }

    proptest! {
        #[test]
        fn durations_read_back(nanos in 0..=i64::MAX as u64) {
            let span = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&duration_text(span)), Ok(span));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,16}") {
            let _ = parse_duration(&text);
        }
    }
}
