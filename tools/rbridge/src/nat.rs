//! `rbridge nat`: a bridge's network reaches what this host reaches, under the host's address.
//!
//! On: our table and the bridge in it, forwarding, `route_localnet` (published ports on 127.0.0.1). Off: the
//! mirror image.

use std::net::{IpAddr, Ipv4Addr};

use kit_net::nft::{Table, ifname};
use kit_net::{Batch, Cidr, Nft};
use kit_plan::{
    Context, Done, Instance, Line, Meta, NftFamily, Plan, Shell, Slots, Step, StepError, Undo,
};
use kit_units::hex::to_hex;
use nix::errno::Errno;

use crate::place::sysctl_path;
use crate::port::{self, Published};
use crate::{BridgeError, Place, forward, table};

/// What `nat BR on` does. Doing it again changes nothing.
pub fn on_plan(instance: &Instance, place: &Place, bridge: &str) -> Result<Plan, BridgeError> {
    let link = place.bridge(bridge)?;
    gateway(place, link.index).ok_or_else(|| BridgeError::NoGateway {
        name: bridge.to_owned(),
    })?;
    let mut plan = Plan::new(format!("rbridge nat {bridge} on"));
    for step in on_steps(instance, place, bridge)? {
        plan.push_boxed(step);
    }
    Ok(plan)
}

/// The steps, for a bridge that may not be there yet.
pub(crate) fn on_steps(
    instance: &Instance,
    place: &Place,
    bridge: &str,
) -> Result<Vec<Box<dyn Step>>, BridgeError> {
    check_name(bridge)?;
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    // What is on already is left out, so that no rollback takes it away.
    if !is_on(instance, &place.nft()?, bridge)? {
        steps.push(Box::new(Translate::new(
            table::table(instance),
            place.clone(),
            bridge,
        )?));
        steps.push(Box::new(forward::Hold::new(place.clone(), bridge)?));
    }
    // Last: without the table's rules it would open 127/8 to the bridge.
    steps.push(Box::new(RouteLocalnet {
        place: place.clone(),
        bridge: bridge.to_owned(),
    }));
    Ok(steps)
}

/// nft(8) would take a quote for the name's end and an asterisk for any name.
fn check_name(bridge: &str) -> Result<(), BridgeError> {
    kit_net::check_link_name(bridge)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    if bridge.bytes().all(plain) {
        return Ok(());
    }
    let reason = "with translation it may have letters, digits, -, _, . and @ only";
    Err(kit_net::NetError::BadName {
        name: bridge.to_owned(),
        reason,
    }
    .into())
}

/// The bridge's IPv4 addresses, each with its network.
fn networks(place: &Place, index: u32) -> Result<Vec<Cidr>, BridgeError> {
    let addrs = place.netlink()?.addrs(index)?;
    let all = addrs.iter().map(|addr| addr.cidr);
    Ok(all.filter(|cidr| cidr.addr.is_ipv4()).collect())
}

/// The first of them.
pub(crate) fn gateway(place: &Place, index: u32) -> Option<Cidr> {
    networks(place, index).ok()?.first().copied()
}

fn any_has(networks: &[Cidr], addr: Ipv4Addr) -> bool {
    networks
        .iter()
        .any(|network| network.contains(IpAddr::V4(addr)))
}

/// Whether the instance translates for the bridge.
pub fn is_on(instance: &Instance, nft: &Nft, bridge: &str) -> Result<bool, BridgeError> {
    let table = table::table(instance);
    Ok(nft
        .element(&table, table::BRIDGES, &ifname(bridge))?
        .is_some())
}

/// The table, and the bridge in it.
struct Translate {
    table: Table,
    place: Place,
    bridge: String,
    lines: Vec<Line>,
}

impl Translate {
    fn new(table: Table, place: Place, bridge: &str) -> Result<Self, BridgeError> {
        let element = table::bridge_text("add", &table, bridge);
        let text = match place.nft()?.table(&table)? {
            Some(_) => element,
            None => table::create_text(&table) + "\n" + &element,
        };
        let lines = vec![place.feed(text)];
        Ok(Self {
            table,
            place,
            bridge: bridge.to_owned(),
            lines,
        })
    }

