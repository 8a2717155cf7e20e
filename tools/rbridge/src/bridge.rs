//! `rbridge add`, `del`, `attach`, `detach`: the bridge itself and its ports.

use std::net::IpAddr;

use kit_net::rtnetlink::{LinkBridge, LinkBridgePort, LinkUnspec};
use kit_net::{Cidr, Link, NetError, Netlink};
use kit_plan::{
    Context, Done, Instance, LinkWas, Meta, NetnsId, Plan, Shell, Slots, Step, StepError, Undo,
    words,
};
use nix::errno::Errno;

use crate::says;
use crate::{BridgeError, Place, addr, looped, nat, quiet, table};

pub(crate) use crate::addr::AddAddr;

/// What `add` does: a bridge, up, with the addresses given.
pub fn add_plan(
    instance: &Instance,
    place: &Place,
    name: &str,
    addrs: &[Cidr],
) -> Result<Plan, BridgeError> {
    kit_net::check_link_name(name)?;
    for addr in addrs {
        addr::check(*addr)?;
    }
    let ipv6 = addrs.iter().any(|addr| addr.addr.is_ipv6());
    let mut plan = Plan::new(format!("rbridge add {}", place.named(name)));
    plan.push(Create::new(place, name, instance.link_group(), ipv6));
    for addr in addrs {
        plan.push(AddAddr::new(place, name, *addr));
    }
    Ok(plan)
}

pub(crate) struct Create {
    place: Place,
    name: String,
    group: u32,
    /// Its own: without one it has that of its lowest port, and whoever knows it as the gateway loses it with that port.
    mac: [u8; 6],
    ipv6: bool,
}

impl Create {
    pub fn new(place: &Place, name: &str, group: u32, ipv6: bool) -> Self {
        let mut mac = kit_plan::random_bytes();
        // Locally administered, and one station's.
        mac[0] = mac[0] & 0xfc | 0x02;
        Self {
            place: place.clone(),
            name: name.to_owned(),
            group,
            mac,
            ipv6,
        }
    }
}

impl Step for Create {
    fn meta(&self) -> Meta {
        let (group, name) = (self.group.to_string(), &self.name);
        let mac = kit_net::mac_text(&self.mac);
        let mut lines = vec![self.place.run(words![
            "ip", "link", "add", "name", name, "address", mac, "group", group, "type", "bridge"
        ])];
        let quiet = quiet::of_bridge(name, self.ipv6);
        lines.extend(
            quiet
                .iter()
                .map(|(sysctl, value)| self.place.write(sysctl, value)),
        );
        lines.push(
            self.place
                .run(words!["ip", "link", "set", "dev", name, "up"]),
        );
        Meta::new("bridge.create", says::create(name), Shell::Exact(lines))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The name is the user's, and the group is on every bridge of this instance: if this fails because the
        // name is taken, undoing an intent would delete the bridge that has it. So only a SIGKILL within this step
        // leaves it behind.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let made = create(self).map_err(|error| match error {
            BridgeError::Net(error) if error.is(Errno::EEXIST) => BridgeError::Taken {
                name: self.place.named(&self.name),
            },
            other => other,
        });
        let (index, netns_id) = made?;
        let (netns, name) = (self.place.path(), self.name.clone());
        Ok(Done::made(vec![Undo::Link {
            netns_id,
            netns,
            name,
            group: self.group,
            index: Some(index),
        }]))
    }
}

/// With our group and an address of its own; up once it listens to no advertisement. Its index, and in which namespace.
pub(crate) fn create(bridge: &Create) -> Result<(u32, Option<NetnsId>), BridgeError> {
    let nl = bridge.place.netlink()?;
    let message = LinkBridge::new(&bridge.name)
        .link_group(bridge.group)
        .address(bridge.mac.to_vec())
        .down();
    nl.add_link(message.build())?;
    let index = nl.need_link(&bridge.name)?.index;
    let finish = || -> Result<(), BridgeError> {
        for (sysctl, value) in quiet::of_bridge(&bridge.name, bridge.ipv6) {
            bridge.place.write_sysctl(&sysctl, value)?;
        }
        Ok(nl.set_up(index)?)
    };
    if let Err(error) = finish() {
        let _ = nl.del_link(index);
        return Err(error);
    }
    let home = NetnsId::of_socket(&nl, bridge.place.path().as_deref());
    Ok((index, home.ok()))
}

