//! Bridges: a switch, with a router on it.
//!
//! A bridge with an address is the gateway of what is plugged in. With translation on (`nat`), its network
//! reaches what this host reaches, and ports of the host lead to ports inside (`publish`): one nftables table
//! an instance, an element a port. See ip-link(8), nft(8).
//!
//! ```no_run
//! use kit_plan::Roots;
//! use rbridge::{Place, Published, bridge, nat, publish};
//!
//! let instance = Roots::from_env()?.instance;
//! let here = Place::default();
//! let plan = bridge::add_plan(&instance, &here, "br0", &["10.1.0.1/24".parse()?])?;
//! println!("{}", plan.script()?);
//! let on = nat::on_plan(&instance, &here, "br0")?;
//! let port = publish::plan(&instance, &here, Published::parse("8080:10.1.0.2:80")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod addr;
pub mod blockers;
pub mod bridge;
pub mod choice;
#[cfg(feature = "cli")]
pub mod cli;
mod error;
mod forward;
mod join;
pub mod lease;
pub mod list;
mod lock;
mod looped;
pub mod nat;
pub mod network;
mod place;
mod port;
pub mod publish;
mod quiet;
pub mod repair;
mod rules;
pub mod table;

pub use addr::set_plan;
pub use blockers::{Blocker, forward_blockers};
pub use error::BridgeError;
pub use forward::{GUARD, release_unused, unused_lines};
pub use join::Join;
pub use lease::AcquireLease;
pub use network::Network;
pub use place::Place;
pub use port::{HostPort, Proto, Published, published};
pub use publish::{Publish, Target};
pub use quiet::QuietEnds;
pub use repair::{Damage, repair};
