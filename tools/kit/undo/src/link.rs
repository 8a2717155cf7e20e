//! Network links, their addresses and state. A done record names the link's index, an intended one our group.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Link, NetError, Netlink};
use kit_plan::{FileId, UndoError, Undone};
use nix::errno::Errno;

use crate::not_ours;

/// A socket in `netns`, or `None` when that namespace is gone, and its links with it.
fn open(netns: Option<&Path>) -> Result<Option<Netlink>, UndoError> {
    let opened = match netns {
        None => Netlink::open(),
        Some(path) => match File::open(path) {
            Ok(file) => Netlink::open_in(file.as_fd()),
            Err(_) => return Ok(None),
        },
    };
    match opened {
        Ok(nl) => Ok(Some(nl)),
        // The file is there but no namespace is mounted on it any more.
        Err(NetError::Netns { .. }) => Ok(None),
        Err(e) => Err(UndoError::new("opening netlink", e)),
    }
}

/// The link that the record is about, if it is still that one.
fn find(nl: &Netlink, name: &str, index: Option<u32>) -> Result<Option<Link>, UndoError> {
    let found = index.map_or_else(|| nl.link(name), |index| nl.link_by_index(index));
    found.map_err(|e| UndoError::new(format!("finding link \"{name}\""), e))
}

pub fn delete(
    netns: Option<&Path>,
    name: &str,
    group: u32,
    made: Option<(u32, FileId)>,
) -> Result<Undone, UndoError> {
    let Some(nl) = open(netns)? else {
        return Ok(Undone::Absent);
    };
    if made.is_some_and(|(_, home)| FileId::of_netns(netns).ok() != Some(home)) {
        return Ok(not_ours("another network namespace has that name now"));
    }
    let index = made.map(|(index, _)| index);
    let Some(link) = find(&nl, name, index)? else {
        return Ok(Undone::Absent);
    };
    if link.name != name {
        return Ok(not_ours(format!(
            "the link of that number is \"{}\" now",
            link.name
        )));
    }
    // One whose index is known may have lost the mark already, as the last thing that its verb does.
    if index.is_none() && link.group != group {
        return Ok(not_ours("it does not have our group"));
    }
    match nl.del_link(link.index) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if e.is(Errno::ENODEV) => Ok(Undone::Absent),
        Err(e) => Err(UndoError::new(format!("deleting link \"{name}\""), e)),
    }
}

pub fn remove_addr(
    netns: Option<&Path>,
    name: &str,
    index: Option<u32>,
    addr: &str,
) -> Result<Undone, UndoError> {
    let doing = || format!("removing address \"{addr}\" from link \"{name}\"");
    let (Some(nl), Some(index)) = (open(netns)?, index) else {
        return Ok(Undone::Absent);
    };
    let cidr = addr.parse().map_err(|e| UndoError::new(doing(), e))?;
    match nl.del_addr(index, cidr) {
        Ok(()) => Ok(Undone::Removed),
        Err(e) if e.is(Errno::ENODEV) || e.is(Errno::EADDRNOTAVAIL) => Ok(Undone::Absent),
        Err(e) => Err(UndoError::new(doing(), e)),
    }
}

pub fn restore(
    netns: Option<&Path>,
    name: &str,
    index: Option<u32>,
    was: &kit_plan::LinkWas,
) -> Result<Undone, UndoError> {
    let (Some(nl), Some(index)) = (open(netns)?, index) else {
        return Ok(Undone::Absent);
    };
    let mut message = LinkUnspec::new_with_index(index);
    if let Some(mtu) = was.mtu {
        message = message.mtu(mtu);
    }
    if let Some(master) = was.master {
        message = message.controller(master);
    }
    if let Some(name) = &was.name {
        message = message.name(name.clone());
    }
    if let Some(address) = &was.address {
        message = message.address(address.clone());
    }
    let home = was.netns.as_ref().map(File::open).transpose();
    let home = home.map_err(|e| UndoError::new(format!("moving link \"{name}\" back"), e))?;
    if let Some(home) = &home {
        message = message.setns_by_fd(home.as_raw_fd());
    }
    message = match was.up {
        Some(true) => message.up(),
        Some(false) => message.down(),
        None => message,
    };
    let failed = |e| UndoError::new(format!("restoring link \"{name}\""), e);
    match nl.set_link(message.build()) {
        Ok(()) => {}
        Err(e) if e.is(Errno::ENODEV) => return Ok(Undone::Absent),
        Err(e) => return Err(failed(e)),
    }
    let nl = match home {
        Some(home) => Netlink::open_in(home.as_fd()).map_err(failed)?,
        None => nl,
    };
    add_addrs(&nl, name, &was.addrs).map_err(failed)?;
    Ok(Undone::Removed)
}

/// Those that went with its being up, or with its namespace.
fn add_addrs(nl: &Netlink, name: &str, addrs: &[String]) -> Result<(), NetError> {
    let Some(link) = nl.link(name)?.filter(|_| !addrs.is_empty()) else {
        return Ok(());
    };
    for cidr in addrs.iter().filter_map(|addr| addr.parse().ok()) {
        match nl.add_addr(link.index, cidr) {
            Err(e) if !e.is(Errno::EEXIST) => return Err(e),
            _ => {}
        }
    }
    Ok(())
}