/// What `del` does: the bridge goes, its ports stay as links; translation for it is switched off first.
/// `only_ours` refuses one that no instance has made.
pub fn del_plan(
    instance: &Instance,
    place: &Place,
    name: &str,
    only_ours: bool,
) -> Result<Plan, BridgeError> {
    let link = place.bridge(name)?;
    if only_ours && !kit_plan::is_an_instances_group(link.group) {
        return Err(BridgeError::OthersBridge {
            name: place.named(name),
        });
    }
    let mut plan = Plan::new(format!("rbridge del {}", place.named(name)));
    if nat::is_on(instance, &place.nft()?, name)? {
        plan.push(nat::Off::new(table::table(instance), place.clone(), name)?);
    }
    plan.push(Delete {
        place: place.clone(),
        link,
    });
    Ok(plan)
}

struct Delete {
    place: Place,
    link: Link,
}

impl Step for Delete {
    fn meta(&self) -> Meta {
        let line = self.place.run(words!["ip", "link", "del", &self.link.name]);
        Meta::new(
            "bridge.delete",
            says::delete(&self.link.name),
            Shell::Exact(vec![line]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let deleted = self
            .place
            .netlink()
            .and_then(|nl| Ok(nl.del_link(self.link.index)?));
        deleted?;
        Ok(Done::nothing())
    }
}

/// What `attach` does: the link becomes a port of the bridge, and is up. Both are in `place`. A cable that would make a
/// loop is refused, unless it is forced: frames would go round in it until the machine has no time for anything else.
pub fn attach_plan(
    place: &Place,
    bridge: &str,
    link: &str,
    force: bool,
) -> Result<Plan, BridgeError> {
    let bridge = place.bridge(bridge)?;
    let nl = place.netlink()?;
    let link = need_link(place, &nl, link)?;
    if !force && !bridge.stp && looped::may_be(&nl, &link)? {
        let links = nl.links()?;
        if let Some((end, far)) = looped::by(&links, &bridge, &link) {
            return Err(BridgeError::Loop {
                link: place.named(&link.name),
                bridge: place.named(&bridge.name),
                end: place.named(&end.name),
                far: (far.index != bridge.index).then(|| place.named(&far.name)),
            });
        }
    }
    let command = format!(
        "rbridge attach {} {}",
        place.named(&bridge.name),
        place.named(&link.name)
    );
    let mut plan = Plan::new(command);
    let name = link.name.clone();
    plan.push(SetMaster {
        place: place.clone(),
        link,
        bridge: Some(bridge),
        lower: false,
    });
    if needs_hairpin(place) {
        plan.push(Hairpin::new(place.clone(), name));
    }
    Ok(plan)
}

fn need_link(place: &Place, nl: &Netlink, name: &str) -> Result<Link, BridgeError> {
    nl.link(name)?.ok_or_else(|| BridgeError::NoLink {
        name: place.named(name),
    })
}

/// Whether ports need [`Hairpin`]: `br_netfilter` is loaded and in force, as docker has it.
pub fn needs_hairpin(place: &Place) -> bool {
    place
        .read_sysctl("bridge/bridge-nf-call-iptables")
        .is_ok_and(|value| value == "1")
}

/// Lets a frame leave by the port that it came in by. Under `br_netfilter` a container's packet to its own
/// published port is translated while it is still a bridged frame, and the bridge would drop it otherwise.
/// Undone with the port itself: the flag is the port's.
pub struct Hairpin {
    place: Place,
    link: String,
}

impl Hairpin {
    /// For the port `link`.
    pub fn new(place: Place, link: impl Into<String>) -> Self {
        let link = link.into();
        Self { place, link }
    }
}

impl Step for Hairpin {
    fn meta(&self) -> Meta {
        let line = self.place.run(words![
            "ip",
            "link",
            "set",
            "dev",
            &self.link,
            "type",
            "bridge_slave",
            "hairpin",
            "on"
        ]);
        Meta::new("bridge.hairpin", says::hairpin(), Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let set = || -> Result<(), BridgeError> {
            let nl = self.place.netlink()?;
            let port = nl.need_index(&self.link)?;
            Ok(nl.set_link(LinkBridgePort::new(port).hairpin(true).build())?)
        };
        set()?;
        Ok(Done::nothing())
    }
}

/// What `detach` does: the link is a port of no bridge, and down, as before it was attached; one with an address of its
/// own stays up.
pub fn detach_plan(place: &Place, link: &str) -> Result<Plan, BridgeError> {
    let nl = place.netlink()?;
    let link = need_link(place, &nl, link)?;
    if link.master.is_none() {
        return Err(BridgeError::NotAttached {
            link: place.named(&link.name),
        });
    }
    let mut plan = Plan::new(format!("rbridge detach {}", place.named(&link.name)));
    let in_use = |addr: &kit_net::Addr| match addr.cidr.addr {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let lower = !nl.addrs(link.index)?.iter().any(in_use);
    plan.push(SetMaster {
        place: place.clone(),
        link,
        bridge: None,
        lower,
    });
    Ok(plan)
}

struct SetMaster {
    place: Place,
    link: Link,
    bridge: Option<Link>,
    /// Down too, as it is pulled out.
    lower: bool,
}

impl SetMaster {
    fn refused(&self, error: NetError) -> BridgeError {
        let (reason, hint) = match (&self.bridge, error.errno()) {
            (Some(_), Some(Errno::ELOOP)) => (
                "it is a bridge itself",
                "a cable joins two bridges: rveth add, then attach an end to each",
            ),
            (Some(_), Some(Errno::EINVAL)) => (
                "the kernel takes no such link as a port",
                "a port is an Ethernet device: a loopback is none",
            ),
            _ => return error.into(),
        };
        BridgeError::NotPort {
            link: self.place.named(&self.link.name),
            bridge: self
                .bridge
                .as_ref()
                .map_or_else(String::new, |b| self.place.named(&b.name)),
            reason,
            hint,
        }
    }
}

impl Step for SetMaster {
    fn meta(&self) -> Meta {
        let name = &self.link.name;
        let (argv, id, says) = match &self.bridge {
            Some(bridge) => (
                words![
                    "ip",
                    "link",
                    "set",
                    "dev",
                    name,
                    "master",
                    &bridge.name,
                    "up"
                ],
                "bridge.attach",
                says::attach(name, &bridge.name),
            ),
            None => (
                if self.lower {
                    words!["ip", "link", "set", "dev", name, "nomaster", "down"]
                } else {
                    words!["ip", "link", "set", "dev", name, "nomaster"]
                },
                "bridge.detach",
                says::detach(name),
            ),
        };
        Meta::new(id, says, Shell::Exact(vec![self.place.run(argv)]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let nl = self.place.netlink()?;
        let message = LinkUnspec::new_with_index(self.link.index);
        let message = match &self.bridge {
            Some(bridge) => message.controller(bridge.index).up(),
            None if self.lower => message.nocontroller().down(),
            None => message.nocontroller(),
        };
        nl.set_link(message.build())
            .map_err(|error| self.refused(error))?;
        let was = LinkWas {
            up: Some(self.link.up),
            master: Some(self.link.master.unwrap_or(0)),
            ..LinkWas::default()
        };
        let (netns, name) = (self.place.path(), self.link.name.clone());
        Ok(Done::made(vec![Undo::LinkState {
            netns_id: NetnsId::of_socket(&nl, netns.as_deref()).ok(),
            netns,
            name,
            index: Some(self.link.index),
            was,
        }]))
    }
}
