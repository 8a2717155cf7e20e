//! Published and exposed ports: which port of the host leads to which port of a container.
//!
//! All of docker's forms: `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `127.0.0.1::80`, `[::1]:8080:80`,
//! `8000-8002:80-82`, `8000-8010:80`. Nothing is bound here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Kind, UnitError};

const NUMBER: &str = "a port is a number from 1 to 65535";
pub(crate) const NO_PORT: &str = "the container's port is missing";

/// What a port is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 132
    Sctp,
}

impl Proto {
    /// Each once.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The number in an IP header, see protocols(5).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// As docker and nft(8) write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Proto {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let lower = text.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|proto| proto.name() == lower)
            .ok_or_else(|| UnitError::new(Kind::Protocol, text, "it is tcp, udp or sctp"))
    }
}

/// Which port of the host was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostPort {
    /// Any that is free.
    Any,
    /// This one.
    One(u16),
    /// The first free one of these, both ends included.
    Range(u16, u16),
}

/// One published port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The host's address; `None` is all of them, v4 and v6.
    pub ip: Option<IpAddr>,
    /// Where the host is reached.
    pub host: HostPort,
    /// Where the container listens.
    pub container: u16,
    /// Of both.
    pub proto: Proto,
}

impl fmt::Display for Published {
    /// As [`parse_publish`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => {}
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
        }
        match (self.host, self.ip) {
            (HostPort::Any, None) => {}
            (HostPort::Any, Some(_)) => f.write_str(":")?,
            (HostPort::One(port), _) => write!(f, "{port}:")?,
            (HostPort::Range(first, last), _) => write!(f, "{first}-{last}:")?,
        }
        write!(f, "{}/{}", self.container, self.proto)
    }
}

/// A port that an image exposes, or `--expose` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exposed {
    /// The container's port.
    pub port: u16,
    /// Its protocol.
    pub proto: Proto,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.proto)
    }
}

/// One `-p`: several ports when both sides are ranges.
pub fn parse_publish(text: &str) -> Result<Vec<Published>, UnitError> {
    let (ip, host, container) = sides(text);
    let ip = match ip {
        "" => None,
        ip => Some(parse_address(ip)?),
    };
    let (container, proto) = split_proto(container)?;
    if container.is_empty() {
        return Err(UnitError::new(Kind::Port, text, NO_PORT));
    }
    let (first, last) =
        range(container).ok_or_else(|| UnitError::new(Kind::ContainerPort, container, NUMBER))?;
    let every = |host: &dyn Fn(u16) -> HostPort| {
        let one = |container| Published {
            ip,
            host: host(container),
            container,
            proto,
        };
        Ok((first..=last).map(one).collect())
    };
    if host.is_empty() {
        return every(&|_| HostPort::Any);
    }
    let (low, high) = range(host).ok_or_else(|| UnitError::new(Kind::HostPort, host, NUMBER))?;
    if high - low == last - first {
        return every(&|port| HostPort::One(low + (port - first)));
    }
    if first != last {
        let ranges = format!("{container} and {host}");
        let reason = "two ranges of ports have the same length";
        return Err(UnitError::new(Kind::Port, &ranges, reason));
    }
    every(&|_| HostPort::Range(low, high))
}

/// One `--expose`, or a key of an image's `ExposedPorts`: `80`, `53/udp`, `7000-7010`.
pub fn parse_expose(text: &str) -> Result<Vec<Exposed>, UnitError> {
    let (ports, proto) = if text.contains(':') {
        (text, Proto::Tcp)
    } else {
        split_proto(text)?
    };
    let (first, last) = range(ports).ok_or_else(|| UnitError::new(Kind::Expose, text, NUMBER))?;
    Ok((first..=last).map(|port| Exposed { port, proto }).collect())
}

/// `80/udp` in its two parts; without a slash it is TCP.
pub fn split_proto(text: &str) -> Result<(&str, Proto), UnitError> {
    match text.split_once('/') {
        None => Ok((text, Proto::Tcp)),
        Some((port, proto)) => Ok((port, proto.parse()?)),
    }
}

/// One port: never 0, never with a sign.
pub fn parse_port(text: &str) -> Result<u16, UnitError> {
    // u16's own parser takes a leading plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| UnitError::new(Kind::Port, text, NUMBER))
}

/// An address, IPv6 with or without its brackets.
pub fn parse_address(text: &str) -> Result<IpAddr, UnitError> {
    text.strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(text)
        .parse()
        .map_err(|_| UnitError::new(Kind::Address, text, "it is not an IP address"))
}

