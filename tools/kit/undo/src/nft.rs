//! Tables, rules and map elements of ours, and the flows that such an element led somewhere.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use kit_net::nft::{Batch, Family, Table};
use kit_net::{NetError, Netlink, Nft};
use kit_plan::{FileId, NftFamily, Undo, UndoError, Undone};
use nix::errno::Errno;

use crate::not_ours;

/// The sockets, one a network namespace, kept open.
#[derive(Default)]
pub struct Sockets(HashMap<(Option<PathBuf>, Option<FileId>), Nft>);

impl Sockets {
    pub fn undo(&mut self, undo: &Undo) -> Result<Undone, UndoError> {
        match undo {
            Undo::NftTable {
                netns,
                family,
                table,
                handle,
            } => {
                let table = Table::new(family_of(*family), table);
                self.with(netns.as_deref(), |nft| del_table(nft, &table, *handle))
            }
            Undo::NftRule {
                netns,
                family,
                table,
                chain,
                handle,
            } => {
                let table = Table::new(family_of(*family), table);
                // Without a handle it was never made, as far as anybody knows: a rule has no mark.
                let Some(handle) = *handle else {
                    return Ok(Undone::Absent);
                };
                self.with(netns.as_deref(), |nft| {
                    let mut batch = Batch::new();
                    batch.del_rule(&table, chain, handle);
                    commit(nft, batch)
                })
            }
            Undo::NftElement {
                netns,
                family,
                table,
                map,
                key,
                data,
                ..
            } => {
                let table = Table::new(family_of(*family), table);
                let key = from_hex(key)?;
                let data = data.as_deref().map(from_hex).transpose()?;
                self.with(netns.as_deref(), |nft| {
                    del_element(nft, &table, map, (&key, data.as_deref()))
                })
            }
            Undo::Flows { netns, ip, port } => self.with(netns.as_deref(), |nft| {
                let Some(nl) = netlink(netns.as_deref())? else {
                    return Ok(Undone::Absent);
                };
                Ok(match nft.forget_udp(&nl, *ip, *port)? {
                    0 => Undone::Absent,
                    _ => Undone::Removed,
                })
            }),
            other => Err(UndoError::new(
                format!("undoing {other:?}"),
                "it is not nftables'",
            )),
        }
    }

    /// A namespace that is gone took its tables along.
    fn with(
        &mut self,
        netns: Option<&Path>,
        act: impl FnOnce(&Nft) -> Result<Undone, NetError>,
    ) -> Result<Undone, UndoError> {
        let key = (netns.map(Path::to_owned), FileId::of_netns(netns).ok());
        if !self.0.contains_key(&key) {
            match open(netns).map_err(|e| UndoError::new("opening netlink", e))? {
                Some(nft) => self.0.insert(key.clone(), nft),
                None => return Ok(Undone::Absent),
            };
        }
        match self.0.get(&key) {
            Some(nft) => act(nft).map_err(|e| UndoError::new("undoing nftables", e)),
            None => Ok(Undone::Absent),
        }
    }
}

fn open(netns: Option<&Path>) -> Result<Option<Nft>, NetError> {
    let Some(path) = netns else {
        return Nft::open().map(Some);
    };
    let Ok(file) = File::open(path) else {
        return Ok(None);
    };
    match Nft::open_in(file.as_fd()) {
        // The file is there but no namespace is mounted on it any more.
        Err(NetError::Netns { .. }) => Ok(None),
        opened => opened.map(Some),
    }
}

fn netlink(netns: Option<&Path>) -> Result<Option<Netlink>, NetError> {
    let Some(path) = netns else {
        return Netlink::open().map(Some);
    };
    match File::open(path) {
        Ok(file) => Netlink::open_in(file.as_fd()).map(Some),
        Err(_) => Ok(None),
    }
}

fn del_table(nft: &Nft, table: &Table, handle: Option<u64>) -> Result<Undone, NetError> {
    let Some(found) = nft.table(table)? else {
        return Ok(Undone::Absent);
    };
    if handle.is_some_and(|handle| handle != found.handle) {
        return Ok(not_ours("it was made anew since"));
    }
    Ok(if nft.delete_empty(table)? {
        Undone::Removed
    } else {
        not_ours("somebody has put something into it since")
    })
}

fn del_element(
    nft: &Nft,
    table: &Table,
    map: &str,
    (key, data): (&[u8], Option<&[u8]>),
) -> Result<Undone, NetError> {
    let Some(found) = nft.element(table, map, key)? else {
        return Ok(Undone::Absent);
    };
    if found.data.as_deref() != data {
        return Ok(not_ours("the element leads elsewhere now"));
    }
    let mut batch = Batch::new();
    batch.del_element(table, map, key);
    commit(nft, batch)
}

fn commit(nft: &Nft, batch: Batch) -> Result<Undone, NetError> {
    match nft.commit(batch) {
        Ok(()) => Ok(Undone::Removed),
        Err(error) if error.is(Errno::ENOENT) => Ok(Undone::Absent),
        Err(error) => Err(error),
    }
}

fn family_of(family: NftFamily) -> Family {
    match family {
        NftFamily::Inet => Family::Inet,
        NftFamily::Ip => Family::Ip,
        NftFamily::Ip6 => Family::Ip6,
        NftFamily::Bridge => Family::Bridge,
        NftFamily::Netdev => Family::Netdev,
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, UndoError> {
    kit_units::hex::from_hex(text)
        .ok_or_else(|| UndoError::new(format!("reading element \"{text}\""), "it is not hex"))
}
