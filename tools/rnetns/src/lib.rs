//! Network namespaces: a host, without a host.
//!
//! A named one is a file of `/run/netns` on which the namespace is mounted, which is what keeps it alive; the
//! names are those of ip-netns(8), both ways. See `network_namespaces(7)`.
//!
//! ```no_run
//! use kit_plan::{Roots, Session};
//! use rnetns::Netns;
//!
//! // A namespace for as long as the session, and its descriptor to open a socket in.
//! let mut run = Session::open(&Roots::from_env()?, "blue", kit_undo::Kernel::new())?;
//! run.apply(rnetns::add("blue")?)?;
//! let blue = Netns::parse("blue")?.open()?;
//! let nl = kit_net::Netlink::open_in(std::os::fd::AsFd::as_fd(&blue))?;
//! println!("{} links", nl.links()?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod add;
#[cfg(feature = "cli")]
pub mod cli;
pub mod del;
pub mod enter;
mod error;
pub mod exec;
pub mod list;
mod name;
mod owner;
mod says;

pub use error::NetnsError;
pub use name::{Netns, RUN_NETNS, split_link};

/// What `rnetns add NAME` does: a namespace with lo up, as a plan.
///
/// # Errors
/// A name that can never be one. That it is taken is found as the plan is applied.
pub fn add(name: &str) -> Result<kit_plan::Plan, NetnsError> {
    add::plan(name, false)
}

/// What `rnetns del NAME` does, as a plan: the name goes, and the namespace with its last user.
///
/// # Errors
/// A name that is not there.
pub fn del(name: &str) -> Result<kit_plan::Plan, NetnsError> {
    del::plan(name)
}
