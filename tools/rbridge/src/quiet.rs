//! What a link of this host's that faces containers must not listen to.
//!
//! By a router advertisement, or a redirect, whoever is plugged in becomes this host's way to the world (CVE-2020-13401).
//! And where nobody asked for IPv6 a bridge has none: over its link-local address, which the kernel gives to each link,
//! a container would reach what listens on `[::]`, past all that is said of IPv4.

use std::path::Path;

use kit_plan::{Context, Line, StepError, Value, cat, words};

use crate::place::sysctl_path;
use crate::{BridgeError, Place};

/// Whether the kernel speaks IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

pub(crate) fn disable_ipv6(link: &str) -> String {
    format!("ipv6/conf/{link}/disable_ipv6")
}

/// What is 0 on every such link: these two take no lock of the kernel's.
fn advice(link: &str) -> [String; 2] {
    ["accept_ra", "accept_redirects"].map(|name| format!("ipv6/conf/{link}/{name}"))
}

/// The sysctls of a bridge of ours and their values, to be written before it is up. `ipv6` says that it speaks that.
pub(crate) fn of_bridge(link: &str, ipv6: bool) -> Vec<(String, &'static str)> {
    let mut sysctls = vec![(format!("ipv4/conf/{link}/accept_redirects"), "0")];
    if has_ipv6() {
        sysctls.extend(advice(link).map(|sysctl| (sysctl, "0")));
        if !ipv6 {
            sysctls.push((disable_ipv6(link), "1"));
        }
    }
    sysctls
}

/// Both ends of a container's cable take no advice: ours, should it ever leave its bridge, and the container's, whose
/// neighbours are strangers. Before either has a carrier; the message that makes a link cannot say so (`IFLA_AF_SPEC` is
/// refused there). No more than that: `disable_ipv6` waits for the kernel's one lock for all links, which a namespace
/// that ends holds for 30 ms and longer.
#[derive(Debug, Clone)]
pub struct QuietEnds {
    /// Our end.
    pub link: String,
    /// The container's end, and the name of the descriptor of its network namespace in the plan's context.
    pub inside: String,
    /// The descriptor of the context that stands for the container's namespace.
    pub netns: &'static str,
    /// That namespace as a script names it.
    pub path: Value,
}

impl QuietEnds {
    /// For the step that has just made the cable, while it has the descriptor.
    pub fn act(&self, cx: &Context) -> Result<(), StepError> {
        if !has_ipv6() {
            return Ok(());
        }
        let quieten = |link: &str| -> Result<(), BridgeError> {
            for sysctl in advice(link) {
                Place::default().write_sysctl(&sysctl, "0")?;
            }
            Ok(())
        };
        quieten(&self.link)?;
        let netns = cx.fd(self.netns)?;
        Ok(kit_net::within(netns, || quieten(&self.inside))?)
    }

    /// The same in sh.
    pub fn lines(&self) -> Vec<Line> {
        if !has_ipv6() {
            return Vec::new();
        }
        let here = advice(&self.link).map(|sysctl| Place::default().write(&sysctl, "0"));
        let [ra, redirects] = advice(&self.inside).map(|sysctl| sysctl_path(&sysctl));
        let net = cat!["--net=", self.path.clone()];
        let script = "echo 0 >\"$1\"; echo 0 >\"$2\"";
        let there = words!["nsenter", net, "sh", "-c", script, "sh", ra, redirects];
        here.into_iter().chain([Line::Run(there)]).collect()
    }
}
