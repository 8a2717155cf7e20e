//! What a link of this host's that faces containers must not listen to.
//!
//! By a router advertisement, or a redirect, whoever is plugged in becomes this host's way to the world (CVE-2020-13401).
//! And where nobody asked for IPv6 a bridge has none: over its link-local address, which the kernel gives to each link,
//! a container would reach what listens on `[::]`, past all that is said of IPv4.

use std::path::Path;

use kit_plan::{Context, FdId, Line, StepError, Value, cat, words};

use crate::place::sysctl_path;
use crate::{BridgeError, Place};

/// Whether the kernel speaks IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

pub(crate) fn disable_ipv6(link: &str) -> String {
    format!("ipv6/conf/{link}/disable_ipv6")
}

/// What is 0 on every such link: none of these takes a lock of the kernel's.
fn advice(link: &str) -> Vec<String> {
    let mut sysctls = vec![format!("ipv4/conf/{link}/accept_redirects")];
    if has_ipv6() {
        let names = ["accept_ra", "accept_redirects"];
        sysctls.extend(names.map(|name| format!("ipv6/conf/{link}/{name}")));
    }
    sysctls
}

/// What is 0 in a container. Where nothing is forwarded, a redirect over IPv4 is followed if `all` or the link allows
/// it (Documentation/networking/ip-sysctl.rst), and `all` is the container's own. Over IPv6 the link alone is asked.
fn advice_inside(link: &str) -> Vec<String> {
    let mut sysctls = advice(link);
    sysctls.push("ipv4/conf/all/accept_redirects".to_owned());
    sysctls
}

/// The sysctls of a bridge of ours and their values, to be written before it is up. `ipv6` says that it speaks that.
pub(crate) fn of_bridge(link: &str, ipv6: bool) -> Vec<(String, &'static str)> {
    let off = advice(link).into_iter().map(|sysctl| (sysctl, "0"));
    let on = (has_ipv6() && !ipv6).then(|| (disable_ipv6(link), "1"));
    off.chain(on).collect()
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
    pub netns: FdId,
    /// That namespace as a script names it.
    pub path: Value,
}

impl QuietEnds {
    /// For the step that has just made the cable, while it has the descriptor.
    pub fn act(&self, cx: &Context) -> Result<(), StepError> {
        let quieten = |sysctls: Vec<String>| -> Result<(), BridgeError> {
            for sysctl in sysctls {
                Place::default().write_sysctl(&sysctl, "0")?;
            }
            Ok(())
        };
        quieten(advice(&self.link))?;
        let netns = cx.fd(self.netns)?;
        Ok(kit_net::within(netns, || {
            quieten(advice_inside(&self.inside))
        })?)
    }

    /// The same in sh.
    pub fn lines(&self) -> Vec<Line> {
        let here = advice(&self.link).into_iter();
        let here = here.map(|sysctl| Place::default().write(&sysctl, "0"));
        let net = cat!["--net=", self.path.clone()];
        let script = "for sysctl; do echo 0 >\"$sysctl\"; done";
        let mut there = words!["nsenter", net, "sh", "-ec", script, "sh"];
        let inside = advice_inside(&self.inside);
        there.extend(inside.iter().map(|sysctl| Value::from(sysctl_path(sysctl))));
        here.chain([Line::Run(there)]).collect()
    }
}
