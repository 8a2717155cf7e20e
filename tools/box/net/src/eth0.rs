//! The container's end of the cable: its address, its link state, its default route. Child-side.

use std::net::{IpAddr, Ipv4Addr};

use kit_net::{Cidr, Netlink};
use kit_plan::{Context, Done, Meta, Shell, Side, SlotId, Step, StepError, cat, run};

use crate::says;

/// Gives the container's end of the cable its address, sets it up, and adds the default route.
pub struct Configure {
    /// The name of the link in the container's network namespace.
    pub interface: String,
    /// The slot that holds its address.
    pub addr: SlotId,
    /// Whether the default route goes over this link.
    pub is_way_out: bool,
    /// The length of its network's prefix, in bits.
    pub prefix: u8,
    /// The bridge's address, the gateway of the default route.
    pub gateway: Ipv4Addr,
}

impl Step for Configure {
    fn meta(&self) -> Meta {
        let cidr = cat![self.addr, format!("/{}", self.prefix)];
        let mut lines = vec![
            run!["ip", "addr", "add", cidr, "dev", &self.interface],
            run!["ip", "link", "set", "dev", &self.interface, "up"],
        ];
        if self.is_way_out {
            let gateway = self.gateway.to_string();
            lines.push(run!["ip", "route", "add", "default", "via", gateway]);
        }
        Meta::new("net.eth0", says::eth0(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let addr: Ipv4Addr = cx.slot(self.addr)?;
        let nl = Netlink::open()?;
        let link = nl.need_index(&self.interface)?;
        let cidr = Cidr {
            addr: IpAddr::V4(addr),
            prefix: self.prefix,
        };
        nl.add_addr(link, cidr)?;
        // Raised from inside: a peer that is created up is refused.
        nl.set_up(link)?;
        if self.is_way_out {
            nl.add_default_route(IpAddr::V4(self.gateway), link, false)?;
        }
        Ok(Done::nothing().value(cidr.to_string()))
    }
}
