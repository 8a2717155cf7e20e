//! A list of CPUs or memory nodes, as cpuset(7) writes it: `0-2,4`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Kind, UnitError};

/// Numbers, kept as sorted ranges that do not touch. It displays as the kernel prints it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuList(Vec<(u32, u32)>);

/// The kernel counts at the most 8192 CPUs and 1024 nodes; it bounds what a stride may expand to.
const LAST: u32 = 8191;

impl CpuList {
    /// No number is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `number` is in it.
    pub fn contains(&self, number: u32) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether all of these are in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .iter()
            .all(|(first, last)| other.0.iter().any(|(from, to)| from <= first && last <= to))
    }

    fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut list: Vec<(u32, u32)> = Vec::new();
        for (first, last) in ranges {
            match list.last_mut() {
                Some((_, end)) if first <= *end + 1 => *end = last.max(*end),
                _ => list.push((first, last)),
            }
        }
        Self(list)
    }
}

impl FromStr for CpuList {
    type Err = UnitError;

    /// `0`, `0-3`, `0-3,8`, and the kernel's `0-31:2/4` (of each four the first two). Empty text is an empty list.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = |reason| UnitError::new(Kind::CpuList, text, reason);
        let mut ranges = Vec::new();
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        for part in text.split(',').map(str::trim_ascii) {
            let (range, stride) = match part.split_once(':') {
                None => (part, None),
                Some((range, stride)) => (range, Some(stride)),
            };
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let form = wrong("it is a list like 0-2,4");
            let (Some(first), Some(last)) = (number(first), number(last)) else {
                return Err(form);
            };
            if first > last {
                return Err(wrong("a range begins with its smaller number"));
            }
            if last > LAST {
                return Err(wrong("no kernel counts so far"));
            }
            let Some(stride) = stride else {
                ranges.push((first, last));
                continue;
            };
            let stride = stride.split_once('/');
            let stride = stride.and_then(|(used, of)| Some((number(used)?, number(of)?)));
            let Some((used, of)) = stride.filter(|(used, of)| (1..=*of).contains(used)) else {
                return Err(form);
            };
            let starts = (first..=last).step_by(of as usize);
            ranges.extend(starts.map(|from| (from, last.min(from + used - 1))));
        }
        Ok(Self::of(ranges))
    }
}

/// The standard parser takes a leading plus sign, the kernel does not.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (first, last)) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> CpuList {
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_the_kernels() {
        for (text, shown) in [
            ("0", "0"),
            ("0-3", "0-3"),
            ("3,1,2", "1-3"),
            ("0-3,2-5,9", "0-5,9"),
            ("0-7:2/4", "0-1,4-5"),
            ("0-6:2/4", "0-1,4-5"),
            ("0-5:2/4\n", "0-1,4-5"),
            ("3, 0-1,1-2", "0-3"),
            ("", ""),
        ] {
            assert_eq!(list(text).to_string(), shown, "{text}");
        }
        for bad in [
            "a", ",", "0,", ",0", "0,,1", "3-1", "-1", "1-", "0-3:3", "0-3:0/2", "0-3:3/2", "+1",
            "9999",
        ] {
            assert!(bad.parse::<CpuList>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_lies_within_another() {
        assert!(list("1,3").is_within(&list("0-3")));
        assert!(list("").is_within(&list("0")));
        assert!(!list("1-4").is_within(&list("0-3")));
        assert!(list("2").contains(2) && !list("0-1,3").contains(2));
    }

    proptest! {
        #[test]
        fn lists_read_back(numbers in proptest::collection::vec(0_u32..300, 0..40)) {
            let text = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let read = list(&text);
            prop_assert_eq!(&list(&read.to_string()), &read);
            for number in 0..300 {
                prop_assert_eq!(read.contains(number), numbers.contains(&number));
            }
        }
    }
}
