//! The step that makes a cable with both its ends where they belong, by one message. See veth(4).

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use kit_net::netlink_packet_route::link::{InfoData, InfoVeth, LinkMessage};
use kit_net::rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};
use kit_net::{NetError, Netlink};
use kit_plan::{
    Context, Done, Line, Meta, NetnsId, Shell, Slots, Step, StepError, Undo, Value, words,
};
use nix::errno::Errno;

use crate::says;
use crate::{At, Mac, VethError};

/// One end of a cable, or a macvlan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// 1 to 15 bytes.
    pub name: String,
    /// The namespace that it is made in.
    pub at: At,
    /// `None` lets the kernel draw one.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
}

impl End {
    /// With what the kernel chooses for the rest.
    pub fn new(name: impl Into<String>, at: At) -> Self {
        Self {
            name: name.into(),
            at,
            mac: None,
            mtu: None,
        }
    }

    /// `NAME` or `NAME@NETNS`.
    pub(crate) fn shown(&self) -> String {
        match &self.at {
            At::Netns(netns) => format!("{}@{}", self.name, crate::at::label(netns)),
            _ => self.name.clone(),
        }
    }

    /// The words of `ip link add` for it, but for its name.
    pub(crate) fn words(&self) -> Vec<Value> {
        let mut words = Vec::new();
        if let Some(mtu) = self.mtu {
            words.extend(words!["mtu", mtu.to_string()]);
        }
        if let Some(mac) = self.mac {
            words.extend(words!["address", mac.to_string()]);
        }
        words
    }

    pub(crate) fn fill<T>(
        &self,
        mut message: LinkMessageBuilder<T>,
        mark: Option<Mark>,
        netns: Option<&OwnedFd>,
    ) -> LinkMessageBuilder<T> {
        if let Some(mac) = self.mac {
            message = message.address(mac.bytes());
        }
        if let Some(mtu) = self.mtu {
            message = message.mtu(mtu);
        }
        if let Some(mark) = mark {
            message = message.link_group(mark.group);
        }
        match netns {
            Some(netns) => message.setns_by_fd(netns.as_raw_fd()),
            None => message,
        }
    }

    /// Whether its name is taken where it shall be; a question that could not be asked is "no".
    pub(crate) fn taken(&self, cx: &Context) -> bool {
        let found = self
            .at
            .netlink(cx)
            .ok()
            .and_then(|nl| nl.link(&self.name).ok());
        found.flatten().is_some()
    }
}

/// `IFLA_GROUP`, by which rollback knows a link as ours before its index is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The number.
    pub group: u32,
    /// It stays: a container's. Else a [`crate::Release`] at the plan's end takes it off.
    pub kept: bool,
}

/// A veth pair. `a` is up at once; the kernel refuses to create `b` so, hence a [`crate::Raise`] from inside.
#[derive(Debug, Clone)]
pub struct Cable {
    /// The near end.
    pub a: End,
    /// The far end.
    pub b: End,
    /// A bridge, where `a` is, whose port `a` becomes.
    pub bridge: Option<String>,
    /// Without it an interrupted plan leaves the pair behind.
    pub mark: Option<Mark>,
}

impl Cable {
    /// Between these two.
    pub fn new(a: End, b: End) -> Self {
        Self {
            a,
            b,
            bridge: None,
            mark: None,
        }
    }

