//! `rbridge nat`: a bridge's network reaches what this host reaches, under the host's address.
//!
//! On: our table and the bridge in it, forwarding, `route_localnet` (published ports on 127.0.0.1). Off: the
//! mirror image.

mod off;

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};

use kit_net::nft::{Table, TableInfo, ifname};
use kit_net::{Batch, Cidr, Nft};
use kit_plan::{Context, Done, Instance, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo};
use kit_units::hex::to_hex;
use nix::errno::Errno;

use crate::place::sysctl_path;
use crate::says;
use crate::{BridgeError, Place, forward, table};

pub use off::off_plan;
pub(crate) use off::{Off, off};

/// What `nat BR on` does. Doing it again changes nothing.
pub fn on_plan(instance: &Instance, place: &Place, bridge: &str) -> Result<Plan, BridgeError> {
    let link = place.bridge(bridge)?;
    gateway(place, link.index).ok_or_else(|| BridgeError::NoGateway {
        name: place.named(bridge),
    })?;
    check_name(bridge)?;
    let mut plan = Plan::new(format!("rbridge nat {} on", place.named(bridge)));
    // What is on already is left out, so that no rollback takes it away.
    let mut steps = on_steps(instance, place, bridge)?;
    if is_on(instance, &place.nft()?, bridge)? {
        steps.drain(..steps.len() - 1);
    }
    for step in steps {
        // What --explain shows after a step is what the kernel needed before it.
        drop(step.meta());
        plan.push_boxed(step);
    }
    Ok(plan)
}

/// The steps, for a bridge that need not be there yet: nothing is opened.
pub(crate) fn on_steps(
    instance: &Instance,
    place: &Place,
    bridge: &str,
) -> Result<Vec<Box<dyn Step>>, BridgeError> {
    check_name(bridge)?;
    Ok(vec![
        Box::new(Translate::new(
            table::table(instance),
            place.clone(),
            bridge,
        )),
        Box::new(forward::Hold::new(place.clone(), bridge)),
        // Last: without the table's rules it would open 127/8 to the bridge.
        Box::new(RouteLocalnet {
            place: place.clone(),
            bridge: bridge.to_owned(),
        }),
    ])
}

/// nft(8) would take a quote for the name's end and an asterisk for any name.
pub(crate) fn check_name(bridge: &str) -> Result<(), BridgeError> {
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
    /// What the script shows, once somebody has asked: what this kernel needs then.
    lines: OnceCell<Vec<Line>>,
}

impl Translate {
    fn new(table: Table, place: Place, bridge: &str) -> Self {
        Self {
            table,
            place,
            bridge: bridge.to_owned(),
            lines: OnceCell::new(),
        }
    }

    /// For a reader only: asking nftables means closing its socket, which may wait for the kernel.
    fn lines(&self) -> &[Line] {
        self.lines.get_or_init(|| {
            let element = table::bridge_text("add", &self.table, &self.bridge);
            let there = self
                .place
                .nft()
                .and_then(|nft| Ok(nft.table(&self.table)?.is_some()));
            let text = if there.unwrap_or(false) {
                element
            } else {
                table::create_text(&self.table) + &element
            };
            vec![self.place.feed(text)]
        })
    }

    fn undo(&self) -> Vec<Undo> {
        let element = |(table, set, key): (Table, &str, Vec<u8>)| Undo::NftElement {
            netns: self.place.path(),
            family: table::family(&table),
            table: table.name,
            map: set.to_owned(),
            key: to_hex(&key),
            data: None,
            done: true,
            text: None,
        };
        table::bridge_elements(&self.table, &self.bridge)
            .into_iter()
            .map(element)
            .collect()
    }
}

impl Step for Translate {
    fn meta(&self) -> Meta {
        let says = says::nat(&self.bridge);
        Meta::new("bridge.nat", says, Shell::Exact(self.lines().to_vec()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The same bridge may have been put in by somebody else a moment ago, and an element has no mark of ours.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let added = self
            .place
            .with_nft(cx, |nft| add_bridge(nft, &self.table, &self.bridge))?;
        // Undone in reverse: the tables come last, if nobody has put anything into them since.
        let mut made = Vec::new();
        match added {
            Added::Tables(tables) => made.extend(tables.into_iter().map(|made| Undo::NftTable {
                netns: self.place.path(),
                family: table::family(&made.table),
                table: made.table.name,
                handle: Some(made.handle),
            })),
            Added::Bridge => {}
            Added::Nothing => {
                return Ok(Done::nothing()
                    .note("somebody else has just switched it on", "别人刚刚打开了它"));
            }
        }
        made.extend(self.undo());
        Ok(Done::made(made))
    }
}

/// What was not there before.
pub(crate) enum Added {
    /// The tables too, those that are still there.
    Tables(Vec<TableInfo>),
    Bridge,
    Nothing,
}

/// Puts a bridge into the tables, which are made if need be, and made whole if another program has damaged them.
pub(crate) fn add_bridge(nft: &Nft, table: &Table, bridge: &str) -> Result<Added, BridgeError> {
    let elements = table::bridge_elements(table, bridge);
    let mut whole = Batch::new();
    table::create(&mut whole, table);
    let mut element = Batch::new();
    let mut again = Batch::new();
    for (table, set, key) in &elements {
        whole.add_element(table, set, key, None);
        element.create_element(table, set, key, None);
        again.add_element(table, set, key, None);
    }
    match nft.commit(whole) {
        Ok(()) => {
            let mut tables = nft.tables()?;
            tables.retain(|info| table::all(table).contains(&info.table));
            return Ok(Added::Tables(tables));
        }
        Err(error) if error.is(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    match nft.commit(element) {
        Ok(()) => Ok(Added::Bridge),
        Err(error) if error.is(Errno::EEXIST) => {
            nft.commit(again)?;
            Ok(Added::Nothing)
        }
        // They are made in one transaction, so that one is not whole has been damaged.
        Err(error) if error.is(Errno::ENOENT) => {
            table::rebuild(nft, table)?;
            nft.commit(again)?;
            Ok(Added::Bridge)
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
        let line = self.place.write(&route_localnet(&self.bridge), "1");
        Meta::new(
            "bridge.localnet",
            says::localnet(),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Who finds it on after a kill cannot tell whose it is: only what is done is put back.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let sysctl = route_localnet(&self.bridge);
        let was = self.place.read_sysctl(&sysctl)?;
        if was == "1" {
            return Ok(Done::nothing().note("it was on already", "早已打开"));
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
