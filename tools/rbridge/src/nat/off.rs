//! `rbridge nat BR off`: the mirror image of on.

use kit_net::nft::{Table, ifname};
use kit_net::{Batch, Cidr, Nft};
use kit_plan::{Context, Done, Instance, Line, Meta, Plan, Shell, Step, StepError};

use super::{any_has, is_on, networks, route_localnet};
use crate::port::{self, Published};
use crate::says;
use crate::{BridgeError, Place, forward, table};

/// What `nat BR off` does: the mirror image, published ports of that network included.
pub fn off_plan(instance: &Instance, place: &Place, bridge: &str) -> Result<Plan, BridgeError> {
    if !is_on(instance, &place.nft()?, bridge)? {
        return Err(BridgeError::NotOn {
            name: place.named(bridge),
        });
    }
    let mut plan = Plan::new(format!("rbridge nat {} off", place.named(bridge)));
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
        let leaving = leave(&place, &nft, &table, bridge)?;
        let lines_of: Vec<String> = if leaving.last {
            let tables = table::present(&nft, &table)?;
            tables
                .iter()
                .map(|it| format!("delete table {it}"))
                .collect()
        } else {
            let ports = leaving.ports.iter().map(|port| port.delete_text(&table));
            ports
                .chain([table::bridge_text("delete", &table, bridge)])
                .collect()
        };
        lines.push(place.feed(lines_of.join("\n")));
        let ports = leaving.ports.iter();
        lines.extend(ports.filter_map(|port| port.host.forget_line(&place)));
        Ok(Self {
            table,
            place,
            bridge: bridge.to_owned(),
            lines,
        })
    }
}

/// What goes with a bridge.
struct Leaving {
    ports: Vec<Published>,
    /// No other bridge is left, so that the tables go too.
    last: bool,
}

/// The published ports that go with a bridge: those that lead to no other one. A bridge that has no network now may
/// get it back, so as long as there is one only what leads to ours goes.
fn leave(place: &Place, nft: &Nft, table: &Table, bridge: &str) -> Result<Leaving, BridgeError> {
    let key = ifname(bridge);
    let mut others = nft.elements(table, table::BRIDGES)?;
    others.retain(|element| element.key != key);
    let mut ports = port::published(nft, table)?;
    if others.is_empty() {
        return Ok(Leaving { ports, last: true });
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
    ports.retain(|port| {
        let elsewhere = theirs.iter().any(|networks| any_has(networks, port.addr));
        !elsewhere && (all_known || any_has(&own, port.addr))
    });
    Ok(Leaving { ports, last: false })
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
    let there = table::present(nft, table)?;
    let leaving = leave(place, nft, table, bridge)?;
    let mut batch = Batch::new();
    for port in &leaving.ports {
        batch.del_element(table, port.map(), &port.key());
    }
    for (table, set, key) in table::bridge_elements(table, bridge) {
        if there.contains(&table) && nft.element(&table, set, &key)?.is_some() {
            batch.del_element(&table, set, &key);
        }
    }
    nft.commit(batch)?;
    // A flow of UDP outlives the element by which it began: a client that keeps sending would be led inside as before.
    for port in &leaving.ports {
        port.host.forget_flows(place, nft)?;
    }
    // Another bridge may have come meanwhile.
    for table in there.iter().filter(|_| leaving.last) {
        nft.delete_empty(table)?;
    }
    Ok(())
}

impl Step for Off {
    fn meta(&self) -> Meta {
        Meta::new(
            "bridge.nat-off",
            says::nat_off(&self.bridge),
            Shell::Exact(self.lines.clone()),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.place
            .with_nft(cx, |nft| off(&self.place, nft, &self.table, &self.bridge))?;
        Ok(Done::nothing())
    }
}
