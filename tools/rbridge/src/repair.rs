//! What another program took from our tables, and how it comes back: `nft flush ruleset`, which each reload of
//! firewalld does, leaves containers running whose ports lead nowhere.
//!
//! The records are the networks' own: `network.json` says which bridge is translated for, a lease which ports lead to
//! its address. So nobody has to be asked, and [`repair`] may be called at any time, by anybody: it does nothing where
//! nothing is missing.

use std::fmt;
use std::fs;
use std::time::Duration;

use kit_net::nft::Table;
use kit_net::{Batch, Nft};
use kit_plan::{Context, Done, Line, Meta, Plan, Roots, Shell, Step, StepError};
use nix::errno::Errno;

use crate::network::{Dir, Network, complete};
use crate::port::{HostPort, Published, published};
use crate::says;
use crate::{BridgeError, Place, forward, lease, nat, table};

/// One thing that the kernel should have, or should not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the network's and the bridge's name
pub enum Damage {
    /// Of the tables, their chains and rules, or the bridge in them.
    Rules { network: String, bridge: String },
    /// A container's published port.
    Missing(Published),
    /// A port that leads to an address which no container has.
    Stale(Published),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules { network, bridge } => write!(
                f,
                "the nftables rules of network \"{network}\" (bridge {bridge}) are gone, or not all there"
            ),
            Self::Missing(port) => write!(f, "published port \"{port}\" is in no rule"),
            Self::Stale(port) => write!(f, "published port \"{port}\" leads to no container"),
        }
    }
}

/// Longer than a container takes from its lease to its port as it starts, and from its port to its lease as it ends.
const A_MOMENT: Duration = Duration::from_millis(30);

/// What is damaged now, and still is a moment later, since containers start and end meanwhile. Changes nothing.
pub fn damage(roots: &Roots, nft: &Nft) -> Result<Vec<Damage>, BridgeError> {
    let mut found = at_a_glance(roots, nft)?;
    if !found.is_empty() {
        std::thread::sleep(A_MOMENT);
        let again = at_a_glance(roots, nft)?;
        found.retain(|damage| again.contains(damage));
    }
    Ok(found)
}

fn at_a_glance(roots: &Roots, nft: &Nft) -> Result<Vec<Damage>, BridgeError> {
    let mut all = Vec::new();
    for dir in Dir::all(roots) {
        if let Some(network) = dir.read()? {
            all.extend(damage_of(roots, nft, &dir, &network)?);
        }
    }
    Ok(all)
}

/// Mends it, and says what it was. A port that leads elsewhere meanwhile is left alone.
pub fn repair(roots: &Roots, nft: &Nft) -> Result<Vec<Damage>, BridgeError> {
    let mut mended = Vec::new();
    for dir in Dir::all(roots) {
        let lock = match crate::lock::wait(&dir.lock()) {
            // It has just been removed.
            Err(BridgeError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                continue;
            }
            lock => lock?,
        };
        if let Some(network) = dir.read()? {
            let found = damage_of(roots, nft, &dir, &network)?;
            mend(roots, nft, (&dir, &network), &found)?;
            settle(roots, nft, (&dir, &network), &found)?;
            mended.extend(found);
        }
        drop(lock);
    }
    Ok(mended)
}

fn damage_of(
    roots: &Roots,
    nft: &Nft,
    dir: &Dir,
    network: &Network,
) -> Result<Vec<Damage>, BridgeError> {
    let table = table::table(&roots.instance);
    let mut all = Vec::new();
    // An empty network is made whole by the next container.
    if !dir.list_members().is_empty() && !is_whole(roots, nft, network)? {
        let (network, bridge) = (network.name.clone(), network.bridge.clone());
        all.push(Damage::Rules { network, bridge });
    }
    let is = published(nft, &table)?;
    let leases = lease::held(dir)?;
    for (addr, lease) in &leases {
        let wanted = lease.ports.iter().map(|(host, port)| Published {
            host: *host,
            addr: *addr,
            port: *port,
        });
        let missing = wanted.filter(|port| !is.iter().any(|there| there.host == port.host));
        all.extend(missing.map(Damage::Missing));
    }
    let subnet = network.subnet();
    let stale = is.into_iter().filter(|port| {
        subnet.contains(port.addr.into()) && !leases.iter().any(|(addr, _)| *addr == port.addr)
    });
    all.extend(stale.map(Damage::Stale));
    Ok(all)
}

fn is_whole(roots: &Roots, nft: &Nft, network: &Network) -> Result<bool, BridgeError> {
    let table = table::table(&roots.instance);
    if !table::is_whole(nft, &table)? {
        return Ok(false);
    }
    for (table, set, key) in table::bridge_elements(&table, &network.bridge) {
        if nft.element(&table, set, &key)?.is_none() {
            return Ok(false);
        }
    }
    let place = Place::default();
    if !forward::is_whole(&place, nft, &network.bridge)? {
        return Ok(false);
    }
    let localnet = place.read_sysctl(&nat::route_localnet(&network.bridge));
    Ok(localnet.is_ok_and(|value| value == "1"))
}

