//! Which network a container gets; the primitives make it. `rbridge` owns bridges, addresses and ports, `rveth`
//! the cable; here they are put into a container's plan. One driver a file: an endpoint becomes steps.
#![warn(missing_docs)]

mod bridge;
mod eth0;
mod files;
mod hold;
pub mod relay;
mod says;

use kit_plan::{Roots, SlotId, Step};
use rbridge::{BridgeError, Network};

use box_state::{Container, Endpoint, Port};

pub use bridge::warnings;
pub use eth0::Configure;
pub use files::{WriteFiles, mounts};
pub use hold::{Hold, free_port, hold_again, let_go};

/// The container's addresses, without a prefix, by endpoint. A container has no more networks than this.
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

/// What an endpoint needs, by where it goes in the plan.
pub struct Attachment {
    /// The link inside, and the network that it leads to.
    pub endpoint: Endpoint,
    /// The one that it joins.
    pub network: Network,
    /// While the child mounts: membership, address, the cable, the ports.
    pub outside: Vec<Box<dyn Step>>,
    /// In the container's network namespace.
    pub inside: Vec<Box<dyn Step>>,
    /// While the program starts: what nothing of its waits for.
    pub last: Vec<Box<dyn Step>>,
}

/// The attachments of a container, one for each of its endpoints; `ports`, which all have a number, are published on the
/// first.
///
/// # Errors
/// A network that is not there, or cannot be looked at.
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
