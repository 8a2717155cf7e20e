//! Virtual Ethernet: a cable between two network namespaces, and macvlan, a second plug on one device.
//!
//! Both ends of a pair are made where they belong by one netlink message. See veth(4), ip-link(8).
//!
//! [`Pair`] is `rveth add` for a program. Beneath it are the steps:
//!
//! ```no_run
//! use rveth::{At, Cable, End};
//!
//! // The step that plugs a container in, its namespace known by a descriptor.
//! let inside = At::Opened { fd: kit_plan::FdId::new("netns"), path: kit_plan::cat!["/proc/", kit_plan::SlotId("pid"), "/ns/net"] };
//! let cable = Cable {
//!     bridge: Some("bk0".to_owned()),
//!     ..Cable::new(End::new("bk1f2e3d4c5b6a7", At::Own), End::new("eth0", inside))
//! };
//! # let mut plan = kit_plan::Plan::new("run");
//! plan.push(cable);
//! ```
#![warn(missing_docs)]

pub mod add;
mod at;
#[cfg(feature = "cli")]
pub mod cli;
mod create;
pub mod del;
mod error;
mod label;
pub mod list;
mod mac;
mod macvlan;
mod pair;
mod raise;
mod says;
pub mod set;

pub use at::{At, Link};
pub use create::{Cable, End, Mark};
pub use error::VethError;
pub use label::Label;
pub use mac::Mac;
pub use macvlan::{Macvlan, MacvlanMode};
pub use pair::Pair;
pub use raise::{Raise, Release};
