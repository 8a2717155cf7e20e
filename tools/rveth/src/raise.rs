//! The steps that bring a link of this plan's into service: addresses, up, default route; and the mark's end.

use std::net::IpAddr;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Cidr, NetError, Netlink, Route};
use kit_plan::{Context, Done, Line, Meta, Shell, Step, StepError, words};
use nix::errno::Errno;

use crate::says;
use crate::{At, VethError};

/// Addresses, then up, then default routes, for a link that an earlier step of the plan made: it needs no undo
/// of its own, since it goes with the link.
#[derive(Debug, Clone)]
pub struct Raise {
    /// Where the link is.
    pub at: At,
    /// Its name there.
    pub name: String,
    /// What it gets.
    pub addrs: Vec<Cidr>,
    /// Each a default route.
    pub gateways: Vec<IpAddr>,
}

impl Raise {
    fn act(&self, nl: &Netlink) -> Result<(), VethError> {
        let index = nl.need_index(&self.name)?;
        for addr in &self.addrs {
            add_addr(nl, index, *addr)?;
        }
        // Before the routes: a route out of a link that is down is refused.
        nl.set_up(index)?;
        for gateway in &self.gateways {
            nl.add_default_route(*gateway, index, self.is_onlink(*gateway))
                .map_err(|error| self.no_route(nl, *gateway, error))?;
        }
        Ok(())
    }

    /// Whether the gateway is in no network because the link's addresses have none: each is a host's alone, a /32, as
    /// clouds give them. Beside a network it is more often a slip.
    fn is_onlink(&self, gateway: IpAddr) -> bool {
        let of_its_kind = |cidr: &&Cidr| cidr.addr.is_ipv4() == gateway.is_ipv4();
        let mut own = self.addrs.iter().filter(of_its_kind).peekable();
        let hosts_alone = |cidr: &Cidr| {
            let whole = if cidr.addr.is_ipv4() { 32 } else { 128 };
            cidr.prefix == whole && cidr.addr != gateway
        };
        own.peek().is_some() && own.all(hosts_alone)
    }

    fn no_route(&self, nl: &Netlink, gateway: IpAddr, error: NetError) -> VethError {
        let gateway_text = gateway.to_string();
        match error.errno() {
            Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => VethError::Gateway {
                gateway: gateway_text,
            },
            Some(Errno::EEXIST) => {
                let routes = nl.routes().unwrap_or_default();
                let is_other = |route: &&Route| {
                    route.is_default() && route.to.addr.is_ipv4() == gateway.is_ipv4()
                };
                let other = routes.iter().find(is_other).and_then(|route| route.via);
                VethError::DefaultRoute {
                    gateway: gateway_text,
                    other: other.map_or_else(|| "no gateway".to_owned(), |via| via.to_string()),
                    ip: self.at.ip_text(),
                }
            }
            _ => error.into(),
        }
    }
}

/// Gives a link an address. The kernel refuses IPv6 on a link with a small MTU without saying that.
pub(crate) fn add_addr(nl: &Netlink, index: u32, cidr: Cidr) -> Result<(), VethError> {
    const IPV6_MIN_MTU: u32 = 1280;
    nl.add_addr(index, cidr)
        .map_err(|error| match nl.link_by_index(index) {
            Ok(Some(link)) if cidr.addr.is_ipv6() && link.mtu < IPV6_MIN_MTU => {
                VethError::SmallMtu {
                    link: link.name,
                    cidr,
                    mtu: link.mtu,
                }
            }
            _ => error.into(),
        })
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
            let via = gateway.to_string();
            let mut route = words!["route", "add", "default", "via", via, "dev", &self.name];
            if self.is_onlink(*gateway) {
                route.extend(words!["onlink"]);
            }
            ip(route);
        }
        let says = match (self.addrs.as_slice(), self.gateways.is_empty()) {
            ([], _) => says::raise(&self.name),
            (_, true) => says::raise_with_addr(&self.name),
            (_, false) => says::raise_with_gateway(&self.name),
        };
        Meta::new("link.raise", says, Shell::Exact(lines))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        match self.at {
            At::Own => self.act(cx.kept_or(Netlink::open)?)?,
            // Not the kept socket: that one is in the namespace it was opened in, the parent's.
            _ => self.act(&self.at.netlink(cx)?)?,
        }
        Ok(Done::nothing())
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
        Meta::new("link.release", says::release(), Shell::Exact(Vec::new()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        for (name, at) in &self.links {
            match at {
                At::Own => release(cx.kept_or(Netlink::open)?, name)?,
                _ => release(&at.netlink(cx)?, name)?,
            }
        }
        Ok(Done::nothing())
    }
}

fn release(nl: &Netlink, name: &str) -> Result<(), NetError> {
    let index = nl.need_index(name)?;
    nl.set_link(LinkUnspec::new_with_index(index).link_group(0).build())
}
