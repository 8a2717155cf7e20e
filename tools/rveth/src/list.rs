//! `rveth list`: veths and macvlans, each with what is at its other end, in whichever namespace that is.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use kit_net::Netlink;
use rnetns::{Netns, RUN_NETNS};
use serde::Serialize;

use crate::VethError;
use crate::at::label;

/// The head of the table that `rveth list` prints.
pub const HEAD: &[&str] = &["NAME", "TYPE", "PEER", "STATE", "MTU", "MAC", "ADDRESSES"];

/// One link.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The version of this form: 1.
    pub schema: u32,
    /// `link`
    pub kind: &'static str,
    /// `NAME`, or `NAME@NETNS` outside our own namespace.
    pub name: String,
    /// `veth` or `macvlan`.
    #[serde(rename = "type")]
    pub link_type: String,
    /// Its number in its namespace.
    pub index: u32,
    /// Administratively up.
    pub up: bool,
    /// The other end is up too.
    pub carrier: bool,
    /// Its hardware address, in hex with colons.
    pub mac: String,
    /// The largest packet.
    pub mtu_bytes: u32,
    /// Each with its prefix length.
    pub addresses: Vec<String>,
    /// The other end of a veth, or what a macvlan sits on, as `NAME@NETNS`; `None` if its namespace has no
    /// name that we know.
    pub peer: Option<String>,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
    /// A text for people: a container's name.
    pub alias: Option<String>,
}

pub(crate) fn is_ours(kind: &str) -> bool {
    matches!(kind, "veth" | "macvlan")
}

/// A namespace that a peer may be in.
struct Place {
    /// `None` is our own.
    netns: Option<Netns>,
    file: File,
}

impl Place {
    fn shown(&self, link: &str) -> String {
        self.netns.as_ref().map_or_else(
            || link.to_owned(),
            |netns| format!("{link}@{}", label(netns)),
        )
    }
}

/// The links of one namespace, ours if `None`.
pub fn list(netns: Option<&Netns>) -> Result<Vec<Entry>, VethError> {
    let places = places()?;
    match netns {
        None => list_in(None, &places),
        Some(netns) => list_in(Some(netns), &places),
    }
}

/// The links of our own namespace and of all that have a name.
pub fn list_all() -> Result<Vec<Entry>, VethError> {
    let places = places()?;
    let mut all = Vec::new();
    for place in &places {
        if !matches!(place.netns, Some(Netns::Pid(_))) {
            all.extend(list_in(place.netns.as_ref(), &places)?);
        }
    }
    Ok(all)
}

fn list_in(netns: Option<&Netns>, places: &[Place]) -> Result<Vec<Entry>, VethError> {
    let nl = match netns {
        None => Netlink::open()?,
        Some(netns) => Netlink::open_in(netns.open()?.as_fd())?,
    };
    let links = nl.links()?;
    let addrs = nl.all_addrs()?;
    let mut numbers: BTreeMap<i32, &Place> = BTreeMap::new();
    for place in places {
        if let Some(number) = nl.nsid_of(place.file.as_fd())? {
            numbers.entry(number).or_insert(place);
        }
    }
    let names: BTreeMap<u32, &str> = links
        .iter()
        .map(|link| (link.index, link.name.as_str()))
        .collect();
    let shown = |name: &str| {
        netns.map_or_else(
            || name.to_owned(),
            |netns| format!("{name}@{}", label(netns)),
        )
    };
    let mut entries = Vec::new();
    for link in &links {
        let Some(kind) = link.kind.clone().filter(|kind| is_ours(kind)) else {
            continue;
        };
        let peer = match (link.peer, link.netnsid) {
            (Some(index), None) => names.get(&index).map(|name| shown(name)),
            (Some(index), Some(number)) => {
                numbers.get(&number).and_then(|place| peer_in(place, index))
            }
            (None, _) => None,
        };
        let own = addrs.iter().filter(|addr| addr.index == link.index);
        entries.push(Entry {
            schema: 1,
            kind: "link",
            name: shown(&link.name),
            link_type: kind,
            index: link.index,
            up: link.up,
            carrier: link.carrier,
            mac: kit_net::mac_text(&link.mac),
            mtu_bytes: link.mtu,
            addresses: own.map(|addr| addr.cidr.to_string()).collect(),
            peer,
            bridge: link
                .master
                .and_then(|index| names.get(&index))
                .map(|name| (*name).to_owned()),
            alias: link.alias.clone(),
        });
    }
    Ok(entries)
}

/// A namespace that has just gone has no peers.
fn peer_in(place: &Place, index: u32) -> Option<String> {
    let nl = Netlink::open_in(place.file.as_fd()).ok()?;
    Some(place.shown(&nl.link_by_index(index).ok()??.name))
}

/// Our own namespace, those with a name, and those with a process, each once, the best name first.
fn places() -> Result<Vec<Place>, VethError> {
    let own = Netns::Path("/proc/thread-self/ns/net".into()).open()?;
    let mut seen: Vec<u64> = own.metadata().iter().map(MetadataExt::ino).collect();
    let mut places = vec![Place {
        netns: None,
        file: own,
    }];
    let names = |dir: &str| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    };
    let named = names(RUN_NETNS)
        .into_iter()
        .filter_map(|name| Netns::parse(&name).ok());
    let pids = names("/proc")
        .into_iter()
        .filter_map(|name| name.parse().ok().map(Netns::Pid));
    for netns in named.chain(pids) {
        // Gone meanwhile, dead, or not ours to look at: no peer can be shown there.
        let Ok(file) = netns.open() else { continue };
        let Ok(meta) = file.metadata() else { continue };
        if !seen.contains(&meta.ino()) {
            seen.push(meta.ino());
            places.push(Place {
                netns: Some(netns),
                file,
            });
        }
    }
    Ok(places)
}
