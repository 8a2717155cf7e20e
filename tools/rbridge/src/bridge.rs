//! `rbridge add`, `del`, `attach`, `detach`: the bridge itself and its ports.

use kit_net::rtnetlink::{LinkBridge, LinkBridgePort, LinkUnspec};
use kit_net::{Cidr, Link, NetError};
use kit_plan::{
    Context, Done, Instance, LinkWas, Meta, NetnsId, Plan, Shell, Slots, Step, StepError, Undo,
    words,
};
use nix::errno::Errno;

use crate::{BridgeError, Place, nat, table};

/// What `add` does: a bridge, up, with the addresses given.
pub fn add_plan(
    instance: &Instance,
    place: &Place,
    name: &str,
    addrs: &[Cidr],
) -> Result<Plan, BridgeError> {
    kit_net::check_link_name(name)?;
    let mut plan = Plan::new(format!("rbridge add {name}"));
    plan.push(Create {
        place: place.clone(),
        name: name.to_owned(),
        group: instance.link_group(),
    });
    for addr in addrs {
        plan.push(AddAddr {
            place: place.clone(),
            name: name.to_owned(),
            addr: *addr,
        });
    }
    Ok(plan)
}

pub(crate) struct Create {
    pub place: Place,
    pub name: String,
    pub group: u32,
}

impl Step for Create {
    fn meta(&self) -> Meta {
        let group = self.group.to_string();
        let line = self.place.run(words![
            "ip", "link", "add", "name", &self.name, "group", group, "up", "type", "bridge"
        ]);
        Meta::new(
            "bridge.create",
            "a switch: what comes in by one port goes out by the others",
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The name is the user's, and the group is on every bridge of this instance: if this fails because the
        // name is taken, undoing an intent would delete the bridge that has it. One message makes it, so
        // that only a SIGKILL between the answer and the journal leaves it behind.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let made = create(self).map_err(|error| match error {
            BridgeError::Net(error) if error.is(Errno::EEXIST) => BridgeError::Taken {
                name: self.name.clone(),
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

/// One message: with our group, and up. Its index, and in which namespace.
pub(crate) fn create(bridge: &Create) -> Result<(u32, Option<NetnsId>), BridgeError> {
    let nl = bridge.place.netlink()?;
    nl.add_link(
        LinkBridge::new(&bridge.name)
            .link_group(bridge.group)
            .build(),
    )?;
    let home = NetnsId::of_socket(&nl, bridge.place.path().as_deref());
    Ok((nl.need_link(&bridge.name)?.index, home.ok()))
}

pub(crate) struct AddAddr {
    pub place: Place,
    pub name: String,
    pub addr: Cidr,
}

impl Step for AddAddr {
    fn meta(&self) -> Meta {
        let addr = self.addr.to_string();
        let line = self
            .place
            .run(words!["ip", "addr", "add", addr, "dev", &self.name]);
        let why = "an address of this host's on the switch: the gateway of what is plugged in";
        Meta::new("bridge.addr", why, Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let link = self.place.bridge(&self.name)?;
        let nl = self.place.netlink()?;
        nl.add_addr(link.index, self.addr)
            .map_err(BridgeError::from)?;
        let (netns, name) = (self.place.path(), self.name.clone());
        let home = NetnsId::of_socket(&nl, netns.as_deref()).ok();
        Ok(Done::made(vec![Undo::Addr {
            netns,
            name,
            index: Some(link.index),
            netns_id: home,
            addr: self.addr.to_string(),
        }]))
    }
}

/// What `del` does: the bridge goes, its ports stay as links; translation for it is switched off first.
pub fn del_plan(instance: &Instance, place: &Place, name: &str) -> Result<Plan, BridgeError> {
    let link = place.bridge(name)?;
    let mut plan = Plan::new(format!("rbridge del {name}"));
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
            "the switch goes; what was plugged in stays",
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

/// What `attach` does: the link becomes a port of the bridge, and is up. Both are in `place`.
pub fn attach_plan(place: &Place, bridge: &str, link: &str) -> Result<Plan, BridgeError> {
    let bridge = place.bridge(bridge)?;
    let link = place.netlink()?.need_link(link)?;
    let mut plan = Plan::new(format!("rbridge attach {} {}", bridge.name, link.name));
    let name = link.name.clone();
    plan.push(SetMaster {
        place: place.clone(),
        link,
        bridge: Some(bridge),
    });
    if needs_hairpin(place) {
        plan.push(Hairpin::new(place.clone(), name));
    }
    Ok(plan)
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
        let why = "it reaches its own published ports, though br_netfilter is on";
        Meta::new("bridge.hairpin", why, Shell::Exact(vec![line]))
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

/// What `detach` does: the link is a port of no bridge, and stays as it is.
pub fn detach_plan(place: &Place, link: &str) -> Result<Plan, BridgeError> {
    let link = place.netlink()?.need_link(link)?;
    if link.master.is_none() {
        return Err(BridgeError::NotAttached { link: link.name });
    }
    let mut plan = Plan::new(format!("rbridge detach {}", link.name));
    plan.push(SetMaster {
        place: place.clone(),
        link,
        bridge: None,
    });
    Ok(plan)
}

struct SetMaster {
    place: Place,
    link: Link,
    bridge: Option<Link>,
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
            link: self.link.name.clone(),
            bridge: self
                .bridge
                .as_ref()
                .map_or_else(String::new, |b| b.name.clone()),
            reason,
            hint,
        }
    }
}

impl Step for SetMaster {
    fn meta(&self) -> Meta {
        let name = &self.link.name;
        let (argv, id, why) = match &self.bridge {
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
                format!("{name} is plugged into {}", bridge.name),
            ),
            None => (
                words!["ip", "link", "set", "dev", name, "nomaster"],
                "bridge.detach",
                format!("{name} is pulled out"),
            ),
        };
        Meta::new(id, why, Shell::Exact(vec![self.place.run(argv)]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let nl = self.place.netlink()?;
        let message = LinkUnspec::new_with_index(self.link.index);
        let message = match &self.bridge {
            Some(bridge) => message.controller(bridge.index).up(),
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
