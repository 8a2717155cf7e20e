//! `-p`, `--expose` and EXPOSE, in docker's words where they do not parse.

pub use kit_units::ports::{Exposed, HostPort, Proto, Published};

use super::SpecError;

/// One `-p`: several ports when both sides are ranges.
pub fn parse_publish(text: &str) -> Result<Vec<Published>, SpecError> {
    // docker: port 0 of the host is any that is free, as for bind(2).
    let free = text
        .rsplit_once(':')
        .and_then(|(host, container)| match host {
            "0" => Some(container.to_owned()),
            host => Some(format!("{}::{container}", host.strip_suffix(":0")?)),
        });
    Ok(kit_units::ports::parse_publish(
        free.as_deref().unwrap_or(text),
    )?)
}

/// One `--expose`, or a key of an image's `ExposedPorts`.
pub fn parse_expose(text: &str) -> Result<Vec<Exposed>, SpecError> {
    Ok(kit_units::ports::parse_expose(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_0_of_the_host_is_any() {
        for text in ["0:80", "127.0.0.1:0:80/udp", "[::1]:0:80"] {
            assert_eq!(
                parse_publish(text).unwrap()[0].host,
                HostPort::Any,
                "{text}"
            );
        }
        assert_eq!(parse_publish("[::1]:80").unwrap()[0].host, HostPort::Any);
        assert!(parse_publish("80:0").is_err());
    }
}