    /// The message, and the descriptors that it names: they must live until it is sent.
    fn message(
        &self,
        cx: &Context,
        bridge: Option<u32>,
    ) -> Result<(LinkMessage, [Option<OwnedFd>; 2]), StepError> {
        let away = self.a.at != At::Own;
        let a_netns = away.then(|| self.a.at.open(cx)).transpose()?;
        // A peer of a link elsewhere goes where the kernel's version likes, unless it is told.
        let told = away || self.b.at != At::Own;
        let b_netns = told.then(|| self.b.at.open(cx)).transpose()?;
        let peer = LinkUnspec::new_with_name(&self.b.name);
        let peer = self.b.fill(peer, self.mark, b_netns.as_ref());
        let message = LinkVeth::new(&self.a.name, &self.b.name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())))
            .up();
        let mut message = self.a.fill(message, self.mark, a_netns.as_ref());
        if let Some(index) = bridge {
            message = message.controller(index);
        }
        Ok((message.build(), [a_netns, b_netns]))
    }

    /// "File exists" does not say which end.
    fn refused(&self, cx: &Context, error: NetError) -> StepError {
        if error.is(Errno::EEXIST) {
            for end in [&self.a, &self.b] {
                if end.taken(cx) {
                    return VethError::Taken { link: end.shown() }.into();
                }
            }
        }
        VethError::from(error).into()
    }

    /// A name is always announced: `ip link set a up` reads "a" as short for "address".
    fn lines(&self) -> Vec<Line> {
        let away = self.a.at != At::Own;
        let netns = |end: &End, told| {
            if told {
                words!["netns", end.at.word()]
            } else {
                Vec::new()
            }
        };
        let mut add = words!["ip", "link", "add", "name", &self.a.name, "up"];
        if let (Some(bridge), At::Own) = (&self.bridge, &self.a.at) {
            add.extend(words!["master", bridge]);
        }
        if let Some(mark) = self.mark.filter(|mark| mark.kept) {
            add.extend(words!["group", mark.group.to_string()]);
        }
        add.extend(self.a.words());
        add.extend(netns(&self.a, away));
        add.extend(words!["type", "veth", "peer", "name", &self.b.name]);
        add.extend(self.b.words());
        add.extend(netns(&self.b, away || self.b.at != At::Own));
        let mut lines = vec![Line::Run(add)];
        let mut set = |args: Vec<Value>| {
            let mut words = words!["link", "set", "dev", &self.a.name];
            words.extend(args);
            lines.push(Line::Run(self.a.at.ip(words)));
        };
        if let (Some(bridge), false) = (&self.bridge, self.a.at == At::Own) {
            set(words!["master", bridge]);
        }
        lines
    }
}

impl Step for Cable {
    fn meta(&self) -> Meta {
        let says = match &self.bridge {
            Some(bridge) => says::plugged(bridge, &self.b.name),
            None => says::cable(self.a.shown(), self.b.shown()),
        };
        Meta::new("veth.create", says, Shell::Exact(self.lines()))
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        link_undo(&self.a, self.mark, slots, None)
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let away = self.a.at != At::Own;
        let there = away.then(|| self.a.at.netlink(cx)).transpose()?;
        // The bridge's index is one of a's namespace, where the kernel looks it up.
        let bridge = match &self.bridge {
            Some(name) => Some(ask(cx, there.as_ref(), |nl| nl.need_index(name))?),
            None => None,
        };
        let (message, netns) = self.message(cx, bridge)?;
        let socket = cx.kept_or(Netlink::open)?;
        if let Err(error) = socket.add_link(message) {
            return Err(self.refused(cx, error));
        }
        drop(netns);
        let path = self.a.at.path(&cx.slots);
        let made = ask(cx, there.as_ref(), |nl| {
            identity(nl, path.as_deref(), &self.a.name)
        })?;
        Ok(Done::made(link_undo(&self.a, self.mark, &cx.slots, made)))
    }
}

/// Asks by the socket `there`, or by the plan's own.
fn ask<T>(
    cx: &mut Context,
    there: Option<&Netlink>,
    question: impl FnOnce(&Netlink) -> Result<T, NetError>,
) -> Result<T, StepError> {
    let nl = match there {
        Some(nl) => nl,
        None => cx.kept_or(Netlink::open)?,
    };
    Ok(question(nl)?)
}

/// What tells a link from another of its name; where it cannot be had, its group does.
pub(crate) fn identity(
    nl: &Netlink,
    netns: Option<&Path>,
    name: &str,
) -> Result<Option<(u32, NetnsId)>, NetError> {
    let index = nl.need_index(name)?;
    let home = NetnsId::of_socket(nl, netns).ok();
    Ok(home.map(|home| (index, home)))
}

pub(crate) fn link_undo(
    end: &End,
    mark: Option<Mark>,
    slots: &Slots,
    made: Option<(u32, NetnsId)>,
) -> Vec<Undo> {
    let netns = end.at.path(slots);
    let link = |mark: Mark| Undo::Link {
        netns,
        name: end.name.clone(),
        group: mark.group,
        index: made.map(|(index, _)| index),
        netns_id: made.map(|(_, home)| home),
    };
    mark.map(link).into_iter().collect()
}