    fn undo(&self) -> Vec<Undo> {
        let element = |(set, key): (&str, Vec<u8>)| Undo::NftElement {
            netns: self.place.path(),
            family: NftFamily::Ip,
            table: self.table.name.clone(),
            map: set.to_owned(),
            key: to_hex(&key),
            data: None,
            done: true,
        };
        table::bridge_keys(&self.bridge)
            .into_iter()
            .map(element)
            .collect()
    }
}

impl Step for Translate {
    fn meta(&self) -> Meta {
        let why = format!(
            "what comes from {} leaves under this host's address, and only answers and published ports come in",
            self.bridge
        );
        Meta::new("bridge.nat", why, Shell::Exact(self.lines.clone()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The same bridge may have been put in by somebody else a moment ago, and an element has no mark of ours.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let added = self
            .place
            .with_nft(cx, |nft| add_bridge(nft, &self.table, &self.bridge))?;
        let mut made = self.undo();
        match added {
            Added::Table(handle) => made.extend(handle.map(|handle| Undo::NftTable {
                netns: self.place.path(),
                family: NftFamily::Ip,
                table: self.table.name.clone(),
                handle: Some(handle),
            })),
            Added::Bridge => {}
            Added::Nothing => {
                return Ok(Done::nothing().note("somebody else has just switched it on"));
            }
        }
        Ok(Done::made(made))
    }
}

/// What was not there before.
pub(crate) enum Added {
    /// The table too; its handle, if it is still there.
    Table(Option<u64>),
    Bridge,
    Nothing,
}

/// Puts a bridge into the table, which is made if need be.
pub(crate) fn add_bridge(nft: &Nft, table: &Table, bridge: &str) -> Result<Added, BridgeError> {
    let keys = table::bridge_keys(bridge);
    let mut whole = Batch::new();
    table::create(&mut whole, table);
    let mut element = Batch::new();
    let mut again = Batch::new();
    for (set, key) in &keys {
        whole.add_element(table, set, key, None);
        element.create_element(table, set, key, None);
        again.add_element(table, set, key, None);
    }
    match nft.commit(whole) {
        Ok(()) => return Ok(Added::Table(nft.table(table)?.map(|info| info.handle))),
        // It is there, whole, since it is made in one transaction.
        Err(error) if error.is(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    match nft.commit(element) {
        Ok(()) => Ok(Added::Bridge),
        Err(error) if error.is(Errno::EEXIST) => {
            nft.commit(again)?;
            Ok(Added::Nothing)
        }
        Err(error) => Err(error.into()),
    }
}

struct RouteLocalnet {
    place: Place,
    bridge: String,
}

pub(crate) fn route_localnet(bridge: &str) -> String {
    format!("ipv4/conf/{bridge}/route_localnet")
}

impl Step for RouteLocalnet {
    fn meta(&self) -> Meta {
        let why = "published ports answer on 127.0.0.1 too; the table closes what this opens";
        let line = self.place.write(&route_localnet(&self.bridge), "1");
        Meta::new("bridge.localnet", why, Shell::Exact(vec![line]))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Who finds it on after a kill cannot tell whose it is: only what is done is put back.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let sysctl = route_localnet(&self.bridge);
        let was = self.place.read_sysctl(&sysctl)?;
        if was == "1" {
            return Ok(Done::nothing().note("it was on already"));
        }
        self.place.write_sysctl(&sysctl, "1")?;
        Ok(Done::made(vec![Undo::Restore {
            path: sysctl_path(&sysctl),
            was,
            wrote: "1".to_owned(),
            done: true,
            netns: self.place.path(),
        }]))
    }
}

/// What `nat BR off` does: the mirror image, published ports of that network included.
pub fn off_plan(instance: &Instance, place: &Place, bridge: &str) -> Result<Plan, BridgeError> {
    if !is_on(instance, &place.nft()?, bridge)? {
        return Err(BridgeError::NotOn {
            name: bridge.to_owned(),
        });
    }
    let mut plan = Plan::new(format!("rbridge nat {bridge} off"));
    plan.push(Off::new(table::table(instance), place.clone(), bridge)?);
    Ok(plan)
}

/// One step with nothing to undo: like any delete, it goes on past what is gone.
pub(crate) struct Off {
    table: Table,
    place: Place,
    bridge: String,
    lines: Vec<Line>,
}

impl Off {
    pub fn new(table: Table, place: Place, bridge: &str) -> Result<Self, BridgeError> {
        let nft = place.nft()?;
        let link = place.netlink()?.link(bridge)?;
        let mut lines = Vec::new();
        if link.is_some() {
            lines.push(place.write(&route_localnet(bridge), "0"));
        }
        lines.extend(forward::release_lines(&place, bridge)?);
        let text = match leave(&place, &nft, &table, bridge)? {
            None => format!("delete table {table}"),
            Some(ports) => {
                let ports = ports.iter().map(|port| port.delete_text(&table) + "\n");
                ports.collect::<String>() + &table::bridge_text("delete", &table, bridge)
            }
        };
        lines.push(place.feed(text));
        Ok(Self {
            table,
            place,
            bridge: bridge.to_owned(),
            lines,
        })
    }
}

/// The published ports that go with a bridge: those that lead to no other one. A bridge that has no network now may
/// get it back, so as long as there is one only what leads to ours goes. `None` if the whole table does, since it is
/// the last.
fn leave(
    place: &Place,
    nft: &Nft,
    table: &Table,
    bridge: &str,
) -> Result<Option<Vec<Published>>, BridgeError> {
    let key = ifname(bridge);
    let mut others = nft.elements(table, table::BRIDGES)?;
    others.retain(|element| element.key != key);
    if others.is_empty() {
        return Ok(None);
    }
    let links = place.netlink()?.links()?;
    let of = |key: &[u8]| match links.iter().find(|link| ifname(&link.name) == key) {
        Some(link) => networks(place, link.index),
        None => Ok(Vec::new()),
    };
    let own = of(&key)?;
    let theirs: Vec<Vec<Cidr>> = others
        .iter()
        .map(|element| of(&element.key))
        .collect::<Result<_, _>>()?;
    let all_known = theirs.iter().all(|networks| !networks.is_empty());
    let mut ports = port::published(nft, table)?;
    ports.retain(|port| {
        let elsewhere = theirs.iter().any(|networks| any_has(networks, port.addr));
        !elsewhere && (all_known || any_has(&own, port.addr))
    });
    Ok(Some(ports))
}

/// Switches translation for one bridge off, in any state that it may be in.
pub(crate) fn off(
    place: &Place,
    nft: &Nft,
    table: &Table,
    bridge: &str,
) -> Result<(), BridgeError> {
    if place.netlink()?.link(bridge)?.is_some() {
        place.write_sysctl(&route_localnet(bridge), "0")?;
    }
    // Before the rules go: a forwarding host without them would let everybody in.
    forward::release(place, nft, bridge)?;
    if nft.table(table)?.is_none() {
        return Ok(());
    }
    let mut batch = Batch::new();
    match leave(place, nft, table, bridge)? {
        None => batch.del_table(table),
        Some(ports) => {
            for port in ports {
                batch.del_element(table, port.map(), &port.key());
            }
            for (set, key) in table::bridge_keys(bridge) {
                if nft.element(table, set, &key)?.is_some() {
                    batch.del_element(table, set, &key);
                }
            }
        }
    }
    Ok(nft.commit(batch)?)
}

impl Step for Off {
    fn meta(&self) -> Meta {
        let why = format!(
            "{} is a network of its own again, its published ports gone",
            self.bridge
        );
        Meta::new("bridge.nat-off", why, Shell::Exact(self.lines.clone()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.place
            .with_nft(cx, |nft| off(&self.place, nft, &self.table, &self.bridge))?;
        Ok(Done::nothing())
    }
}

/// The network that an address belongs to, among the bridges that the instance translates for.
pub(crate) fn bridge_of(
    instance: &Instance,
    place: &Place,
    nft: &Nft,
    addr: Ipv4Addr,
) -> Result<Option<String>, BridgeError> {
    let on = nft.elements(&table::table(instance), table::BRIDGES)?;
    let links = place.netlink()?.links()?;
    let ours = links
        .iter()
        .filter(|link| on.iter().any(|element| element.key == ifname(&link.name)));
    for link in ours {
        if any_has(&networks(place, link.index)?, addr) {
            return Ok(Some(link.name.clone()));
        }
    }
    Ok(None)
}
