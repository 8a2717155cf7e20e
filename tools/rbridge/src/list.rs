//! `rbridge list` and `show`: bridges, their addresses and ports, what is translated and published.

use std::net::{IpAddr, Ipv4Addr};

use kit_net::nft::{Table, ifname};
use kit_net::{Addr, Cidr, Link, Nft, Route};
use kit_plan::Instance;
use serde::Serialize;

use crate::port::Published;
use crate::{BridgeError, Place, port, table};

/// A bridge, as `list` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The version of this form: 1.
    pub schema: u32,
    /// `bridge`
    pub kind: &'static str,
    /// Its name in its namespace.
    pub name: String,
    /// Its number in its namespace.
    pub index: u32,
    /// As brctl(8) writes it.
    pub id: String,
    /// Its hardware address, in hex with colons.
    pub mac: String,
    /// It speaks the spanning tree protocol.
    pub stp: bool,
    /// Administratively up.
    pub up: bool,
    /// Each with its prefix length.
    pub addresses: Vec<String>,
    /// The links plugged in.
    pub ports: Vec<String>,
    /// Whether an instance translates for it.
    pub nat: bool,
    /// Which one, as its table is named.
    pub instance: Option<String>,
    /// `[IP:]PORT:ADDRESS:PORT/PROTO`
    pub published: Vec<String>,
    /// That instance is ours.
    #[serde(skip)]
    pub ours: bool,
}

/// What one instance does with nftables.
struct Doing {
    table: Table,
    bridges: Vec<Vec<u8>>,
    published: Vec<Published>,
}

/// Of every instance in the namespace. A kernel without nftables, or a caller without the right to ask, still has
/// bridges.
fn doings(nft: &Nft) -> Vec<Doing> {
    let tables = nft.tables().unwrap_or_default().into_iter();
    let tables = tables.map(|info| info.table).filter(table::is_an_instances);
    let doing = |table: Table| {
        let bridges = nft.elements(&table, table::BRIDGES).unwrap_or_default();
        Doing {
            bridges: bridges.into_iter().map(|element| element.key).collect(),
            published: port::published(nft, &table).unwrap_or_default(),
            table,
        }
    };
    tables.map(doing).collect()
}

/// All bridges, or the one of that name.
pub fn list(
    instance: &Instance,
    place: &Place,
    only: Option<&str>,
) -> Result<Vec<Entry>, BridgeError> {
    let bridges: Vec<Link> = if let Some(name) = only {
        vec![place.bridge(name)?]
    } else {
        let mut links = place.netlink()?.links()?;
        links.retain(|link| link.kind.as_deref() == Some("bridge"));
        links
    };
    let nl = place.netlink()?;
    let (links, addrs) = (nl.links()?, nl.all_addrs()?);
    let all = All {
        own_table: table::table(instance),
        doings: place.nft().map(|nft| doings(&nft)).unwrap_or_default(),
        routes: nl.routes()?,
        links,
        addrs,
    };
    Ok(bridges
        .into_iter()
        .map(|bridge| all.entry(bridge))
        .collect())
}

/// All that a namespace has, asked for once.
struct All {
    links: Vec<Link>,
    addrs: Vec<Addr>,
    routes: Vec<Route>,
    doings: Vec<Doing>,
    own_table: Table,
}

impl All {
    fn entry(&self, bridge: Link) -> Entry {
        let own: Vec<Cidr> = self
            .addrs
            .iter()
            .filter(|addr| addr.index == bridge.index)
            .map(|addr| addr.cidr)
            .collect();
        let inside = |addr| {
            let inside = own.iter().any(|cidr| cidr.contains(IpAddr::V4(addr)));
            inside && way_to(&self.routes, addr).is_none_or(|index| index == bridge.index)
        };
        let ports = self
            .links
            .iter()
            .filter(|link| link.master == Some(bridge.index));
        let key = ifname(&bridge.name);
        let doing = self
            .doings
            .iter()
            .find(|doing| doing.bridges.iter().any(|there| there[..] == key));
        let published = doing.into_iter().flat_map(|doing| &doing.published);
        Entry {
            schema: 1,
            kind: "bridge",
            index: bridge.index,
            id: bridge.bridge_id.unwrap_or_default(),
            mac: kit_net::mac_text(&bridge.mac),
            stp: bridge.stp,
            up: bridge.up,
            addresses: own.iter().map(ToString::to_string).collect(),
            ports: ports.map(|link| link.name.clone()).collect(),
            nat: doing.is_some(),
            instance: doing.map(|doing| doing.table.name.clone()),
            published: published
                .filter(|port| inside(port.addr))
                .map(ToString::to_string)
                .collect(),
            ours: doing.is_some_and(|doing| doing.table == self.own_table),
            name: bridge.name,
        }
    }
}

/// The link by which the host reaches an address: where two bridges have its network, a published port leads to one.
fn way_to(routes: &[Route], addr: Ipv4Addr) -> Option<u32> {
    let mut ways: Vec<&Route> = routes
        .iter()
        .filter(|route| route.to.contains(IpAddr::V4(addr)))
        .collect();
    // The longest prefix, then the least metric, then the first.
    ways.sort_by_key(|route| (std::cmp::Reverse(route.to.prefix), route.metric));
    ways.first()?.out
}
