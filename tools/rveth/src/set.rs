//! `rveth set`: changes of one link, each a step that can be taken back.

use std::os::fd::AsRawFd;
use std::path::PathBuf;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Cidr, NetError, Netlink, check_link_name};
use kit_plan::{
    Context, Done, Line, LinkWas, Meta, NetnsId, Plan, Shell, Slots, Step, StepError, Undo, Value,
    words,
};
use nix::errno::Errno;
use rnetns::Netns;

use crate::at::label;
use crate::{At, Link, Mac, VethError};

/// What is to be changed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `Some(true)` is up.
    pub up: Option<bool>,
    pub netns: Option<Netns>,
    pub name: Option<String>,
    pub mac: Option<Mac>,
    pub mtu: Option<u32>,
    pub addrs: Vec<Cidr>,
    pub del_addrs: Vec<Cidr>,
}

/// What `set` does, in the order in which the kernel will have it: a move takes a link down and its addresses
/// away, so that comes early.
pub fn plan(link: &Link, wanted: &Wanted) -> Result<Plan, VethError> {
    let found = link.find("changing")?;
    let kind = found.what().to_owned();
    if !crate::list::is_ours(&kind) {
        return Err(VethError::OtherKind {
            doing: "changing",
            link: link.to_string(),
            kind,
        });
    }
    if let Some(name) = &wanted.name {
        check_link_name(name)?;
    }
    let mut plan = Plan::new(format!("rveth set {link}"));
    let mut now = link.clone();
    let mut push = |link: &Link, change| {
        plan.push(Set {
            link: link.clone(),
            change,
        });
    };
    if wanted.up == Some(false) {
        push(&now, Change::Up(false));
    }
    if let Some(netns) = &wanted.netns {
        netns.open()?;
        push(&now, Change::Netns(netns.clone()));
        now.netns = Some(netns.clone());
    }
    if let Some(name) = &wanted.name {
        push(&now, Change::Name(name.clone()));
        now.name.clone_from(name);
    }
    let rest = wanted
        .mac
        .map(Change::Mac)
        .into_iter()
        .chain(wanted.mtu.map(Change::Mtu));
    let addrs = wanted.del_addrs.iter().map(|addr| Change::DelAddr(*addr));
    let addrs = addrs.chain(wanted.addrs.iter().map(|addr| Change::Addr(*addr)));
    let up = (wanted.up == Some(true)).then_some(Change::Up(true));
    for change in rest.chain(addrs).chain(up) {
        push(&now, change);
    }
    Ok(plan)
}

enum Change {
    Up(bool),
    Netns(Netns),
    Name(String),
    Mac(Mac),
    Mtu(u32),
    Addr(Cidr),
    DelAddr(Cidr),
}

struct Set {
    link: Link,
    change: Change,
}

impl Set {
    fn words(&self) -> Vec<Value> {
        let set = |args: Vec<Value>| {
            let mut words = words!["link", "set", "dev", &self.link.name];
            words.extend(args);
            words
        };
        match &self.change {
            Change::Up(true) => set(words!["up"]),
            Change::Up(false) => set(words!["down"]),
            Change::Netns(netns) => set(words!["netns", At::Netns(netns.clone()).word()]),
            Change::Name(name) => set(words!["name", name]),
            Change::Mac(mac) => set(words!["address", mac.to_string()]),
            Change::Mtu(mtu) => set(words!["mtu", mtu.to_string()]),
            Change::Addr(addr) => words!["addr", "add", addr.to_string(), "dev", &self.link.name],
            Change::DelAddr(addr) => {
                words!["addr", "del", addr.to_string(), "dev", &self.link.name]
            }
        }
    }

    fn why(&self) -> String {
        let link = &self.link;
        match &self.change {
            Change::Up(true) => format!("{link} carries packets"),
            Change::Up(false) => format!("{link} carries nothing more"),
            Change::Netns(netns) => format!(
                "{link} moves to {}, where it begins down and without addresses",
                label(netns)
            ),
            Change::Name(name) => format!("{link} is called {name}"),
            Change::Mac(mac) => format!("{link} has hardware address {mac}"),
            Change::Mtu(mtu) => format!("{link} sends at most {mtu} bytes at once"),
            Change::Addr(addr) => format!("{link} has address {addr}"),
            Change::DelAddr(addr) => format!("{link} has address {addr} no more"),
        }
    }

