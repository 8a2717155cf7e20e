//! `rbridge publish`: a port of the host's leads to one of a container's. An element of a map, no process.
//!
//! `rrun` uses the same step, with an address that a lease has put in a slot, and holds the port by binding it.

use std::net::Ipv4Addr;

use kit_net::nft::Table;
use kit_net::{Batch, Nft};
use kit_plan::{
    Context, Done, Instance, Line, Meta, NftFamily, Plan, Shell, SlotId, Slots, Step, StepError,
    Undo, Value, cat, words,
};
use kit_units::hex::to_hex;
use nix::errno::Errno;

use crate::port::{HostPort, Published, data, published};
use crate::{BridgeError, Place, nat, table};

/// The container's address: known, or what a lease puts into a slot.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    Addr(Ipv4Addr),
    Slot(SlotId),
}

impl Target {
    fn resolve(self, slots: &Slots) -> Option<Ipv4Addr> {
        match self {
            Self::Addr(addr) => Some(addr),
            Self::Slot(slot) => slots.get(slot)?.to_str()?.parse().ok(),
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Addr(addr) => addr.to_string().into(),
            Self::Slot(slot) => slot.into(),
        }
    }
}

/// What `publish` does. The port must be free, and the address on a bridge that we translate for.
pub fn plan(instance: &Instance, place: &Place, port: Published) -> Result<Plan, BridgeError> {
    let nft = place.nft()?;
    if nat::bridge_of(instance, place, &nft, port.addr)?.is_none() {
        return Err(BridgeError::NoNetwork {
            port: port.to_string(),
            addr: port.addr,
        });
    }
    free(&nft, &table::table(instance), port.host)?;
    port.host.probe(place)?;
    let mut plan = Plan::new(format!("rbridge publish {port}"));
    plan.push(Publish::new(
        instance,
        place.clone(),
        port.host,
        (Target::Addr(port.addr), port.port),
    ));
    Ok(plan)
}

/// No published port of any instance in this network namespace is the same one, or on an address of it: the kernel
/// would ask one table first, and the other's port would lead nowhere.
pub fn free(nft: &Nft, table: &Table, host: HostPort) -> Result<(), BridgeError> {
    let clash = |other: &Published| {
        let same_ip = host.ip.is_none() || other.host.ip.is_none() || host.ip == other.host.ip;
        other.host.port == host.port && other.host.proto == host.proto && same_ip
    };
    let tables = nft.tables()?.into_iter().map(|info| info.table);
    for theirs in tables.filter(table::is_an_instances) {
        let Some(other) = published(nft, &theirs)?.into_iter().find(clash) else {
            continue;
        };
        let whose = if theirs == *table {
            String::new()
        } else {
            format!(" of instance \"{}\"", theirs.name)
        };
        return Err(BridgeError::PortTaken {
            port: host.to_string(),
            holder: format!("published port \"{other}\"{whose}"),
        });
    }
    Ok(())
}

/// One element: a port of the host's to a port at the target.
pub struct Publish {
    table: Table,
    place: Place,
    host: HostPort,
    to: (Target, u16),
}

impl Publish {
    pub fn new(instance: &Instance, place: Place, host: HostPort, to: (Target, u16)) -> Self {
        Self {
            table: table::table(instance),
            place,
            host,
            to,
        }
    }

    fn undo(&self, slots: &Slots, done: bool) -> Vec<Undo> {
        // With a slot that is still empty nothing was done, and nothing is to be undone.
        let Some(addr) = self.to.0.resolve(slots) else {
            return Vec::new();
        };
        vec![Undo::NftElement {
            netns: self.place.path(),
            family: NftFamily::Ip,
            table: self.table.name.clone(),
            map: self.host.map().to_owned(),
            key: to_hex(&self.host.key()),
            data: Some(to_hex(&data(addr, self.to.1))),
            done,
        }]
    }
}

impl Step for Publish {
    fn meta(&self) -> Meta {
        let (map, key, port) = (self.host.map(), self.host.key_text(), self.to.1);
        let table = self.table.name.as_str();
        let element = cat![
            format!("{{ {key} : "),
            self.to.0.value(),
            format!(" . {port} }}")
        ];
        let line = Line::Run(self.place.words(words![
            "nft", "create", "element", "ip", table, map, element
        ]));
        let why = format!(
            "port {} of this host leads to port {port} inside",
            self.host
        );
        Meta::new("port.publish", why, Shell::Exact(vec![line]))
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        match self.to.0 {
            // A leased address is nobody else's, so that the element is ours by what it leads to.
            Target::Slot(_) => self.undo(slots, false),
            // The same port may have been published by somebody else a moment ago: that is why this fails then.
            Target::Addr(_) => Vec::new(),
        }
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let addr = self.to.0.resolve(&cx.slots).ok_or_else(|| {
            StepError::new(
                format!("publishing port \"{}\"", self.host),
                "no address was leased",
            )
        })?;
        self.place.with_nft(cx, |nft| {
            let mut batch = Batch::new();
            let data = data(addr, self.to.1);
            batch.create_element(&self.table, self.host.map(), &self.host.key(), Some(&data));
            match nft.commit(batch) {
                Err(error) if error.is(Errno::EEXIST) => {
                    free(nft, &self.table, self.host)?;
                    Err(error.into())
                }
                other => Ok(other?),
            }
        })?;
        Ok(Done::made(self.undo(&cx.slots, true)))
    }
}

/// What `unpublish` does. `text` is what was published, or its host's end alone.
pub fn unpublish_plan(instance: &Instance, place: &Place, text: &str) -> Result<Plan, BridgeError> {
    let whole = Published::parse(text).ok();
    let host = whole.map_or_else(|| HostPort::parse(text), |port| Ok(port.host))?;
    let table = table::table(instance);
    let found = published(&place.nft()?, &table)?
        .into_iter()
        .find(|port| port.host == host);
    let found = found.filter(|port| whole.is_none_or(|whole| whole == *port));
    let port = found.ok_or_else(|| BridgeError::NotPublished {
        port: text.to_owned(),
    })?;
    let mut plan = Plan::new(format!("rbridge unpublish {port}"));
    plan.push(Unpublish {
        table,
        place: place.clone(),
        port,
    });
    Ok(plan)
}

struct Unpublish {
    table: Table,
    place: Place,
    port: Published,
}

impl Step for Unpublish {
    fn meta(&self) -> Meta {
        let why = format!("port {} is this host's own again", self.port.host);
        let line = self.place.feed(self.port.delete_text(&self.table));
        Meta::new("port.unpublish", why, Shell::Exact(vec![line]))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.place.with_nft(cx, |nft| {
            let mut batch = Batch::new();
            batch.del_element(&self.table, self.port.map(), &self.port.key());
            Ok(nft.commit(batch)?)
        })?;
        Ok(Done::nothing())
    }
}
