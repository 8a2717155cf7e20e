//! A hardware address: `02:42:0a:00:00:02`.

use std::fmt;
use std::str::FromStr;

use crate::VethError;

/// Six bytes that a link can have as its own address: not a group's, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The six of them.
    pub fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl FromStr for Mac {
    type Err = VethError;

    fn from_str(text: &str) -> Result<Self, VethError> {
        let wrong = |reason| VethError::BadMac {
            text: text.to_owned(),
            reason,
        };
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && !part.starts_with('+'));
            let part = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            *byte = part.ok_or_else(|| wrong("it is six pairs of hex digits, with colons"))?;
        }
        if parts.next().is_some() {
            return Err(wrong("it is six pairs of hex digits, with colons"));
        }
        // The kernel says "Cannot assign requested address" to both.
        if bytes[0] & 1 == 1 {
            return Err(wrong(
                "it is a group's: the first byte of a link's own must be even",
            ));
        }
        if bytes == [0; 6] {
            return Err(wrong("all zero is no address"));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&kit_net::mac_text(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_ones_own() {
        assert_eq!(
            "02-42-0A-00-00-02".parse::<Mac>().unwrap().to_string(),
            "02:42:0a:00:00:02"
        );
        for bad in [
            "",
            "02:42",
            "02:42:0a:00:00:02:03",
            "01:42:0a:00:00:02",
            "00:00:00:00:00:00",
            "2:42:0a:00:00:02",
            "+2:42:0a:00:00:02",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad:?}");
        }
    }
}
