//! The addresses of a bridge: `rbridge add --addr`, `rbridge set --addr` and `--del-addr`.

use std::net::IpAddr;

use kit_net::Cidr;
use kit_plan::{Context, Done, LinkWas, Meta, NetnsId, Plan, Shell, Step, StepError, Undo, words};

use crate::place::sysctl_path;
use crate::says;
use crate::{BridgeError, Place, quiet};

/// Refuses what no bridge can have as its address, some of which the kernel takes: with `/0` this host would look for
/// every address on the bridge.
pub(crate) fn check(cidr: Cidr) -> Result<(), BridgeError> {
    let wrong = |reason| {
        Err(BridgeError::BadAddr {
            addr: cidr.to_string(),
            reason,
        })
    };
    if cidr.prefix == 0 {
        return wrong("its network would be all addresses that there are");
    }
    let (special, bits) = match cidr.addr {
        IpAddr::V4(ip) => (
            ip.is_loopback() || ip.is_multicast() || ip.octets()[0] == 0 || ip.is_broadcast(),
            32,
        ),
        IpAddr::V6(ip) => (
            ip.is_loopback() || ip.is_multicast() || ip.is_unspecified(),
            128,
        ),
    };
    if special {
        return wrong("no single host on a network has that address");
    }
    let IpAddr::V4(ip) = cidr.addr else {
        return Ok(());
    };
    let host = u32::MAX.checked_shr(u32::from(cidr.prefix)).unwrap_or(0);
    match ip.to_bits() & host {
        _ if cidr.prefix + 1 >= bits => Ok(()),
        0 => wrong("it is the network's own name, and no host has it"),
        all if all == host => wrong("it is the network's broadcast address"),
        _ => Ok(()),
    }
}

/// What `set` does: addresses go, then addresses come.
pub fn set_plan(
    place: &Place,
    name: &str,
    add: &[Cidr],
    del: &[Cidr],
) -> Result<Plan, BridgeError> {
    let link = place.bridge(name)?;
    let there = place.netlink()?.addrs(link.index)?;
    let has = |cidr: &Cidr| there.iter().any(|addr| addr.cidr == *cidr);
    // All is looked at before the first is touched.
    if let Some(addr) = del.iter().find(|cidr| !has(cidr)) {
        return Err(BridgeError::NoAddr {
            addr: addr.to_string(),
            name: place.named(name),
        });
    }
    for addr in add {
        check(*addr)?;
    }
    let mut plan = Plan::new(format!("rbridge set {}", place.named(name)));
    for addr in del {
        plan.push(DelAddr {
            place: place.clone(),
            name: name.to_owned(),
            addr: *addr,
        });
    }
    let disabled = place
        .read_sysctl(&quiet::disable_ipv6(name))
        .is_ok_and(|it| it == "1");
    let mut enable = disabled;
    for addr in add {
        let mut step = AddAddr::new(place, name, *addr);
        step.enable = enable && addr.addr.is_ipv6();
        enable &= !step.enable;
        plan.push(step);
    }
    Ok(plan)
}

pub(crate) struct AddAddr {
    place: Place,
    name: String,
    addr: Cidr,
    /// IPv6 is off on the bridge, and goes on first.
    enable: bool,
}

impl AddAddr {
    pub fn new(place: &Place, name: &str, addr: Cidr) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
            addr,
            enable: false,
        }
    }
}

impl Step for AddAddr {
    fn meta(&self) -> Meta {
        let addr = self.addr.to_string();
        let mut lines = Vec::new();
        if self.enable {
            lines.push(self.place.write(&quiet::disable_ipv6(&self.name), "0"));
        }
        let add = words!["ip", "addr", "add", addr, "dev", &self.name];
        lines.push(self.place.run(add));
        let says = says::addr(&self.name, self.addr);
        Meta::new("bridge.addr", says, Shell::Exact(lines))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let link = self.place.bridge(&self.name)?;
        let nl = self.place.netlink()?;
        let netns = self.place.path();
        let mut made = Vec::new();
        if self.enable {
            let sysctl = quiet::disable_ipv6(&self.name);
            self.place.write_sysctl(&sysctl, "0")?;
            made.push(Undo::Restore {
                path: sysctl_path(&sysctl),
                was: "1".to_owned(),
                wrote: "0".to_owned(),
                done: true,
                netns: netns.clone(),
            });
        }
        nl.add_addr(link.index, self.addr)
            .map_err(BridgeError::from)?;
        made.push(Undo::Addr {
            index: Some(link.index),
            netns_id: NetnsId::of_socket(&nl, netns.as_deref()).ok(),
            netns,
            name: self.name.clone(),
            addr: self.addr.to_string(),
        });
        Ok(Done::made(made))
    }
}

struct DelAddr {
    place: Place,
    name: String,
    addr: Cidr,
}

impl Step for DelAddr {
    fn meta(&self) -> Meta {
        let addr = self.addr.to_string();
        let line = self
            .place
            .run(words!["ip", "addr", "del", addr, "dev", &self.name]);
        let says = says::del_addr(&self.name, self.addr);
        Meta::new("bridge.addr-del", says, Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let link = self.place.bridge(&self.name)?;
        let nl = self.place.netlink()?;
        let lost = nl.del_addr_alone(link.index, self.addr)?;
        let netns = self.place.path();
        let was = LinkWas {
            lost: lost.iter().map(ToString::to_string).collect(),
            ..LinkWas::default()
        };
        Ok(Done::made(vec![Undo::LinkState {
            netns_id: NetnsId::of_socket(&nl, netns.as_deref()).ok(),
            netns,
            name: self.name.clone(),
            index: Some(link.index),
            was,
        }]))
    }
}
