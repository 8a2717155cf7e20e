//! A blocking netlink socket bound to one network namespace: links, addresses, routes, nftables.
//!
//! Messages are built by rtnetlink's typed builders and sent from the calling thread: no runtime, no second
//! thread, so that a process that forks may use it. A socket stays in the namespace that it was opened in, for
//! as long as it lives. See netlink(7), rtnetlink(7).
//!
//! ```no_run
//! use kit_net::{Netlink, rtnetlink::LinkBridge};
//!
//! let netns = std::fs::File::open("/run/netns/blue").unwrap();
//! let nl = Netlink::open_in(std::os::fd::AsFd::as_fd(&netns))?;
//! nl.add_link(LinkBridge::new("br0").link_group(0x626b).build())?;
//! let bridge = nl.need_link("br0")?;
//! nl.add_addr(bridge.index, "10.1.0.1/24".parse().unwrap())?;
//! # Ok::<(), kit_net::NetError>(())
//! ```
#![warn(missing_docs)]

mod addr;
mod cidr;
mod conntrack;
mod error;
mod link;
mod lost;
mod netns;
pub mod nft;
mod nsid;
mod route;
mod socket;
mod told;

pub use addr::{Addr, check_addr};
pub use cidr::{Cidr, CidrError};
pub use error::{NetError, Refusal};
pub use link::{Link, check_link_name, mac_text};
pub use lost::Lost;
pub use netns::{unnamed, within};
pub use nft::{Batch, Nft};
pub use route::Route;

// For callers that build a message themselves.
pub use netlink_packet_route;
pub use rtnetlink;

use std::os::fd::{AsFd, BorrowedFd};

/// A `NETLINK_ROUTE` socket. The calls are in `link`, `addr` and `route`.
pub struct Netlink {
    socket: socket::Socket,
}

/// For what a socket can be asked.
impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl Netlink {
    /// In the namespace of the calling thread.
    pub fn open() -> Result<Self, NetError> {
        let socket = socket::Socket::open(socket::Protocol::Route)?;
        Ok(Self { socket })
    }

    /// In the namespace that `netns` refers to: a file of `/run/netns` or `/proc/PID/ns/net`. The calling
    /// thread enters it for the moment of socket(2) and comes back.
    pub fn open_in(netns: BorrowedFd<'_>) -> Result<Self, NetError> {
        within(netns, Self::open)
    }
}
