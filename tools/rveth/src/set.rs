//! `rveth set`: changes of one link, each a step that can be taken back.

use std::os::fd::AsRawFd;
use std::path::PathBuf;

use kit_net::rtnetlink::LinkUnspec;
use kit_net::{Cidr, Lost, NetError, Netlink, check_addr, check_link_name};
use kit_plan::{
    Context, Done, Line, LinkWas, Meta, NetnsId, Plan, Saying, Shell, Slots, Step, StepError, Undo,
    Value, words,
};
use nix::errno::Errno;
use rnetns::Netns;

use crate::at::label;
use crate::raise::add_addr;
use crate::says;
use crate::{At, Link, Mac, VethError};

/// What is to be changed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `Some(true)` is up.
    pub up: Option<bool>,
    /// It moves there.
    pub netns: Option<Netns>,
    /// Its new name.
    pub name: Option<String>,
    /// Its new hardware address.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// Addresses that come.
    pub addrs: Vec<Cidr>,
    /// Addresses that go first.
    pub del_addrs: Vec<Cidr>,
}

/// What `set` does, in the order in which the kernel will have it. A move takes a link down and its addresses and routes
/// away: what may be refused, such as an MTU, comes before it, and addresses after it.
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
    check(link, &found, wanted)?;
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
    if let Some(mac) = wanted.mac {
        push(&now, Change::Mac(mac));
    }
    if let Some(mtu) = wanted.mtu {
        push(&now, Change::Mtu(mtu));
    }
    let (netns, name) = (wanted.netns.clone(), wanted.name.clone());
    if netns.is_some() || name.is_some() {
        let there = Link {
            name: name.clone().unwrap_or_else(|| now.name.clone()),
            netns: netns.clone().or_else(|| now.netns.clone()),
        };
        push(&now, Change::Move { netns, name });
        now = there;
    }
    for addr in &wanted.del_addrs {
        push(&now, Change::DelAddr(*addr));
    }
    for addr in &wanted.addrs {
        push(&now, Change::Addr(*addr));
    }
    if wanted.up == Some(true) {
        push(&now, Change::Up(true));
    }
    Ok(plan)
}

/// What is known to fail is refused before anything is done.
fn check(link: &Link, found: &kit_net::Link, wanted: &Wanted) -> Result<(), VethError> {
    if let Some(name) = &wanted.name {
        check_link_name(name)?;
    }
    wanted.addrs.iter().try_for_each(|cidr| check_addr(*cidr))?;
    if let Some(netns) = &wanted.netns {
        // It arrives without addresses.
        netns.open()?;
    }
    let has = link.netlink()?.addrs(found.index)?;
    let moved = wanted.netns.is_some();
    let missing = |cidr: &&Cidr| moved || !has.iter().any(|addr| addr.cidr == **cidr);
    match wanted.del_addrs.iter().find(missing) {
        None => Ok(()),
        Some(cidr) => Err(VethError::NoAddr {
            link: link.to_string(),
            cidr: *cidr,
        }),
    }
}

