//! A text that is not the value it should be.

use std::fmt;

/// Which kind of value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `64m`
    Size,
    /// `1.5`
    Cpus,
    /// `0-2,4`
    CpuList,
    /// `1h30m`
    Duration,
    /// `SIGTERM`
    Signal,
    /// The whole of a port's specification.
    Port,
    /// A port of the host.
    HostPort,
    /// A port of a container.
    ContainerPort,
    /// `80/tcp`
    Expose,
    /// `tcp`
    Protocol,
    /// `192.0.2.1`
    Address,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "size",
            Self::Cpus => "number of CPUs",
            Self::CpuList => "list",
            Self::Duration => "duration",
            Self::Signal => "signal",
            Self::Port | Self::HostPort | Self::ContainerPort | Self::Expose => "port",
            Self::Protocol => "protocol",
            Self::Address => "address",
        })
    }
}

/// Why a text was refused. It displays in this house's form; [`UnitError::docker`] has docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading {kind} \"{text}\": {reason}")]
#[allow(missing_docs)] // each variant is its message
pub struct UnitError {
    pub kind: Kind,
    pub text: String,
    pub reason: &'static str,
}

impl UnitError {
    pub(crate) fn new(kind: Kind, text: &str, reason: &'static str) -> Self {
        Self {
            kind,
            text: text.to_owned(),
            reason,
        }
    }

    /// The message that docker gives for the same text: it is what people search for.
    pub fn docker(&self) -> String {
        let text = &self.text;
        match self.kind {
            Kind::Size => format!("invalid size: '{text}'"),
            Kind::Cpus if self.reason == crate::cpus::TOO_PRECISE => {
                "value is too precise".to_owned()
            }
            Kind::Cpus => format!("failed to parse {text} as a rational number"),
            Kind::CpuList => format!("invalid cpuset: {text}"),
            Kind::Duration => format!("time: invalid duration \"{text}\""),
            Kind::Signal => format!("invalid signal: {text}"),
            Kind::Port if self.reason == crate::ports::NO_PORT => {
                format!("no port specified: {text}<empty>")
            }
            Kind::Port => format!("invalid ranges specified for container and host Ports: {text}"),
            Kind::HostPort => format!("invalid hostPort: {text}"),
            Kind::ContainerPort => format!("invalid containerPort: {text}"),
            Kind::Expose if text.contains(':') => {
                format!("invalid port format for --expose: {text}")
            }
            Kind::Expose => format!("invalid range format for --expose: {text}"),
            Kind::Protocol => format!("invalid proto: {text}"),
            Kind::Address => format!("invalid IP address: {text}"),
        }
    }
}
