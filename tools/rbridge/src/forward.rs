//! Forwarding between links: switched on for our bridges, and back when the last of them is gone.
//!
//! Where `ip_forward` was 0, what was not forwarded before must still be dropped. That is a table of its own,
//! [`GUARD`], shared by all instances of a network namespace: its set holds their bridges, its one rule drops
//! what goes neither from nor to one of them. The table is the memory too: that it is there says that the
//! value was 0, and it dies with the namespace. Where `ip_forward` was 1 already there is no table.

use std::path::Path;

use kit_net::nft::expr::Rule;
use kit_net::nft::{Chain, Family, InetHookNumber, Set, Table, Type, ifname};
use kit_net::{Batch, Nft};
use kit_plan::{Context, Done, Line, Meta, NftFamily, Shell, Slots, Step, StepError, Undo};
use kit_units::hex::to_hex;

use rnetns::Netns;

use crate::{BridgeError, Place};

/// Whoever's instance, one table.
pub const GUARD: &str = "boxkit-forward";
const SET: &str = "bridges";
const SYSCTL: &str = "ipv4/ip_forward";
/// Outside the instances' roots, since they share the value.
const LOCK: &str = "/run/boxkit-forward.lock";

fn guard() -> Table {
    Table::new(Family::Ip, GUARD)
}

fn create(batch: &mut Batch) {
    let table = guard();
    batch.create_table(&table);
    batch.add_set(
        &table,
        &Set {
            name: SET,
            key: &[Type::Ifname],
            data: &[],
        },
    );
    batch.add_chain(
        &table,
        &Chain {
            name: "forward",
            kind: "filter",
            hook: InetHookNumber::Forward,
            priority: 0,
        },
    );
    let others = Rule::new()
        .iifname_in(SET, false)
        .oifname_in(SET, false)
        .drop();
    batch.add_rule(&table, "forward", others.build());
}

fn create_text() -> String {
    let table = guard();
    format!(
        "create table {table}
add set {table} {SET} {{ type ifname; }}
add chain {table} forward {{ type filter hook forward priority 0; }}
add rule {table} forward iifname != @{SET} oifname != @{SET} drop
"
    )
}

/// Forwarding for one bridge.
pub(crate) struct Hold {
    place: Place,
    bridge: String,
    /// What the script shows: what this kernel needs now.
    lines: Vec<Line>,
}

impl Hold {
    pub fn new(place: Place, bridge: &str) -> Result<Self, BridgeError> {
        let element = format!("add element {} {SET} {{ \"{bridge}\" }}", guard());
        let on = || place.write(SYSCTL, "1");
        let forwards = place.read_sysctl(SYSCTL)? != "0";
        let lines = match (place.nft()?.table(&guard())?.is_some(), forwards) {
            (true, true) => vec![place.feed(element)],
            (true, false) => vec![place.feed(element), on()],
            (false, false) => vec![place.feed(create_text() + &element), on()],
            (false, true) => Vec::new(),
        };
        Ok(Self {
            place,
            bridge: bridge.to_owned(),
            lines,
        })
    }
}

