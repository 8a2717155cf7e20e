//! An address with its prefix length: `10.1.0.1/24`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and the length of its network's prefix in bits. The host part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The address itself, with its host part.
    pub addr: IpAddr,
    /// In bits, from the left.
    pub prefix: u8,
}

/// A text that is no address with a prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading address {text:?}: {reason}")]
#[allow(missing_docs)] // each variant is its message
pub struct CidrError {
    pub text: String,
    pub reason: &'static str,
}

impl Cidr {
    /// `None` where the prefix is longer than the address.
    pub fn new(addr: impl Into<IpAddr>, prefix: u8) -> Option<Self> {
        let addr = addr.into();
        (prefix <= if addr.is_ipv4() { 32 } else { 128 }).then_some(Self { addr, prefix })
    }

    /// The network's own address: `10.1.0.0/24` of `10.1.0.1/24`.
    #[must_use]
    pub fn network(self) -> Self {
        let addr = match self.addr {
            IpAddr::V4(addr) => {
                IpAddr::V4(Ipv4Addr::from_bits(addr.to_bits() & mask4(self.prefix)))
            }
            IpAddr::V6(addr) => {
                IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() & mask6(self.prefix)))
            }
        };
        Self {
            addr,
            prefix: self.prefix,
        }
    }

    /// Whether `addr` is in its network; one of the other family is not.
    pub fn contains(self, addr: IpAddr) -> bool {
        self.addr.is_ipv4() == addr.is_ipv4()
            && Self {
                addr,
                prefix: self.prefix,
            }
            .network()
                == self.network()
    }

    /// Whether any address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        if self.prefix <= other.prefix {
            self.contains(other.addr)
        } else {
            other.contains(self.addr)
        }
    }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// The prefix must be there: a bare address is more often a slip than a /32.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let wrong = |reason| CidrError {
            text: text.to_owned(),
            reason,
        };
        let (addr, prefix) = text
            .split_once('/')
            .ok_or(wrong("it has no prefix length, such as /24"))?;
        let addr: IpAddr = addr.parse().map_err(|_| wrong("it is not an IP address"))?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits);
        let prefix = prefix.ok_or(wrong("its prefix length is not a number"))?;
        Self::new(addr, prefix).ok_or(wrong("its prefix is longer than the address"))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        assert!(cidr("172.30.0.0/16").overlaps(cidr("172.30.4.1/24")));
        assert!(cidr("172.30.4.1/24").overlaps(cidr("172.30.0.0/16")));
        assert!(!cidr("172.30.0.0/24").overlaps(cidr("172.30.1.0/24")));
        assert!(cidr("0.0.0.0/0").overlaps(cidr("172.30.1.0/24")));
        assert!(!cidr("::/0").overlaps(cidr("172.30.1.0/24")));
        assert_eq!(cidr("10.1.2.3/8").network().to_string(), "10.0.0.0/8");
        assert_eq!(cidr("fd00::5/64").network().to_string(), "fd00::/64");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (text, reason) in [
            ("10.0.0.1", "it has no prefix length, such as /24"),
            ("10.0.0/24", "it is not an IP address"),
            ("10.0.0.1/33", "its prefix is longer than the address"),
            ("10.0.0.1/+8", "its prefix length is not a number"),
            ("10.0.0.1/", "its prefix length is not a number"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap_err().reason, reason, "{text}");
        }
    }
}
