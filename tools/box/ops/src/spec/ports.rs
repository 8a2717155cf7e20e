//! `-p`, `--expose` and EXPOSE, in docker's words where they do not parse.

pub use kit_units::ports::{Exposed, HostPort, Proto, Published};

use super::SpecError;

/// One `-p`: several ports when both sides are ranges.
pub fn parse_publish(text: &str) -> Result<Vec<Published>, SpecError> {
    Ok(kit_units::ports::parse_publish(text)?)
}

/// One `--expose`, or a key of an image's `ExposedPorts`.
pub fn parse_expose(text: &str) -> Result<Vec<Exposed>, SpecError> {
    Ok(kit_units::ports::parse_expose(text)?)
}
