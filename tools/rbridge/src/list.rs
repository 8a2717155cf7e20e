//! `rbridge list` and `show`: bridges, their addresses and ports, what is translated and published.

use std::net::IpAddr;

use kit_net::nft::ifname;
use kit_net::{Cidr, Link};
use kit_plan::Instance;
use serde::Serialize;

use crate::{BridgeError, Place, port, table};

#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub schema: u32,
    pub kind: &'static str,
    pub name: String,
    pub index: u32,
    pub up: bool,
    pub addresses: Vec<String>,
    /// The links plugged in.
    pub ports: Vec<String>,
    /// Whether this instance translates for it.
    pub nat: bool,
    /// `[IP:]PORT:ADDRESS:PORT/PROTO`
    pub published: Vec<String>,
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
    // A kernel without nftables, or a caller without the right to ask, still has bridges.
    let nft = place.nft().ok();
    let table = table::table(instance);
    let translated = nft
        .as_ref()
        .and_then(|nft| nft.elements(&table, table::BRIDGES).ok())
        .unwrap_or_default();
    let published = nft
        .as_ref()
        .and_then(|nft| port::published(nft, &table).ok())
        .unwrap_or_default();
    Ok(bridges
        .into_iter()
        .map(|bridge| {
            let own: Vec<Cidr> = addrs
                .iter()
                .filter(|addr| addr.index == bridge.index)
                .map(|addr| addr.cidr)
                .collect();
            let inside = |addr| own.iter().any(|cidr| cidr.contains(IpAddr::V4(addr)));
            let ports = links
                .iter()
                .filter(|link| link.master == Some(bridge.index));
            Entry {
                schema: 1,
                kind: "bridge",
                index: bridge.index,
                up: bridge.up,
                addresses: own.iter().map(ToString::to_string).collect(),
                ports: ports.map(|link| link.name.clone()).collect(),
                nat: translated
                    .iter()
                    .any(|element| element.key == ifname(&bridge.name)),
                published: published
                    .iter()
                    .filter(|port| inside(port.addr))
                    .map(ToString::to_string)
                    .collect(),
                name: bridge.name,
            }
        })
        .collect())
}
