//! A network that containers share: its bridge, its subnet, translation on, a record and a lock of its own.
//!
//! It is in no container's journal; that has the membership only, a file. An empty network stays until
//! [`remove`]. Under the run root: `networks/NAME/{network.json,lock,cursor,leases/ADDR,members/ID}`.

mod dir;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::{fs, io};

use kit_net::{Cidr, Link, Nft};
use kit_plan::Roots;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub use dir::Dir;

use crate::bridge::{Create, create};
use crate::{BridgeError, Place, choice, forward, lease, nat, repair, table};

/// The default network's name, as docker's.
pub const DEFAULT: &str = "bridge";
/// The size of the default network, as docker's.
const PREFIX: u8 = 16;

/// The networks of which the first is taken that clashes with no route: those of 172.16.0.0/12 that docker, which begins
/// at 172.17.0.0, and Amazon's 172.31.0.0 come to last; then docker's smaller ones.
fn pool() -> impl Iterator<Item = Cidr> {
    let net = |addr: [u8; 4], prefix| Cidr {
        addr: IpAddr::V4(Ipv4Addr::from(addr)),
        prefix,
    };
    let large = (17..=30).rev().chain([31]);
    let large = large.map(move |second| net([172, second, 0, 0], PREFIX));
    let small = (0..=15).map(move |third| net([192, 168, third << 4, 0], 20));
    large.chain(small)
}

/// A network's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// As a user names it.
    pub name: String,
    /// The link that it is.
    pub bridge: String,
    /// The bridge's own address.
    pub gateway: Ipv4Addr,
    /// The length of its network's prefix, in bits.
    pub prefix: u8,
}

impl Network {
    /// `172.30.0.0/24`
    pub fn subnet(&self) -> Cidr {
        self.gateway_cidr().network()
    }

    /// `172.30.0.1/24`
    pub fn gateway_cidr(&self) -> Cidr {
        Cidr {
            addr: IpAddr::V4(self.gateway),
            prefix: self.prefix,
        }
    }

    /// Every address that a container may have, those after `cursor` first.
    pub(crate) fn addresses(
        &self,
        cursor: Option<Ipv4Addr>,
    ) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let gateway = self.gateway;
        let (first, last) = self.ends();
        let (first, last) = (first.to_bits(), last.to_bits());
        let from = cursor.map_or(first, Ipv4Addr::to_bits).clamp(first, last);
        let all = (from + 1..last).chain(first + 1..=from.min(last - 1));
        all.map(Ipv4Addr::from_bits)
            .filter(move |addr| *addr != gateway)
    }

    /// The network's own address and its broadcast address: no container has them.
    pub(crate) fn ends(&self) -> (Ipv4Addr, Ipv4Addr) {
        let host = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        let gateway = self.gateway.to_bits();
        (
            Ipv4Addr::from_bits(gateway & !host),
            Ipv4Addr::from_bits(gateway | host),
        )
    }
}

/// The default network as it is, or as it would be made now. Changes nothing.
pub fn preview(roots: &Roots) -> Result<Network, BridgeError> {
    let bridge = roots.instance.bridge();
    let taken = loop {
        if let Some(network) = Dir::new(roots, DEFAULT).read()? {
            return Ok(network);
        }
        if let Some(taken) = taken(&bridge)? {
            break taken;
        }
    };
    let of = |gateway: Ipv4Addr, prefix| Network {
        name: DEFAULT.to_owned(),
        bridge: bridge.clone(),
        gateway,
        prefix,
    };
    let clash = |subnet: Cidr| taken.iter().find(|other| other.overlaps(subnet));
    if let Some(chosen) = choice::read(roots)? {
        let network = of(chosen.gateway, chosen.prefix);
        return match clash(network.subnet()) {
            None => Ok(network),
            Some(other) => Err(BridgeError::BadSubnet {
                subnet: network.gateway_cidr().to_string(),
                reason: format!("it clashes with {other} of this host"),
            }),
        };
    }
    let Some(free) = pool().find(|subnet| clash(*subnet).is_none()) else {
        return Err(BridgeError::NoSubnet { bridge });
    };
    let IpAddr::V4(first) = free.addr else {
        return Err(BridgeError::NoSubnet { bridge });
    };
    Ok(of(Ipv4Addr::from_bits(first.to_bits() | 1), free.prefix))
}

