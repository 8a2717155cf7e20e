//! `rnetns list` and `show`: the names, their inode, who is inside, and what links they have.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kit_net::Netlink;
use serde::Serialize;

use crate::{Netns, NetnsError, RUN_NETNS};

/// A named namespace.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The version of this form: 1.
    pub schema: u32,
    /// `netns`
    pub kind: &'static str,
    /// As ip-netns(8) has it.
    pub name: String,
    /// The namespace's inode, as in `/proc/PID/ns/net`; `None` for a file with nothing mounted on it.
    pub inode: Option<u64>,
    /// Processes inside, by PID.
    pub pids: Vec<i32>,
    /// Its links, with their addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkEntry>,
}

/// A link of a namespace that is shown.
#[derive(Debug, Clone, Serialize)]
pub struct LinkEntry {
    /// Its name there.
    pub name: String,
    /// Administratively up.
    pub up: bool,
    /// Each with its prefix length.
    pub addresses: Vec<String>,
}

/// One namespace with its links, as `show` prints it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Shown(pub Entry);

/// All names, sorted. A missing `/run/netns` is an empty one.
pub fn list() -> Result<Vec<Entry>, NetnsError> {
    let Ok(files) = std::fs::read_dir(RUN_NETNS) else {
        return Ok(Vec::new());
    };
    let mut names: Vec<String> = files
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .collect();
    names.sort();
    let inside = processes();
    Ok(names.into_iter().map(|name| entry(name, &inside)).collect())
}

/// One of them, links included.
pub fn show(name: &str) -> Result<Entry, NetnsError> {
    let netns = Netns::parse(name)?;
    let file = netns.open()?;
    let mut entry = entry(name.to_owned(), &processes());
    let path = netns.path();
    entry.inode = file.metadata().ok().map(|meta| meta.ino());
    let io = |e: kit_net::NetError| NetnsError::Io {
        doing: "reading links of network namespace",
        path: path.clone(),
        source: std::io::Error::other(e),
    };
    let nl = Netlink::open_in(file.as_fd()).map_err(io)?;
    let addrs = nl.all_addrs().map_err(io)?;
    for link in nl.links().map_err(io)? {
        let own = addrs.iter().filter(|addr| addr.index == link.index);
        let addresses = own.map(|addr| addr.cidr.to_string()).collect();
        entry.links.push(LinkEntry {
            name: link.name,
            up: link.up,
            addresses,
        });
    }
    Ok(entry)
}

fn entry(name: String, inside: &BTreeMap<u64, Vec<i32>>) -> Entry {
    let path =
        Netns::parse(&name).map_or_else(|_| Path::new(RUN_NETNS).join(&name), |netns| netns.path());
    let alive = Netns::Path(path).open().ok();
    let inode = alive
        .and_then(|file| file.metadata().ok())
        .map(|meta| meta.ino());
    let pids = inode
        .and_then(|inode| inside.get(&inode))
        .cloned()
        .unwrap_or_default();
    Entry {
        schema: 1,
        kind: "netns",
        name,
        inode,
        pids,
        links: Vec::new(),
    }
}

/// Who is in which namespace, by inode.
fn processes() -> BTreeMap<u64, Vec<i32>> {
    let mut inside: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
    let Ok(proc) = std::fs::read_dir("/proc") else {
        return inside;
    };
    let pids = proc
        .flatten()
        .filter_map(|file| file.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        if let Ok(meta) = std::fs::metadata(format!("/proc/{pid}/ns/net")) {
            inside.entry(meta.ino()).or_default().push(pid);
        }
    }
    for pids in inside.values_mut() {
        pids.sort_unstable();
    }
    inside
}
