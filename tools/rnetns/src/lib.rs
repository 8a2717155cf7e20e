//! Network namespaces: a host, without a host.
//!
//! A named one is a file of `/run/netns` on which the namespace is mounted, which is what keeps it alive; the
//! names are those of ip-netns(8), both ways. See `network_namespaces(7)`.
//!
//! ```no_run
//! // A namespace, and its descriptor to open a socket in.
//! let plan = rnetns::add::plan("blue", false)?;
//! println!("{}", plan.script().unwrap());
//! let blue = rnetns::Netns::parse("blue")?.open()?;
//! let nl = kit_net::Netlink::open_in(std::os::fd::AsFd::as_fd(&blue)).unwrap();
//! # Ok::<(), rnetns::NetnsError>(())
//! ```

pub mod add;
#[cfg(feature = "cli")]
pub mod cli;
pub mod del;
pub mod enter;
mod error;
pub mod exec;
pub mod list;
mod name;

pub use error::NetnsError;
pub use name::{Netns, RUN_NETNS, split_link};
