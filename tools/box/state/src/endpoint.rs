//! A container's place in a network: as it is asked for, and as it is while the container runs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Asked for, in container.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's name.
    pub network: String,
    /// The link inside.
    pub interface: String,
}

impl Endpoint {
    /// On network `name`, as the `nth` of its container, counted from 0: `eth0`, `eth1`.
    #[must_use]
    pub fn on(name: impl Into<String>, nth: usize) -> Self {
        Self {
            network: name.into(),
            interface: format!("eth{nth}"),
        }
    }
}

/// As it is, in state.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// With its prefix length: `172.30.0.2/16`.
    pub address: String,
    pub gateway: Option<String>,
}

impl Attached {
    /// The address without its prefix length.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.split('/').next()?.parse().ok()
    }
}