enum Change {
    Up(bool),
    /// To another namespace, to another name, or both at once: a name may be free only where it goes.
    Move {
        netns: Option<Netns>,
        name: Option<String>,
    },
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
            Change::Move { netns, name } => {
                let mut words = Vec::new();
                if let Some(netns) = netns {
                    words.extend(words!["netns", At::Netns(netns.clone()).word()]);
                }
                if let Some(name) = name {
                    words.extend(words!["name", name]);
                }
                set(words)
            }
            Change::Mac(mac) => set(words!["address", mac.to_string()]),
            Change::Mtu(mtu) => set(words!["mtu", mtu.to_string()]),
            Change::Addr(addr) => words!["addr", "add", addr.to_string(), "dev", &self.link.name],
            Change::DelAddr(addr) => {
                words!["addr", "del", addr.to_string(), "dev", &self.link.name]
            }
        }
    }

    fn says(&self) -> Saying {
        let link = &self.link;
        match &self.change {
            Change::Up(true) => says::up(link),
            Change::Up(false) => says::down(link),
            Change::Move { netns, name } => match (netns.as_ref().map(label), name) {
                (Some(netns), Some(name)) => says::move_as(link, netns, name),
                (Some(netns), None) => says::move_to(link, netns),
                (None, Some(name)) => says::rename(link, name),
                (None, None) => says::up(link),
            },
            Change::Mac(mac) => says::mac(link, mac),
            Change::Mtu(mtu) => says::mtu(link, mtu),
            Change::Addr(addr) => says::addr(link, addr),
            Change::DelAddr(addr) => says::del_addr(link, addr),
        }
    }

    /// Does it, and returns the addresses and routes that go with it.
    fn act(&self, nl: &Netlink, index: u32) -> Result<Vec<Lost>, VethError> {
        let message = LinkUnspec::new_with_index(index);
        match &self.change {
            Change::Addr(addr) => add_addr(nl, index, *addr)?,
            Change::DelAddr(addr) => return Ok(nl.del_addr_alone(index, *addr)?),
            Change::Up(true) => nl.set_link(message.up().build())?,
            Change::Mac(mac) => nl.set_link(message.address(mac.bytes()).build())?,
            Change::Mtu(mtu) => nl.set_link(message.mtu(*mtu).build())?,
            Change::Up(false) => {
                let lost = nl.addrs_and_routes(index)?;
                nl.set_link(message.down().build())?;
                return Ok(lost);
            }
            Change::Move { netns, name } => {
                let lost = nl.addrs_and_routes(index)?;
                let file = netns.as_ref().map(Netns::open).transpose()?;
                let message = match name {
                    Some(name) => message.name(name.clone()),
                    None => message,
                };
                let message = match &file {
                    Some(file) => message.setns_by_fd(file.as_raw_fd()),
                    None => message,
                };
                nl.set_link(message.build()).map_err(|e| self.taken(e))?;
                return Ok(lost);
            }
        }
        Ok(Vec::new())
    }

    /// Where it is once this is done.
    fn there(&self) -> Link {
        let mut there = self.link.clone();
        if let Change::Move { netns, name } = &self.change {
            if let Some(name) = name {
                there.name.clone_from(name);
            }
            if let Some(netns) = netns {
                there.netns = Some(netns.clone());
            }
        }
        there
    }

    fn taken(&self, error: NetError) -> VethError {
        if error.is(Errno::EEXIST) {
            VethError::Renamed {
                link: self.link.to_string(),
                to: self.there().to_string(),
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
        lost: &[Lost],
    ) -> Result<Undo, VethError> {
        let slots = Slots::default();
        let now = self.there();
        let mut before = LinkWas {
            lost: lost.iter().map(ToString::to_string).collect(),
            ..LinkWas::default()
        };
        match &self.change {
            Change::Up(_) => before.up = Some(was.up),
            Change::Mtu(_) => before.mtu = Some(was.mtu),
            Change::Mac(_) => before.address = Some(was.mac.clone()),
            Change::Move { netns, name } => {
                before.name = name.is_some().then(|| was.name.clone());
                if netns.is_some() {
                    let path = self.link.at().path(&slots);
                    before.netns = Some(path.unwrap_or_else(|| PathBuf::from("/proc/self/ns/net")));
                    before.netns_id = home;
                    before.up = Some(was.up);
                }
            }
            Change::Addr(addr) => {
                return Ok(Undo::Addr {
                    netns: now.at().path(&slots),
                    name: now.name,
                    index: Some(was.index),
                    netns_id: home,
                    addr: addr.to_string(),
                });
            }
            Change::DelAddr(_) => {}
        }
        let nl = now.netlink()?;
        let index = Some(nl.need_link(&now.name)?.index);
        let netns = now.at().path(&slots);
        Ok(Undo::LinkState {
            netns_id: NetnsId::of_socket(&nl, netns.as_deref()).ok(),
            netns,
            name: now.name,
            index,
            was: before,
        })
    }
}

impl Step for Set {
    fn meta(&self) -> Meta {
        let line = Line::Run(self.link.at().ip(self.words()));
        Meta::new("link.set", self.says(), Shell::Exact(vec![line]))
    }

    /// Nothing marks a change: only a done one is taken back.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let act = || -> Result<Undo, VethError> {
            let was = self.link.find("changing")?;
            let nl = self.link.netlink()?;
            let home = self.link.at().path(&Slots::default());
            let home = NetnsId::of_socket(&nl, home.as_deref()).ok();
            let lost = self.act(&nl, was.index)?;
            self.undo(&was, home, &lost)
        };
        Ok(Done::made(vec![act()?]))
    }
}