fn mend(
    roots: &Roots,
    nft: &Nft,
    (dir, network): (&Dir, &Network),
    found: &[Damage],
) -> Result<(), BridgeError> {
    let table = table::table(&roots.instance);
    for damage in found {
        match damage {
            Damage::Rules { .. } => {
                if !table::is_whole(nft, &table)? && !table::present(nft, &table)?.is_empty() {
                    table::rebuild(nft, &table)?;
                }
                nat::add_bridge(nft, &table, &network.bridge)?;
                forward::mend(&Place::default(), nft, &network.bridge)?;
                complete(roots, dir, nft, network)?;
            }
            Damage::Missing(port) => put(nft, &table, *port)?,
            Damage::Stale(port) => take(nft, &table, *port)?,
        }
    }
    Ok(())
}

/// Takes out again what was put in for a container that was ending just then.
fn settle(
    roots: &Roots,
    nft: &Nft,
    (dir, network): (&Dir, &Network),
    found: &[Damage],
) -> Result<(), BridgeError> {
    if !found.iter().any(|it| matches!(it, Damage::Missing(_))) {
        return Ok(());
    }
    std::thread::sleep(A_MOMENT);
    let late = damage_of(roots, nft, dir, network)?;
    for damage in late {
        if let Damage::Stale(port) = damage
            && found.contains(&Damage::Missing(port))
        {
            take(nft, &table::table(&roots.instance), port)?;
        }
    }
    Ok(())
}

/// Takes out the ports that lead to no container, without a look at anything else.
pub(crate) fn sweep(roots: &Roots, nft: &Nft) -> Result<(), BridgeError> {
    for damage in at_a_glance(roots, nft)? {
        if let Damage::Stale(port) = damage {
            take(nft, &table::table(&roots.instance), port)?;
        }
    }
    Ok(())
}

fn put(nft: &Nft, table: &Table, port: Published) -> Result<(), BridgeError> {
    let mut batch = Batch::new();
    batch.create_element(table, port.map(), &port.key(), Some(&port.data()));
    match nft.commit(batch) {
        Err(error) if error.is(Errno::EEXIST) => Ok(()),
        done => {
            done?;
            port.host.forget_flows(&Place::default(), nft)
        }
    }
}

fn take(nft: &Nft, table: &Table, port: Published) -> Result<(), BridgeError> {
    let mut batch = Batch::new();
    batch.del_element(table, port.map(), &port.key());
    match nft.commit(batch) {
        Err(error) if error.is(Errno::ENOENT) => Ok(()),
        done => {
            done?;
            port.host.forget_flows(&Place::default(), nft)
        }
    }
}

/// Takes a published port out that is in the way and leads to no container: whether there was one.
pub(crate) fn sweep_port(roots: &Roots, nft: &Nft, host: HostPort) -> Result<bool, BridgeError> {
    for damage in at_a_glance(roots, nft)? {
        if let Damage::Stale(port) = damage
            && port.host == host
        {
            take(nft, &table::table(&roots.instance), port)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// What `rbridge repair` does.
pub fn plan(roots: &Roots) -> Result<Plan, BridgeError> {
    let nft = Place::default().nft()?;
    let mut plan = Plan::new("rbridge repair");
    plan.push(Mend {
        roots: roots.clone(),
        lines: lines(roots, &nft)?,
    });
    Ok(plan)
}

fn lines(roots: &Roots, nft: &Nft) -> Result<Vec<Line>, BridgeError> {
    let place = Place::default();
    let table = table::table(&roots.instance);
    let found = damage(roots, nft)?;
    let mut text = Vec::new();
    let mut lines = Vec::new();
    let is_rules = |damage: &&Damage| matches!(damage, Damage::Rules { .. });
    if found.iter().any(|damage| is_rules(&damage)) && !table::is_whole(nft, &table)? {
        let there = table::present(nft, &table)?;
        let kept = published(nft, &table)?;
        text.extend(there.iter().map(|it| format!("delete table {it}")));
        text.push(table::create_text(&table));
        for bridge in table::names(&nft.elements(&table, table::BRIDGES)?) {
            text.push(table::bridge_text("add", &table, &bridge));
        }
        text.extend(kept.iter().map(|port| port.add_text(&table)));
    }
    for damage in &found {
        match damage {
            Damage::Rules { bridge, .. } => {
                text.push(table::bridge_text("add", &table, bridge));
                text.push(forward::mend_text(&place, nft, bridge)?);
                lines.push(place.write(&nat::route_localnet(bridge), "1"));
            }
            Damage::Missing(port) => {
                text.push(port.add_text(&table));
                lines.extend(port.host.forget_line(&place));
            }
            Damage::Stale(port) => {
                text.push(port.delete_text(&table));
                lines.extend(port.host.forget_line(&place));
            }
        }
    }
    if !text.is_empty() {
        lines.insert(0, place.feed(text.join("\n")));
    }
    Ok(lines)
}

struct Mend {
    roots: Roots,
    lines: Vec<Line>,
}

impl Step for Mend {
    fn meta(&self) -> Meta {
        Meta::new(
            "network.repair",
            says::repair(),
            Shell::Exact(self.lines.clone()),
        )
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let mended = Place::default().with_nft(cx, |nft| repair(&self.roots, nft))?;
        let each: Vec<String> = mended.iter().map(ToString::to_string).collect();
        Ok(match each.join("; ").as_str() {
            "" => Done::nothing().note("nothing was missing", "什么都不缺"),
            some => Done::nothing().note(some, format!("补回：{some}")),
        })
    }
}

impl Dir {
    /// Those of all networks of the instance.
    pub fn all(roots: &Roots) -> Vec<Self> {
        let networks = fs::read_dir(roots.run.join("networks"));
        let names = networks.into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names.iter().map(|name| Self::new(roots, name)).collect()
    }
}
