//! The container's own end of the cable: its address, up, its way out. Child-side.

use std::net::{IpAddr, Ipv4Addr};

use kit_net::{Cidr, Netlink};
use kit_plan::{Context, Done, Meta, Shell, Side, Step, StepError, cat, run};

use super::ADDR;
use crate::says;

pub struct Configure {
    pub prefix: u8,
    pub gateway: Ipv4Addr,
}

impl Step for Configure {
    fn meta(&self) -> Meta {
        let lines = vec![
            run![
                "ip",
                "addr",
                "add",
                cat![ADDR, format!("/{}", self.prefix)],
                "dev",
                "eth0"
            ],
            run!["ip", "link", "set", "dev", "eth0", "up"],
            run![
                "ip",
                "route",
                "add",
                "default",
                "via",
                self.gateway.to_string()
            ],
        ];
        Meta::new("net.eth0", says::eth0(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let addr: Ipv4Addr = cx.slot(ADDR)?;
        let nl = Netlink::open()?;
        let eth0 = nl.need_index("eth0")?;
        let cidr = Cidr {
            addr: IpAddr::V4(addr),
            prefix: self.prefix,
        };
        nl.add_addr(eth0, cidr)?;
        // Raised from inside: a peer that is created up is refused.
        nl.set_up(eth0)?;
        nl.add_default_route(IpAddr::V4(self.gateway), eth0, false)?;
        Ok(Done::nothing().note(cidr.to_string()))
    }
}
