//! Forwarding between links: switched on for our bridges, and back when the last of them is gone.
//!
//! Where `ip_forward` was 0, what was not forwarded before must still be dropped. That is a table of its own,
//! [`GUARD`], shared by all instances of a network namespace: its set holds their bridges, its rules drop
//! what is routed neither from nor to one of them, and nothing that another bridge merely passes on. The table
//! is the memory too: that it is there says that the value was 0, and it dies with the namespace. Where `ip_forward` was 1 already there is no table.

mod memory;

use std::cell::OnceCell;
use std::fmt::Write;
use std::path::Path;

use kit_net::nft::expr::Rule;
use kit_net::nft::{Family, InetHookNumber, Set, Table, Type, ifname};
use kit_net::{Batch, Nft};
use kit_plan::{Context, Done, Line, Meta, NftFamily, Shell, Slots, Step, StepError, Undo};
use kit_units::hex::to_hex;

use rnetns::Netns;

use crate::rules::{self, Hooked};
use crate::says;
use crate::{BridgeError, Place};

/// Whoever's instance, one table.
pub const GUARD: &str = "boxkit-forward";
const SET: &str = "bridges";
const SYSCTL: &str = "ipv4/ip_forward";
/// Outside the instances' roots, since they share the value. What it holds are the namespaces, one a line, where it was
/// us who switched forwarding on: another program may flush the guard away, and the next network must have it again.
const LOCK: &str = "/run/boxkit-forward.lock";

fn guard() -> Table {
    Table::new(Family::Ip, GUARD)
}

const BRIDGES: Set<'static> = Set {
    name: SET,
    key: &[Type::Ifname],
    data: &[],
};

/// Two chains, since br_netfilter calls the forward hook for the frames of each bridge too, with the bridge as both
/// links, as a packet that is routed out by the bridge it came in by has it. Those are none of our business. Only at the
/// postrouting hook do the two differ: a bridged frame comes without an input link there, and what this host sends
/// itself (an IGMP report has one) from an address of its own.
fn chains() -> Vec<Hooked> {
    let rule = || Rule::new().iifname_in(SET, false).oifname_in(SET, false);
    let by_bridges = |rule: Rule| rule.iifkind_is("bridge").oifkind_is("bridge");
    // Routed by a daemon of the host's, for which ip_forward does not matter.
    let multicast = || {
        (
            "fib daddr type multicast accept",
            Rule::new().daddr_is_multicast().accept(),
        )
    };
    vec![
        Hooked {
            name: "forward",
            kind: "filter",
            hook: InetHookNumber::Forward,
            priority: 0,
            rules: vec![
                multicast(),
                (
                    "meta iifkind \"bridge\" meta oifkind \"bridge\" accept",
                    by_bridges(Rule::new()).accept(),
                ),
                (
                    "iifname != @bridges oifname != @bridges drop",
                    rule().drop(),
                ),
            ],
        },
        Hooked {
            name: "postrouting",
            kind: "filter",
            hook: InetHookNumber::PostRouting,
            priority: 0,
            rules: vec![
                multicast(),
                (
                    "iifname != @bridges oifname != @bridges meta iifkind \"bridge\" meta oifkind \"bridge\" \
                     fib saddr type unicast drop",
                    by_bridges(rule()).saddr_is_unicast().drop(),
                ),
            ],
        },
    ]
}

fn create(batch: &mut Batch) {
    let table = guard();
    batch.create_table(&table);
    batch.add_set(&table, &BRIDGES);
    rules::add(batch, &table, chains());
}

fn create_text() -> String {
    let table = guard();
    let chains = rules::text(&table, &chains());
    format!("create table {table}\nadd set {table} {SET} {{ type ifname; }}\n{chains}")
}

/// Forwarding for one bridge.
pub(crate) struct Hold {
    place: Place,
    bridge: String,
    /// What the script shows, once somebody has asked: what this kernel needs then.
    lines: OnceCell<Vec<Line>>,
}

impl Hold {
    pub fn new(place: Place, bridge: &str) -> Self {
        Self {
            place,
            bridge: bridge.to_owned(),
            lines: OnceCell::new(),
        }
    }

    fn lines(&self) -> &[Line] {
        self.lines.get_or_init(|| {
            let place = &self.place;
            let element = format!("add element {} {SET} {{ \"{}\" }}", guard(), self.bridge);
            let on = || place.write(SYSCTL, "1");
            // A namespace that is still to be made forwards nothing.
            let forwards = place.read_sysctl(SYSCTL).is_ok_and(|value| value != "0");
            let guarded = place
                .nft()
                .and_then(|nft| Ok(nft.table(&guard())?.is_some()));
            match (guarded.unwrap_or(false), forwards) {
                (true, true) => vec![place.feed(element)],
                (true, false) => vec![place.feed(element), on()],
                (false, false) => vec![place.feed(create_text() + &element), on()],
                (false, true) => Vec::new(),
            }
        })
    }
}

impl Step for Hold {
    fn meta(&self) -> Meta {
        let says = if self.lines().is_empty() {
            says::forwards()
        } else {
            says::forward()
        };
        Meta::new("bridge.forward", says, Shell::Exact(self.lines().to_vec()))
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
            Held::Free => {
                return Ok(Done::nothing().note("ip_forward was 1 already", "ip_forward 早已是 1"));
            }
            Held::Already => {
                return Ok(Done::nothing()
                    .note("somebody else has just switched it on", "别人刚刚打开了它"));
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
            text: None,
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
    if !guarded && forwards && !memory::has(place)? {
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
        memory::add(place)?;
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
        memory::remove(place)?;
        batch.del_table(&guard());
    } else {
        for element in go {
            batch.del_element(&guard(), SET, &element.key);
        }
    }
    Ok(nft.commit(batch)?)
}

/// Whether the guard is as it must be where it was us who switched forwarding on.
pub(crate) fn is_whole(place: &Place, nft: &Nft, bridge: &str) -> Result<bool, BridgeError> {
    if nft.table(&guard())?.is_none() {
        let _lock = crate::lock::wait(Path::new(LOCK))?;
        return Ok(!memory::has(place)?);
    }
    Ok(rules::are_whole(nft, &guard(), &chains())?
        && nft.element(&guard(), SET, &ifname(bridge))?.is_some())
}

/// Makes it so, for this bridge.
pub(crate) fn mend(place: &Place, nft: &Nft, bridge: &str) -> Result<(), BridgeError> {
    let there = nft.table(&guard())?.is_some();
    if there && !rules::are_whole(nft, &guard(), &chains())? {
        let _lock = crate::lock::wait(Path::new(LOCK))?;
        let held = nft.elements(&guard(), SET)?;
        let mut batch = Batch::new();
        batch.del_table(&guard());
        create(&mut batch);
        for element in held {
            batch.add_element(&guard(), SET, &element.key, None);
        }
        nft.commit(batch)?;
    }
    hold(place, nft, bridge).map(drop)
}

/// [`mend`] in sh, as things are now.
pub(crate) fn mend_text(place: &Place, nft: &Nft, bridge: &str) -> Result<String, BridgeError> {
    if is_whole(place, nft, bridge)? {
        return Ok(String::new());
    }
    let mut text = String::new();
    if nft.table(&guard())?.is_some() {
        text = format!("delete table {}\n", guard());
    }
    text += &create_text();
    let mut bridges = crate::table::names(&nft.elements(&guard(), SET)?);
    bridges.retain(|other| other != bridge);
    bridges.push(bridge.to_owned());
    for bridge in bridges {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "add element {} {SET} {{ \"{bridge}\" }}", guard());
    }
    Ok(text)
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
