//! The network of a container as steps of its plan. `rbridge` makes bridges, leases addresses and publishes ports, `rveth`
//! makes the cable; this crate decides which of their steps an endpoint needs. One driver in a file.
#![warn(missing_docs)]

mod bridge;
mod eth0;
mod files;
mod fleeting;
mod hold;
pub mod relay;
mod says;

use kit_plan::{Roots, SlotId, Step};
use rbridge::{BridgeError, Network};

use box_state::{Container, Endpoint, Port};

pub use bridge::warnings;
pub use eth0::Configure;
pub use files::{WriteFiles, mounts};
pub use hold::{Hold, free_port, from_anywhere, hold_again, let_go};

/// The slots of the container's addresses, without a prefix length, one for each endpoint. A container can have no more
/// networks than this.
pub const ADDRS: [SlotId; 8] = [
    SlotId("addr"),
    SlotId("addr1"),
    SlotId("addr2"),
    SlotId("addr3"),
    SlotId("addr4"),
    SlotId("addr5"),
    SlotId("addr6"),
    SlotId("addr7"),
];

/// The steps of an endpoint, by their place in the container's plan.
pub struct Attachment {
    /// The endpoint as container.json has it.
    pub endpoint: Endpoint,
    /// The record of the network that it joins.
    pub network: Network,
    /// In the parent, while the child mounts: the membership, the lease of the address, the cable, the ports.
    pub outside: Vec<Box<dyn Step>>,
    /// In the child, in the container's network namespace.
    pub inside: Vec<Box<dyn Step>>,
    /// In the parent, while the program starts: what the program does not wait for.
    pub last: Vec<Box<dyn Step>>,
}

/// The attachments of a container, one for each of its endpoints. `ports`, in which no host port is 0, are published on
/// the first.
///
/// # Errors
/// A network that does not exist, or whose record cannot be read.
pub fn attachments(
    roots: &Roots,
    container: &Container,
    ports: &[Port],
) -> Result<Vec<Attachment>, BridgeError> {
    let slots = ADDRS.into_iter().enumerate();
    let each = container.endpoints.iter().zip(slots);
    each.map(|(endpoint, (nth, slot))| {
        let ports = if nth == 0 { ports } else { &[] };
        bridge::attach(roots, container, (endpoint, nth, slot), ports)
    })
    .collect()
}