    fn act(&self, nl: &Netlink, index: u32) -> Result<(), VethError> {
        let message = LinkUnspec::new_with_index(index);
        let message = match &self.change {
            Change::Addr(addr) => return Ok(nl.add_addr(index, *addr)?),
            Change::DelAddr(addr) => return Ok(nl.del_addr(index, *addr)?),
            Change::Up(true) => message.up(),
            Change::Up(false) => message.down(),
            Change::Name(name) => message.name(name.clone()),
            Change::Mac(mac) => message.address(mac.bytes()),
            Change::Mtu(mtu) => message.mtu(*mtu),
            Change::Netns(netns) => {
                let file = netns.open()?;
                nl.set_link(message.setns_by_fd(file.as_raw_fd()).build())
                    .map_err(|e| self.taken(e))?;
                return Ok(());
            }
        };
        nl.set_link(message.build()).map_err(|e| self.taken(e))
    }

    fn taken(&self, error: NetError) -> VethError {
        let mut there = self.link.clone();
        match &self.change {
            Change::Name(name) => there.name.clone_from(name),
            Change::Netns(netns) => there.netns = Some(netns.clone()),
            _ => return error.into(),
        }
        if error.is(Errno::EEXIST) {
            VethError::Renamed {
                link: self.link.to_string(),
                to: there.to_string(),
            }
        } else {
            error.into()
        }
    }

    /// What takes the change back, from what the link was before.
    fn undo(
        &self,
        was: &kit_net::Link,
        home: Option<NetnsId>,
        addrs: Vec<String>,
    ) -> Result<Option<Undo>, VethError> {
        let slots = Slots::default();
        let mut now = self.link.clone();
        let mut before = LinkWas::default();
        match &self.change {
            Change::Up(up) => {
                before.up = Some(was.up);
                if !up {
                    before.addrs = addrs;
                }
            }
            Change::Mtu(_) => before.mtu = Some(was.mtu),
            Change::Mac(_) => before.address = Some(was.mac.clone()),
            Change::Name(name) => {
                before.name = Some(was.name.clone());
                now.name.clone_from(name);
            }
            Change::Netns(netns) => {
                let path = self.link.at().path(&slots);
                before.netns = Some(path.unwrap_or_else(|| PathBuf::from("/proc/self/ns/net")));
                before.netns_id = home;
                before.up = Some(was.up);
                before.addrs = addrs;
                now.netns = Some(netns.clone());
            }
            Change::Addr(addr) => {
                return Ok(Some(Undo::Addr {
                    netns: now.at().path(&slots),
                    name: now.name,
                    index: Some(was.index),
                    netns_id: home,
                    addr: addr.to_string(),
                }));
            }
            // Its lifetime and scope are not known well enough to put it back.
            Change::DelAddr(_) => return Ok(None),
        }
        let nl = now.netlink()?;
        let index = Some(nl.need_link(&now.name)?.index);
        let netns = now.at().path(&slots);
        Ok(Some(Undo::LinkState {
            netns_id: NetnsId::of_socket(&nl, netns.as_deref()).ok(),
            netns,
            name: now.name,
            index,
            was: before,
        }))
    }
}

impl Step for Set {
    fn meta(&self) -> Meta {
        let line = Line::Run(self.link.at().ip(self.words()));
        Meta::new("link.set", self.why(), Shell::Exact(vec![line]))
    }

    /// Nothing marks a change: only a done one is taken back.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let act = || {
            let was = self.link.find("changing")?;
            let nl = self.link.netlink()?;
            let home = self.link.at().path(&Slots::default());
            let home = NetnsId::of_socket(&nl, home.as_deref()).ok();
            // The kernel takes them away with the link's being up, or with its namespace.
            let mut addrs = nl.addrs(was.index)?;
            addrs.retain(|addr| addr.scope == "global");
            self.act(&nl, was.index)?;
            let addrs = addrs.iter().map(|addr| addr.cidr.to_string());
            self.undo(&was, home, addrs.collect())
        };
        Ok(Done::made(act()?.into_iter().collect()))
    }
}