/// The networks that this host has a way to, or an address in: a link that is down has addresses and no routes. The
/// bridge itself aside, which may be left from a network that was not removed to the end. `None` if another process has
/// made or removed the bridge meanwhile: it would count as a stranger's. One that came and went has left its index.
fn taken(bridge: &str) -> Result<Option<Vec<Cidr>>, BridgeError> {
    let nl = Place::default().netlink()?;
    let its_index = || Ok::<_, BridgeError>(nl.link(bridge)?.map(|link| link.index));
    let index = its_index()?;
    let routes = nl.routes()?.into_iter();
    let routes =
        routes.filter(|route| !route.is_default() && (index.is_none() || route.out != index));
    let addrs = nl.all_addrs()?.into_iter();
    let addrs = addrs.filter(|addr| Some(addr.index) != index);
    // One of /0, which a mistake makes, would rule out every network.
    let addrs = addrs.filter(|addr| addr.cidr.prefix > 0);
    let all: Vec<(Cidr, Option<u32>)> = routes
        .map(|route| (route.to, route.out))
        .chain(addrs.map(|addr| (addr.cidr, Some(addr.index))))
        .collect();
    let links: HashSet<u32> = nl.links()?.iter().map(|link| link.index).collect();
    let stays = |out: Option<u32>| out.is_none_or(|out| links.contains(&out));
    let is_settled = its_index()? == index && all.iter().all(|(_, out)| stays(*out));
    Ok(is_settled.then(|| all.into_iter().map(|(cidr, _)| cidr).collect()))
}

/// The default network, made or completed if need be. Idempotent; two at once make one.
/// The roots must be prepared.
pub fn ensure(roots: &Roots, nft: &Nft) -> Result<Network, BridgeError> {
    let dir = Dir::new(roots, DEFAULT);
    let _lock = dir.make_locked()?;
    let network = preview(roots)?;
    complete(roots, &dir, nft, &network)?;
    Ok(network)
}

/// Makes what is missing of a network, under its lock. The record comes first: it is what removes the rest.
pub(crate) fn complete(
    roots: &Roots,
    dir: &Dir,
    nft: &Nft,
    network: &Network,
) -> Result<(), BridgeError> {
    let place = Place::default();
    if is_complete(roots, dir, nft, network)? {
        return Ok(());
    }
    let group = roots.instance.link_group();
    let link = place.netlink()?.link(&network.bridge)?;
    if link.as_ref().is_some_and(|link| !is_ours(link, group)) {
        return Err(BridgeError::Foreign {
            name: network.name.clone(),
            bridge: network.bridge.clone(),
        });
    }
    if dir.read()?.as_ref() != Some(network) {
        dir.write(network)?;
    }
    let index = if let Some(link) = link {
        link.index
    } else {
        let bridge = Create::new(&place, &network.bridge, group, false);
        create(&bridge)?.0
    };
    let nl = place.netlink()?;
    let gateway = network.gateway_cidr();
    if !nl.addrs(index)?.iter().any(|addr| addr.cidr == gateway) {
        nl.add_addr(index, gateway)?;
        nl.set_up(index)?;
    }
    let table = table::table(&roots.instance);
    let localnet = nat::route_localnet(&network.bridge);
    // What is on last says that all of it is.
    if nat::is_on(&roots.instance, nft, &network.bridge)? && place.read_sysctl(&localnet)? == "1" {
        return Ok(());
    }
    nat::add_bridge(nft, &table, &network.bridge)?;
    forward::hold(&place, nft, &network.bridge)?;
    place.write_sysctl(&localnet, "1")
}

/// Whether all of it is there; asked without the kernel's lock for links, since each start does.
fn is_complete(
    roots: &Roots,
    dir: &Dir,
    nft: &Nft,
    network: &Network,
) -> Result<bool, BridgeError> {
    let place = Place::default();
    // Only a local address can be bound.
    let answers = || std::net::UdpSocket::bind((network.gateway, 0)).is_ok();
    Ok(dir.read()?.as_ref() == Some(network)
        && place.netlink()?.need_index(&network.bridge).is_ok()
        && answers()
        && nat::is_on(&roots.instance, nft, &network.bridge)?
        && place.read_sysctl(&nat::route_localnet(&network.bridge))? == "1")
}

fn is_ours(link: &Link, group: u32) -> bool {
    link.group == group && link.kind.as_deref() == Some("bridge")
}

