//! `rbridge publish`: a port of the host's leads to one of a container's. An element of a map, no process.
//!
//! `rrun` uses the same step, with an address that a lease has put in a slot, and holds the port by binding it.

use std::net::Ipv4Addr;

use kit_net::nft::Table;
use kit_net::{Batch, Nft};
use kit_plan::{
    Context, Done, Instance, Line, Meta, NftFamily, Plan, Roots, Shell, SlotId, Slots, Step,
    StepError, Undo, Value, cat, words,
};
use kit_units::hex::to_hex;
use nix::errno::Errno;

use crate::port::{HostPort, Proto, Published, data, published};
use crate::says;
use crate::{BridgeError, Place, nat, repair, table};

/// The container's address: known, or what a lease puts into a slot.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// This one.
    Addr(Ipv4Addr),
    /// What an earlier step puts there.
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
            port: place.named(&port.to_string()),
            addr: port.addr,
        });
    }
    free(&nft, &table::table(instance), port.host)?;
    port.host.probe(place)?;
    let mut plan = Plan::new(format!(
        "rbridge publish {}",
        place.named(&port.to_string())
    ));
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
    free_in(nft, table, host, true)
}

/// Of all instances, or of the others only.
fn free_in(nft: &Nft, table: &Table, host: HostPort, ours_too: bool) -> Result<(), BridgeError> {
    let clash = |other: &Published| {
        let same_ip = host.ip.is_none() || other.host.ip.is_none() || host.ip == other.host.ip;
        other.host.port == host.port && other.host.proto == host.proto && same_ip
    };
    let mut tables: Vec<Table> = nft.tables()?.into_iter().map(|info| info.table).collect();
    tables.retain(|theirs| table::is_an_instances(theirs) && (ours_too || theirs != table));
    for theirs in tables {
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
    /// Whose containers' leases say whether an element that is in the way leads anywhere.
    roots: Option<Roots>,
}

impl Publish {
    /// `host` leads to `to`, an address and a port.
    pub fn new(instance: &Instance, place: Place, host: HostPort, to: (Target, u16)) -> Self {
        Self {
            table: table::table(instance),
            place,
            host,
            to,
            roots: None,
        }
    }

    /// Takes the place of an element that a container which ended without a monitor has left.
    #[must_use]
    pub fn sweeping(mut self, roots: &Roots) -> Self {
        self.roots = Some(roots.clone());
        self
    }

    /// Somebody may flush all tables at any moment, as each reload of firewalld does: what was there when this container
    /// joined its network is made again, and the element with it.
    fn put(&self, nft: &Nft, addr: Ipv4Addr) -> Result<(), BridgeError> {
        const TRIES: usize = 5;
        let flushed = |error: &BridgeError| matches!(error, BridgeError::Net(error) if error.errno() == Some(Errno::ENOENT));
        for _ in 1..TRIES {
            match (self.put_once(nft, addr), &self.roots) {
                (Err(error), Some(roots)) if flushed(&error) => {
                    // It may be flushed once more meanwhile.
                    repair(roots, nft)
                        .map(drop)
                        .or_else(|error| if flushed(&error) { Ok(()) } else { Err(error) })?;
                }
                (outcome, _) => return outcome,
            }
        }
        self.put_once(nft, addr)
    }

    fn put_once(&self, nft: &Nft, addr: Ipv4Addr) -> Result<(), BridgeError> {
        // Those of our own instance are found by what follows.
        free_in(nft, &self.table, self.host, false)?;
        let data = data(addr, self.to.1);
        let create = || {
            let mut batch = Batch::new();
            batch.create_element(&self.table, self.host.map(), &self.host.key(), Some(&data));
            nft.commit(batch)
        };
        match create() {
            Err(error) if error.is(Errno::EEXIST) => {
                // A repair has just put it in for us: the address is leased to nobody else.
                let there = nft.element(&self.table, self.host.map(), &self.host.key())?;
                if there.is_none() {
                    // Flushed between the two: it is in nobody's way any more.
                    return self.put_once(nft, addr);
                }
                if self.roots.is_some() && there.and_then(|it| it.data).as_ref() == Some(&data) {
                    return Ok(());
                }
                let swept = self
                    .roots
                    .as_ref()
                    .map(|roots| repair::sweep_port(roots, nft, self.host));
                if swept.transpose()? == Some(true) {
                    create()?;
                } else {
                    free(nft, &self.table, self.host)?;
                    return Err(error.into());
                }
            }
            created => created?,
        }
        // A client that sent before has no part in this yet.
        self.host.forget_flows(&self.place, nft)
    }

    fn undo(&self, slots: &Slots, done: bool) -> Vec<Undo> {
        // With a slot that is still empty nothing was done, and nothing is to be undone.
        let Some(addr) = self.to.0.resolve(slots) else {
            return Vec::new();
        };
        self.undo_with(Some(to_hex(&data(addr, self.to.1))), done, None)
    }

    fn undo_with(&self, data: Option<String>, done: bool, text: Option<String>) -> Vec<Undo> {
        // In reverse: the element first, then what it has led inside.
        let mut undo = self.flows();
        undo.push(Undo::NftElement {
            netns: self.place.path(),
            family: NftFamily::Ip,
            table: self.table.name.clone(),
            map: self.host.map().to_owned(),
            key: to_hex(&self.host.key()),
            data,
            done,
            text,
        });
        undo
    }

    fn flows(&self) -> Vec<Undo> {
        let flows = (self.host.proto == Proto::Udp).then(|| Undo::Flows {
            netns: self.place.path(),
            ip: self.host.ip,
            port: self.host.port,
        });
        flows.into_iter().collect()
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
        let says = says::publish(self.host, port);
        let mut lines = vec![line];
        lines.extend(self.host.forget_line(&self.place));
        Meta::new("port.publish", says, Shell::Exact(lines))
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        match self.to.0 {
            // A leased address is nobody else's, so that the element is ours by what it leads to.
            Target::Slot(_) => self.undo(slots, false),
            // The same port may have been published by somebody else a moment ago: that is why this fails then.
            Target::Addr(_) => Vec::new(),
        }
    }

    fn when_done(&self) -> Vec<Undo> {
        // A script knows the address as it runs.
        self.undo_with(None, true, Some(self.host.key_text()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let addr = self.to.0.resolve(&cx.slots).ok_or_else(|| {
            StepError::new(
                format!("publishing port \"{}\"", self.host),
                "no address was leased",
            )
        })?;
        self.place.with_nft(cx, |nft| self.put(nft, addr))?;
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
        port: place.named(text),
    })?;
    let mut plan = Plan::new(format!(
        "rbridge unpublish {}",
        place.named(&port.to_string())
    ));
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
        let says = says::unpublish(self.port.host);
        let mut lines = vec![self.place.feed(self.port.delete_text(&self.table))];
        lines.extend(self.port.host.forget_line(&self.place));
        Meta::new("port.unpublish", says, Shell::Exact(lines))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        self.place.with_nft(cx, |nft| {
            let mut batch = Batch::new();
            batch.del_element(&self.table, self.port.map(), &self.port.key());
            nft.commit(batch)?;
            self.port.host.forget_flows(&self.place, nft)
        })?;
        Ok(Done::nothing())
    }
}
