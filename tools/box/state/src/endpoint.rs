//! A container's place in a network: as it is asked for, and as it is while the container runs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A container's place in a network as it was asked for, in container.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's name, as `rbridge` and `rrun network` know it.
    pub network: String,
    /// The name of the link in the container's network namespace.
    pub interface: String,
}

impl Endpoint {
    /// An endpoint on network `name`. `nth` counts the container's endpoints from 0 and names the link: `eth0`, `eth1`.
    #[must_use]
    pub fn on(name: impl Into<String>, nth: usize) -> Self {
        Self {
            network: name.into(),
            interface: format!("eth{nth}"),
        }
    }
}

/// An endpoint with its addresses while the container runs, in state.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The network and the link; in the file its fields are those of this object.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// The leased address with its prefix length: `172.30.0.2/16`.
    pub address: String,
    /// The network's address on the host, without a prefix length, to which the first endpoint's default route leads.
    pub gateway: Option<String>,
}

impl Attached {
    /// The address without its prefix length; `None` if the text is no address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.split('/').next()?.parse().ok()
    }
}
