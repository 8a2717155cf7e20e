//! What a link of this host's that faces containers must not listen to.
//!
//! By a router advertisement, or a redirect, whoever is plugged in becomes this host's way to the world (CVE-2020-13401).
//! And where nobody asked for IPv6 there is none: over link-local addresses, which the kernel gives to each link, a
//! container would reach what listens on `[::]` and its neighbours, past all that is said of IPv4.

use std::path::Path;

use kit_plan::{Context, Line, Value, cat, words};

use crate::{BridgeError, Place};

/// Whether the kernel speaks IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

pub(crate) fn disable_ipv6(link: &str) -> String {
    format!("ipv6/conf/{link}/disable_ipv6")
}

/// The sysctls of a bridge of ours and their values, to be written before it is up. `ipv6` says that it speaks that.
pub(crate) fn of_bridge(link: &str, ipv6: bool) -> Vec<(String, &'static str)> {
    let mut sysctls = vec![(format!("ipv4/conf/{link}/accept_redirects"), "0")];
    if has_ipv6() {
        sysctls.push((format!("ipv6/conf/{link}/accept_ra"), "0"));
        sysctls.push((format!("ipv6/conf/{link}/accept_redirects"), "0"));
        if !ipv6 {
            sysctls.push((disable_ipv6(link), "1"));
        }
    }
    sysctls
}

/// No IPv6 on either end of a container's cable: ours, which is a port of a bridge and speaks for itself no more, and the
/// container's, as docker has it on a network without IPv6. By one write each, before either has a carrier; the message
/// that makes a link cannot say so (`IFLA_AF_SPEC` is refused there).
#[derive(Debug, Clone)]
pub struct NoIpv6 {
    /// Our end.
    pub link: String,
    /// The container's end, and the name of the descriptor of its network namespace in the plan's context.
    pub inside: &'static str,
    pub netns: &'static str,
    /// That namespace as a script names it.
    pub path: Value,
}

impl NoIpv6 {
    /// For the step that has just made the cable, while it has the descriptor.
    pub fn act(&self, cx: &Context) -> Result<(), BridgeError> {
        if !has_ipv6() {
            return Ok(());
        }
        Place::default().write_sysctl(&disable_ipv6(&self.link), "1")?;
        // The plan has opened it to make the cable.
        let Ok(netns) = cx.fd(self.netns) else {
            return Ok(());
        };
        kit_net::within(netns, || {
            Place::default().write_sysctl(&disable_ipv6(self.inside), "1")
        })
    }

    pub fn lines(&self) -> Vec<Line> {
        if !has_ipv6() {
            return Vec::new();
        }
        let inside = crate::place::sysctl_path(&disable_ipv6(self.inside));
        let net = cat!["--net=", self.path.clone()];
        vec![
            Place::default().write(&disable_ipv6(&self.link), "1"),
            Line::Run(words![
                "nsenter",
                net,
                "sh",
                "-c",
                "echo 1 >\"$1\"",
                "sh",
                inside
            ]),
        ]
    }
}
