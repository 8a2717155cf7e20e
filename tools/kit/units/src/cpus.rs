//! A number of CPUs, with nine decimals at the most (docker's `--cpus`).

use crate::error::{Kind, UnitError};

/// One CPU, in the billionths that [`parse_cpus`] gives.
pub const NANO: u64 = 1_000_000_000;

pub(crate) const TOO_PRECISE: &str = "it has more than nine decimals";

/// `1.5`, `2`, `.25`: billionths of a CPU. Never a float, so that `0.1` is exactly that.
pub fn parse_cpus(text: &str) -> Result<u64, UnitError> {
    let wrong = |reason| UnitError::new(Kind::Cpus, text, reason);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
        return Err(wrong("it is a number, like 1.5"));
    }
    let part = part.trim_end_matches('0');
    if part.len() > 9 {
        return Err(wrong(TOO_PRECISE));
    }
    let whole = if whole.is_empty() {
        Some(0)
    } else {
        whole.parse::<u64>().ok()
    };
    // At most nine digits: it is below a billion.
    let nano: u64 = format!("{part:0<9}").parse().unwrap_or(0);
    whole
        .and_then(|whole| whole.checked_mul(NANO)?.checked_add(nano))
        .ok_or(wrong("it is too large"))
}

/// Billionths of a CPU as [`parse_cpus`] reads them: `1.5`.
pub fn cpus_text(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / NANO, nano % NANO);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpus_are_exact() {
        for (text, nano) in [
            ("1.5", 1_500_000_000),
            (".25", 250_000_000),
            ("0.000000001", 1),
            ("2.", 2 * NANO),
            ("0", 0),
            ("1.50000000000", 1_500_000_000),
        ] {
            assert_eq!(parse_cpus(text), Ok(nano), "{text}");
        }
        for bad in [
            "",
            ".",
            "x",
            "-1",
            "+1",
            "1e3",
            "inf",
            "NaN",
            "1.2.3",
            "99999999999999999999",
        ] {
            let said = parse_cpus(bad).unwrap_err().docker();
            assert_eq!(said, format!("failed to parse {bad} as a rational number"));
        }
        let precise = parse_cpus("0.0000000001").unwrap_err();
        assert_eq!(precise.docker(), "value is too precise");
    }

    proptest! {
        #[test]
        fn cpus_read_back(nano: u64) {
            prop_assert_eq!(parse_cpus(&cpus_text(nano)), Ok(nano));
        }
    }
}