/// Address, host side, container side: the last two colons outside brackets divide.
fn sides(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else {
        return ("", "", text);
    };
    // `[::1]:80` has no host port: the bracket ends the address.
    if rest.ends_with(']') {
        return (rest, "", container);
    }
    match rest.rsplit_once(':') {
        None => ("", rest, container),
        Some((ip, host)) => (ip, host, container),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_port(first).ok()?, parse_port(last).ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Published {
        let ports = parse_publish(text).unwrap();
        assert_eq!(ports.len(), 1, "{text}");
        ports[0].clone()
    }

    #[test]
    fn every_form_of_a_single_port() {
        assert_eq!(one("80").host, HostPort::Any);
        assert_eq!(
            (one("8080:80").host, one("8080:80").container),
            (HostPort::One(8080), 80)
        );
        let full = one("127.0.0.1:8080:80/udp");
        assert_eq!(full.ip, Some("127.0.0.1".parse().unwrap()));
        assert_eq!(
            (full.host, full.container, full.proto),
            (HostPort::One(8080), 80, Proto::Udp)
        );
        assert_eq!(one("127.0.0.1::80").host, HostPort::Any);
        assert_eq!(one("[::1]:8080:80").ip, Some("::1".parse().unwrap()));
        assert_eq!(one("[::1]::80").host, HostPort::Any);
        assert_eq!(one("[::1]:80").ip, Some("::1".parse().unwrap()));
        assert_eq!(one("::1:8080:80").ip, Some("::1".parse().unwrap()));
    }

    #[test]
    fn ranges() {
        let ports = parse_publish("8000-8002:80-82").unwrap();
        let pairs: Vec<_> = ports.iter().map(|p| (p.host, p.container)).collect();
        assert_eq!(
            pairs,
            [
                (HostPort::One(8000), 80),
                (HostPort::One(8001), 81),
                (HostPort::One(8002), 82)
            ]
        );
        assert_eq!(one("8000-8010:80").host, HostPort::Range(8000, 8010));
        assert_eq!(parse_publish("80-65535").unwrap().len(), 65456);
    }

    #[test]
    fn errors_are_dockers() {
        for (text, said) in [
            ("x:80", "invalid hostPort: x"),
            ("80:x", "invalid containerPort: x"),
            ("80:65536", "invalid containerPort: 65536"),
            ("80:0", "invalid containerPort: 0"),
            ("+80:80", "invalid hostPort: +80"),
            ("80:80/icmp", "invalid proto: icmp"),
            ("1.2.3:80:80", "invalid IP address: 1.2.3"),
            ("80:", "no port specified: 80:<empty>"),
            (
                "8000-8001:80-82",
                "invalid ranges specified for container and host Ports: 80-82 and 8000-8001",
            ),
        ] {
            assert_eq!(parse_publish(text).unwrap_err().docker(), said);
        }
        assert_eq!(
            parse_publish("80:0").unwrap_err().to_string(),
            "reading port \"0\": a port is a number from 1 to 65535"
        );
    }

    #[test]
    fn expose() {
        let text = |s: &str| -> Vec<String> {
            let ports = parse_expose(s).unwrap();
            ports.iter().map(ToString::to_string).collect()
        };
        assert_eq!(text("53/udp"), ["53/udp"]);
        assert_eq!(text("7000-7001"), ["7000/tcp", "7001/tcp"]);
        for (bad, said) in [
            ("1:2", "invalid port format for --expose: 1:2"),
            ("x", "invalid range format for --expose: x"),
            ("1/x", "invalid proto: x"),
        ] {
            assert_eq!(parse_expose(bad).unwrap_err().docker(), said);
        }
    }

    fn published() -> impl Strategy<Value = Published> {
        let ip = proptest::option::of(any::<IpAddr>());
        let host = prop_oneof![
            Just(HostPort::Any),
            (1_u16..).prop_map(HostPort::One),
            (1_u16..65000, 1_u16..500)
                .prop_map(|(first, more)| HostPort::Range(first, first + more)),
        ];
        let proto = proptest::sample::select(&Proto::ALL[..]);
        (ip, host, 1_u16.., proto).prop_map(|(ip, host, container, proto)| Published {
            ip,
            host,
            container,
            proto,
        })
    }

    proptest! {
        #[test]
        fn a_published_port_reads_back(port in published()) {
            prop_assert_eq!(parse_publish(&port.to_string()), Ok(vec![port]));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            let _ = (parse_publish(&text).map(|ports| ports.len()), parse_expose(&text).map(|ports| ports.len()));
        }
    }
}