/// Takes the network down, unless it has members: whether it went. Completes what an earlier one left.
pub fn remove(roots: &Roots, nft: &Nft, name: &str) -> Result<bool, BridgeError> {
    let dir = Dir::new(roots, name);
    if !dir.path().exists() {
        return Ok(false);
    }
    let lock = crate::lock::wait(&dir.lock())?;
    // Before anything is removed: a network of which a file cannot be read stays as it is.
    let record = dir.read()?;
    lease::sweep(&dir)?;
    let place = Place::default();
    for port in dead_ports(roots, &dir)? {
        match place.netlink()?.del_link(port.index) {
            // The kernel was at it already.
            Err(error) if error.errno() == Some(Errno::ENODEV) => {}
            deleted => deleted?,
        }
    }
    if !dir.list_members().is_empty() {
        drop(lock);
        // What a killed script left must be in nobody's way.
        repair::sweep(roots, nft)?;
        return Ok(false);
    }
    if let Some(network) = record {
        let table = table::table(&roots.instance);
        nat::off(&place, nft, &table, &network.bridge)?;
        let nl = place.netlink()?;
        if let Some(link) = nl
            .link(&network.bridge)?
            .filter(|link| is_ours(link, roots.instance.link_group()))
        {
            nl.del_link(link.index)?;
        }
    }
    // Away from its name at once: who joins meanwhile makes another.
    let gone = dir
        .path()
        .with_file_name(format!(".{name}.{}", std::process::id()));
    let removed = fs::rename(dir.path(), &gone);
    removed
        .and_then(|()| remove_renamed(&gone))
        .map_err(BridgeError::io("removing", dir.path()))?;
    Ok(true)
}

/// A process that opened the directory before the rename may still make a file in it: then it is emptied again.
fn remove_renamed(gone: &Path) -> io::Result<()> {
    for _ in 0..10 {
        match fs::remove_dir_all(gone) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            done => return done,
        }
    }
    fs::remove_dir_all(gone)
}

/// What is left of networks whose [`remove`] was killed: their files under the name that it gave them last.
pub fn half_removed(roots: &Roots) -> Vec<PathBuf> {
    let entries = fs::read_dir(roots.run.join("networks"));
    let mut paths: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let pid = name
            .filter(|name| name.starts_with('.'))
            .and_then(|name| name.rsplit('.').next()?.parse().ok());
        pid.is_some_and(|pid| kit_sys::process::start_time(pid).is_none())
    });
    paths
}

/// What a member's link on the bridge is called, but for what tells its runs apart.
pub fn port_prefix(member: &str) -> String {
    format!("bk{}", member.get(..8).unwrap_or(member))
}

/// The links on the bridge whose members have gone. The kernel takes them down with a member's namespace, but in its
/// own time.
pub fn dead_ports(roots: &Roots, dir: &Dir) -> Result<Vec<Link>, BridgeError> {
    let Some(network) = dir.read()? else {
        return Ok(Vec::new());
    };
    let nl = Place::default().netlink()?;
    let Some(bridge) = nl.link(&network.bridge)? else {
        return Ok(Vec::new());
    };
    // The links first: a member is one before it has a link.
    let mut ports = nl.links()?;
    let prefixes: Vec<String> = dir
        .list_members()
        .iter()
        .map(|id| port_prefix(id))
        .collect();
    ports.retain(|link| {
        link.master == Some(bridge.index)
            && link.group == roots.instance.link_group()
            && !prefixes.iter().any(|prefix| link.name.starts_with(prefix))
    });
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_leave_out_the_ends_and_the_gateway() {
        let network = Network {
            name: DEFAULT.into(),
            bridge: "bk0".into(),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            prefix: 29,
        };
        let last = |cursor: Option<Ipv4Addr>| -> Vec<u8> {
            network
                .addresses(cursor)
                .map(|addr| addr.octets()[3])
                .collect()
        };
        assert_eq!(last(None), [2, 3, 4, 5, 6]);
        assert_eq!(last(Some(Ipv4Addr::new(10, 0, 0, 4))), [5, 6, 2, 3, 4]);
        assert_eq!(last(Some(Ipv4Addr::new(10, 0, 0, 6))), [2, 3, 4, 5, 6]);
        assert_eq!(last(Some(Ipv4Addr::new(192, 168, 0, 1))), [2, 3, 4, 5, 6]);
    }
}
