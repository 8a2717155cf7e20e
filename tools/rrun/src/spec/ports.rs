//! `-p`, `--expose` and EXPOSE: which port of the host leads to which port of the container.
//!
//! All of docker's forms: `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `127.0.0.1::80`, `[::1]:8080:80`,
//! `8000-8002:80-82`, `8000-8010:80`. Pure: nothing is bound here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SpecError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    Tcp,
    Udp,
    Sctp,
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl FromStr for Proto {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(SpecError::invalid("invalid proto", text)),
        }
    }
}

/// Which port of the host was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostPort {
    /// Any that is free.
    Any,
    One(u16),
    /// The first free one of these, both ends included.
    Range(u16, u16),
}

/// One published port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The host's address; `None` is all of them, v4 and v6.
    pub ip: Option<IpAddr>,
    pub host: HostPort,
    pub container: u16,
    pub proto: Proto,
}

/// A port that an image exposes, or `--expose` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exposed {
    pub port: u16,
    pub proto: Proto,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.proto)
    }
}

/// One `-p`: several ports when both sides are ranges.
pub fn parse_publish(text: &str) -> Result<Vec<Published>, SpecError> {
    let (ip, host, container) = sides(text);
    let ip = match ip {
        "" => None,
        ip => Some(address(ip)?),
    };
    let (container, proto) = split_proto(container)?;
    if container.is_empty() {
        return Err(SpecError::Rule(format!("no port specified: {text}<empty>")));
    }
    let (first, last) =
        range(container).ok_or_else(|| SpecError::invalid("invalid containerPort", container))?;
    if host.is_empty() {
        return Ok(each(first, last, |port| (ip, HostPort::Any, port, proto)));
    }
    let (low, high) = range(host).ok_or_else(|| SpecError::invalid("invalid hostPort", host))?;
    if high - low == last - first {
        return Ok(each(first, last, |port| {
            (ip, HostPort::One(low + (port - first)), port, proto)
        }));
    }
    if first != last {
        return Err(SpecError::Rule(format!(
            "invalid ranges specified for container and host Ports: {container} and {host}"
        )));
    }
    Ok(each(first, last, |port| {
        (ip, HostPort::Range(low, high), port, proto)
    }))
}

fn each(
    first: u16,
    last: u16,
    one: impl Fn(u16) -> (Option<IpAddr>, HostPort, u16, Proto),
) -> Vec<Published> {
    (first..=last)
        .map(|port| {
            let (ip, host, container, proto) = one(port);
            Published {
                ip,
                host,
                container,
                proto,
            }
        })
        .collect()
}

/// One `--expose`, or a key of an image's `ExposedPorts`: `80`, `53/udp`, `7000-7010`.
pub fn parse_expose(text: &str) -> Result<Vec<Exposed>, SpecError> {
    if text.contains(':') {
        return Err(SpecError::invalid("invalid port format for --expose", text));
    }
    let (ports, proto) = split_proto(text)?;
    let (first, last) = range(ports)
        .ok_or_else(|| SpecError::invalid("invalid range format for --expose", text))?;
    Ok((first..=last).map(|port| Exposed { port, proto }).collect())
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

fn address(text: &str) -> Result<IpAddr, SpecError> {
    text.strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(text)
        .parse()
        .map_err(|_| SpecError::invalid("invalid IP address", text))
}

fn split_proto(text: &str) -> Result<(&str, Proto), SpecError> {
    match text.split_once('/') {
        None => Ok((text, Proto::Tcp)),
        Some((port, proto)) => Ok((port, proto.parse()?)),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    // u16's own parser takes a leading plus sign.
    if text.contains('+') {
        return None;
    }
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    (first > 0 && first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Published {
        let ports = parse_publish(text).unwrap();
        assert_eq!(ports.len(), 1, "{text}");
        ports[0].clone()
    }
    fn said(text: &str) -> String {
        parse_publish(text).unwrap_err().to_string()
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
        assert_eq!(said("x:80"), "invalid hostPort: x");
        assert_eq!(said("80:x"), "invalid containerPort: x");
        assert_eq!(said("80:65536"), "invalid containerPort: 65536");
        assert_eq!(said("80:0"), "invalid containerPort: 0");
        assert_eq!(said("+80:80"), "invalid hostPort: +80");
        assert_eq!(said("80:80/icmp"), "invalid proto: icmp");
        assert_eq!(said("1.2.3:80:80"), "invalid IP address: 1.2.3");
        assert_eq!(said("80:"), "no port specified: 80:<empty>");
        assert_eq!(
            said("8000-8001:80-82"),
            "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"
        );
    }

    #[test]
    fn expose() {
        let text = |s: &str| -> Vec<String> {
            parse_expose(s)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(text("53/udp"), ["53/udp"]);
        assert_eq!(text("7000-7001"), ["7000/tcp", "7001/tcp"]);
        assert!(parse_expose("1:2").is_err());
    }
}
