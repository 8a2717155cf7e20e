//! Network links, their addresses and state. A done record names the link's index, an intended one our group.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Link, NetError, Netlink};
use kit_plan::{LinkWas, NetnsId, UndoError, Undone};
use nix::errno::Errno;

use crate::not_ours;

/// What a done record knows of a link: its index, and the namespace that it is one of.
type Made = (u32, NetnsId);

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

/// The link that the record is about, if it is still that one; or why there is nothing to do.
fn find(
    nl: &Netlink,
    netns: Option<&Path>,
    name: &str,
    made: Option<Made>,
) -> Result<Result<Link, Undone>, UndoError> {
    if made.is_some_and(|(_, home)| !is_home(nl, netns, home)) {
        return Ok(Err(not_ours("another network namespace has that name now")));
    }
    let found = made.map_or_else(|| nl.link(name), |(index, _)| nl.link_by_index(index));
    let found = found.map_err(|e| UndoError::new(format!("finding link \"{name}\""), e))?;
    Ok(match found {
        None => Err(Undone::Absent),
        Some(link) if link.name != name => Err(not_ours(format!(
            "the link of that number is \"{}\" now",
            link.name
        ))),
        Some(link) => Ok(link),
    })
}

fn is_home(nl: &Netlink, netns: Option<&Path>, home: NetnsId) -> bool {
    NetnsId::of_socket(nl, netns).is_ok_and(|here| here.is(&home))
}

pub fn delete(
    netns: Option<&Path>,
    name: &str,
    group: u32,
    made: Option<Made>,
) -> Result<Undone, UndoError> {
    let Some(nl) = open(netns)? else {
        return Ok(Undone::Absent);
    };
    let link = match find(&nl, netns, name, made)? {
        Ok(link) => link,
        Err(undone) => return Ok(undone),
    };
    // One whose index is known may have lost the mark already, as the last thing that its verb does.
    if made.is_none() && link.group != group {
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
    made: Option<Made>,
    addr: &str,
) -> Result<Undone, UndoError> {
    let doing = || format!("removing address \"{addr}\" from link \"{name}\"");
    let (Some(nl), Some(_)) = (open(netns)?, made) else {
        return Ok(Undone::Absent);
    };
    let index = match find(&nl, netns, name, made)? {
        Ok(link) => link.index,
        Err(undone) => return Ok(undone),
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
    made: Option<Made>,
    was: &LinkWas,
) -> Result<Undone, UndoError> {
    let (Some(nl), Some(_)) = (open(netns)?, made) else {
        return Ok(Undone::Absent);
    };
    let index = match find(&nl, netns, name, made)? {
        Ok(link) => link.index,
        Err(undone) => return Ok(undone),
    };
    let home = match &was.netns {
        None => None,
        Some(path) => match open_home(path, was.netns_id)? {
            Some(home) => Some(home),
            None => return Ok(not_ours("the network namespace that it came from is gone")),
        },
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
    if let Some((home, _)) = &home {
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
    let there = home.map_or(nl, |(_, there)| there);
    let name_there = was.name.as_deref().unwrap_or(name);
    put_back(&there, name_there, &was.lost).map_err(failed)?;
    Ok(Undone::Removed)
}

/// Where a link goes back to, if that is still there.
fn open_home(path: &Path, id: Option<NetnsId>) -> Result<Option<(File, Netlink)>, UndoError> {
    let (Ok(file), Some(nl)) = (File::open(path), open(Some(path))?) else {
        return Ok(None);
    };
    let is_it = id.is_none_or(|id| is_home(&nl, Some(path), id));
    Ok(is_it.then_some((file, nl)))
}

/// The addresses and routes that it lost.
fn put_back(nl: &Netlink, name: &str, lost: &[String]) -> Result<(), NetError> {
    let Some(link) = nl.link(name)?.filter(|_| !lost.is_empty()) else {
        return Ok(());
    };
    for lost in lost.iter().filter_map(|text| text.parse().ok()) {
        nl.put_back(link.index, &lost)?;
    }
    Ok(())
}
