//! The steps that bring a link of this plan's into service: addresses, up, default route; and the mark's end.

use std::net::IpAddr;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Cidr, NetError, Netlink};
use kit_plan::{Context, Done, Line, Meta, Shell, Step, StepError, words};
use nix::errno::Errno;

use crate::{At, VethError};

/// Addresses, then up, then default routes, for a link that an earlier step of the plan made: it needs no undo
/// of its own, since it goes with the link.
#[derive(Debug, Clone)]
pub struct Raise {
    pub at: At,
    pub name: String,
    pub addrs: Vec<Cidr>,
    pub gateways: Vec<IpAddr>,
}

impl Raise {
    fn act(&self, nl: &Netlink) -> Result<(), NetError> {
        let link = nl.need_link(&self.name)?;
        for addr in &self.addrs {
            nl.add_addr(link.index, *addr)?;
        }
        // Before the routes: a route out of a link that is down is refused.
        nl.set_up(link.index)?;
        for gateway in &self.gateways {
            nl.add_default_route(*gateway, link.index)?;
        }
        Ok(())
    }
}

impl Step for Raise {
    fn meta(&self) -> Meta {
        let mut lines: Vec<Line> = Vec::new();
        let mut ip = |args| lines.push(Line::Run(self.at.ip(args)));
        for addr in &self.addrs {
            ip(words!["addr", "add", addr.to_string(), "dev", &self.name]);
        }
        ip(words!["link", "set", "dev", &self.name, "up"]);
        for gateway in &self.gateways {
            ip(words![
                "route",
                "add",
                "default",
                "via",
                gateway.to_string(),
                "dev",
                &self.name
            ]);
        }
        let why = match (self.addrs.as_slice(), self.gateways.is_empty()) {
            ([], _) => format!("{} is up", self.name),
            (_, true) => format!("{} has its address, and is up", self.name),
            (_, false) => format!(
                "{} has its address, is up, and leads to the world",
                self.name
            ),
        };
        Meta::new("link.raise", why, Shell::Exact(lines))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let acted = match self.at {
            At::Own => {
                let nl = cx.kept_or(Netlink::open).map_err(VethError::from)?;
                self.act(nl)
            }
            // Not the kept socket: that one is in the namespace it was opened in, the parent's.
            _ => self.act(&self.at.netlink(cx)?),
        };
        match acted {
            Ok(()) => Ok(Done::nothing()),
            Err(error) if error.is(Errno::ENETUNREACH) && !self.gateways.is_empty() => {
                let all: Vec<String> = self.gateways.iter().map(ToString::to_string).collect();
                let gateway = all.join(", ");
                Err(VethError::Gateway { gateway }.into())
            }
            Err(error) => Err(VethError::from(error).into()),
        }
    }
}

/// Takes the mark off: what a verb has made is the user's from here on. The last step of such a plan.
#[derive(Debug, Clone)]
pub struct Release {
    /// The one that is undone by its mark comes last.
    pub links: Vec<(String, At)>,
}

impl Step for Release {
    fn meta(&self) -> Meta {
        let why = "complete: the mark by which an interrupted run is cleaned up comes off";
        Meta::new("link.release", why, Shell::Exact(Vec::new()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        for (name, at) in &self.links {
            let nl = at.netlink(cx)?;
            let release = || {
                let link = nl.need_link(name)?;
                nl.set_link(LinkUnspec::new_with_index(link.index).link_group(0).build())
            };
            release().map_err(VethError::from)?;
        }
        Ok(Done::nothing())
    }
}
