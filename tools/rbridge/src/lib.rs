//! Bridges: a switch, with a router on it.
//!
//! A bridge with an address is the gateway of what is plugged in. With translation on (`nat`), its network
//! reaches what this host reaches, and ports of the host lead to ports inside (`publish`): one nftables table
//! an instance, an element a port. See ip-link(8), nft(8).
//!
//! ```no_run
//! use kit_plan::{Roots, Session};
//! use rbridge::{Bridge, Published};
//!
//! let mut run = Session::open(&Roots::from_env()?, "br0", kit_undo::Kernel::new())?;
//! let bridge = Bridge::named("br0").addr("10.1.0.1/24".parse()?).nat();
//! let bridge = bridge.publish(Published::parse("8080:10.1.0.2:80")?);
//! run.apply(bridge.plan(run.instance())?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod addr;
pub mod blockers;
pub mod bridge;
pub mod choice;
#[cfg(feature = "cli")]
pub mod cli;
mod error;
mod file;
mod forward;
mod join;
pub mod lease;
pub mod list;
mod lock;
mod looped;
mod make;
pub mod nat;
pub mod network;
mod place;
mod port;
pub mod publish;
mod quiet;
pub mod repair;
mod rules;
mod says;
pub mod table;

pub use addr::set_plan;
pub use blockers::{Blocker, forward_blockers};
pub use error::BridgeError;
pub use forward::{GUARD, release_unused, unused_lines};
pub use join::Join;
pub use lease::AcquireLease;
pub use make::Bridge;
pub use network::Network;
pub use place::Place;
pub use port::{HostPort, Proto, Published, published};
pub use publish::{Publish, Target};
pub use quiet::QuietEnds;
pub use repair::{Damage, repair};
