//! Sizes in bytes, as docker reads them (its `units.RAMInBytes`).

use crate::error::{Kind, UnitError};

/// Bytes: `64`, `64b`, `64k`, `64KB`, `64KiB`, `64 m`, `1.5g`, `2t`, `1p`. The units are powers of 1024, whatever
/// they are called. A size is never more than an `i64` holds, which is what kernels and configurations take.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let wrong = |reason| UnitError::new(Kind::Size, text, reason);
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    if number.is_empty() {
        return Err(wrong("it is a number and a unit, like 100m"));
    }
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let shift = shift(&unit).ok_or(wrong("the units are b, k, m, g, t and p"))?;
    let bytes = if let Ok(whole) = number.parse::<u64>() {
        whole.checked_mul(1 << shift)
    } else if number.contains('.') {
        let fraction: f64 = number
            .parse()
            .map_err(|_| wrong("it is a number and a unit, like 100m"))?;
        let bytes = fraction * f64::from(shift).exp2();
        // 2^63 and above is refused below; a larger float must not wrap here.
        (bytes < 9.3e18).then_some(bytes as u64)
    } else {
        None
    };
    bytes
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or(wrong("it is too large"))
}

/// The power of two that a unit in lower case stands for.
fn shift(unit: &str) -> Option<u32> {
    if matches!(unit, "" | "b") {
        return Some(0);
    }
    let shift = match unit.as_bytes()[0] {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        b'p' => 50,
        _ => return None,
    };
    matches!(&unit[1..], "" | "b" | "ib").then_some(shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("7", 7),
            ("64b", 64),
            ("64k", 65_536),
            ("64KB", 65_536),
            ("64KiB", 65_536),
            ("64 KiB", 65_536),
            ("1.5k", 1536),
            (".5k", 512),
            ("1.5g", 1_610_612_736),
            ("100MB", 104_857_600),
            ("2g", 2 << 30),
            ("3t", 3 << 40),
            ("1p", 1 << 50),
            ("9223372036854775807", i64::MAX as u64),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_in_both_languages() {
        for bad in [
            "", "m", "-1", "1x", "1mm", "1ibm", "1bb", "1.2.3", ".", "64ki b", "1i", "+1", "1e3",
            " 1", "1é", "1m\n",
        ] {
            let error = parse_bytes(bad).unwrap_err();
            assert_eq!(error.docker(), format!("invalid size: '{bad}'"));
        }
        assert_eq!(
            parse_bytes("1x").unwrap_err().to_string(),
            "reading size \"1x\": the units are b, k, m, g, t and p"
        );
        for large in [
            "8388608t",
            "9223372036854775808",
            "99999999999999999999",
            "8192p",
            "99999999999999.5p",
        ] {
            assert_eq!(
                parse_bytes(large).unwrap_err().reason,
                "it is too large",
                "{large}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_size_in_any_unit_is_that_many_bytes(number in 0_u64..8192, unit in 0_usize..6, ending in 0_usize..3) {
            let text = format!("{number}{}{}", ["", "k", "m", "G", "T", "p"][unit], ["", "b", "iB"][if unit == 0 { 0 } else { ending }]);
            let bytes = u128::from(number) << (10 * unit);
            prop_assert_eq!(parse_bytes(&text).ok(), u64::try_from(bytes).ok().filter(|n| i64::try_from(*n).is_ok()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,12}") {
            let _ = parse_bytes(&text);
        }
    }
}