impl Step for Hold {
    fn meta(&self) -> Meta {
        let why = if self.lines.is_empty() {
            "packets are forwarded between links: this host does so already"
        } else {
            "packets are forwarded between links, but only from and to our bridges"
        };
        Meta::new("bridge.forward", why, Shell::Exact(self.lines.clone()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // The same bridge may have been put in by somebody else a moment ago, and an element has no mark of ours.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let held = self
            .place
            .with_nft(cx, |nft| hold(&self.place, nft, &self.bridge))?;
        match held {
            Held::Free => return Ok(Done::nothing().note("ip_forward was 1 already")),
            Held::Already => {
                return Ok(Done::nothing().note("somebody else has just switched it on"));
            }
            Held::Added => {}
        }
        // Forwarding itself stays on until nobody is left: another instance may rely on it by now, and the
        // guard drops what was not forwarded before.
        Ok(Done::made(vec![Undo::NftElement {
            netns: self.place.path(),
            family: NftFamily::Ip,
            table: GUARD.to_owned(),
            map: SET.to_owned(),
            key: to_hex(&ifname(&self.bridge)),
            data: None,
            done: true,
        }]))
    }
}

pub(crate) enum Held {
    /// The host forwards for everybody; there is no guard.
    Free,
    /// The guard held the bridge before.
    Already,
    Added,
}

/// Forwarding is on, and the guard, if that is our doing, lets this bridge through.
pub(crate) fn hold(place: &Place, nft: &Nft, bridge: &str) -> Result<Held, BridgeError> {
    let _lock = crate::lock::wait(Path::new(LOCK))?;
    let forwards = place.read_sysctl(SYSCTL)? != "0";
    let guarded = nft.table(&guard())?.is_some();
    if !guarded && forwards {
        return Ok(Held::Free);
    }
    let key = ifname(bridge);
    let held = guarded && nft.element(&guard(), SET, &key)?.is_some();
    if !held {
        let mut batch = Batch::new();
        if !guarded {
            create(&mut batch);
        }
        batch.add_element(&guard(), SET, &key, None);
        // The guard before the gate.
        nft.commit(batch)?;
    }
    if !forwards {
        place.write_sysctl(SYSCTL, "1")?;
    }
    Ok(if held { Held::Already } else { Held::Added })
}

/// Takes a bridge out, and bridges that are gone with it; after the last, forwarding is off again.
pub(crate) fn release(place: &Place, nft: &Nft, bridge: &str) -> Result<(), BridgeError> {
    let _lock = crate::lock::wait(Path::new(LOCK))?;
    if nft.table(&guard())?.is_none() {
        return Ok(());
    }
    let held = nft.elements(&guard(), SET)?;
    let links = place.netlink()?.links()?;
    let lives = |key: &[u8]| links.iter().any(|link| ifname(&link.name) == key);
    let (stay, go): (Vec<_>, Vec<_>) = held
        .iter()
        .partition(|element| element.key != ifname(bridge) && lives(&element.key));
    let mut batch = Batch::new();
    if stay.is_empty() {
        if place.read_sysctl(SYSCTL)? == "1" {
            place.write_sysctl(SYSCTL, "0")?;
        }
        batch.del_table(&guard());
    } else {
        for element in go {
            batch.del_element(&guard(), SET, &element.key);
        }
    }
    Ok(nft.commit(batch)?)
}

/// What [`release_unused`] would be in sh, as things are now; empty if there is nothing to release.
pub fn unused_lines() -> Result<Vec<Line>, BridgeError> {
    let mut lines = Vec::new();
    for place in places() {
        let Ok(nft) = place.nft() else { continue };
        if nft.table(&guard())?.is_none() {
            continue;
        }
        let links = place.netlink()?.links()?;
        let lives = |key: &[u8]| links.iter().any(|link| ifname(&link.name) == key);
        let held = nft.elements(&guard(), SET)?;
        let (stay, go): (Vec<_>, Vec<_>) = held.iter().partition(|element| lives(&element.key));
        if stay.is_empty() {
            lines.push(place.write(SYSCTL, "0"));
            lines.push(place.feed(format!("delete table {}", guard())));
        }
        for element in go.iter().filter(|_| !stay.is_empty()) {
            let name = String::from_utf8_lossy(&element.key);
            let name = name.trim_end_matches('\0');
            lines.push(place.feed(format!("delete element {} {SET} {{ \"{name}\" }}", guard())));
        }
    }
    Ok(lines)
}

/// Our own namespace, and those that have a name.
fn places() -> impl Iterator<Item = Place> {
    let names = std::fs::read_dir(rnetns::RUN_NETNS).into_iter().flatten();
    let named = names.flatten().filter_map(|entry| {
        let netns = Netns::parse(entry.file_name().to_str()?).ok()?;
        Some(Place::new(Some(netns)))
    });
    std::iter::once(Place::default()).chain(named)
}

/// Switches forwarding off where an interrupted verb left the guard with no living bridge in it: in our own
/// namespace and in those that have a name.
pub fn release_unused() -> Result<(), BridgeError> {
    for place in places() {
        // A name whose namespace is gone has nothing to release.
        let Ok(nft) = place.nft() else { continue };
        release(&place, &nft, "")?;
    }
    Ok(())
}

/// What [`release`] is in sh, as things are now.
pub(crate) fn release_lines(place: &Place, bridge: &str) -> Result<Vec<Line>, BridgeError> {
    let nft = place.nft()?;
    if nft.table(&guard())?.is_none() {
        return Ok(Vec::new());
    }
    let others = nft
        .elements(&guard(), SET)?
        .iter()
        .any(|element| element.key != ifname(bridge));
    Ok(if others {
        vec![place.feed(format!(
            "delete element {} {SET} {{ \"{bridge}\" }}",
            guard()
        ))]
    } else {
        vec![
            place.write(SYSCTL, "0"),
            place.feed(format!("delete table {}", guard())),
        ]
    })
}
