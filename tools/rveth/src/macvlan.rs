//! The step that makes a macvlan: a second plug, with a hardware address of its own, on a device of our own namespace.

use kit_net::rtnetlink::LinkMacVlan;
use kit_net::rtnetlink::packet_route::link::MacVlanMode;
use kit_net::{Link, NetError, Netlink};
use kit_plan::{Context, Done, Line, Meta, Shell, Slots, Step, StepError, Undo, quote, words};
use nix::errno::Errno;

use crate::create::{identity, link_undo};
use crate::says;
use crate::{At, End, Mark, VethError};

/// How macvlans of one parent reach each other, in the words of ip-link(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Directly.
    Bridge,
    /// Not at all.
    Private,
    /// By a switch outside, which sends their frames back.
    Vepa,
    /// There is one alone, and it has the parent's own address.
    Passthru,
}

impl MacvlanMode {
    fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Passthru => "passthru",
        }
    }

    fn kernel(self) -> MacVlanMode {
        match self {
            Self::Bridge => MacVlanMode::Bridge,
            Self::Private => MacVlanMode::Private,
            Self::Vepa => MacVlanMode::Vepa,
            Self::Passthru => MacVlanMode::Passthrough,
        }
    }
}

/// A second plug, with a hardware address of its own, on device `parent` of our own namespace.
#[derive(Debug, Clone)]
pub struct Macvlan {
    /// The macvlan itself.
    pub end: End,
    /// The device that it is on.
    pub parent: String,
    /// How it reaches others on that device.
    pub mode: MacvlanMode,
    /// Without it an interrupted plan leaves it behind.
    pub mark: Option<Mark>,
}

impl Macvlan {
    /// One user takes all that a device receives (`netdev_rx_handler_register`): the bridge or bond that it is a port of,
    /// or an ipvlan.
    fn parent_in_use(&self, parent: &Link, others: &[Link]) -> (String, String) {
        let word = quote(&self.parent);
        let master = others.iter().find(|it| Some(it.index) == parent.master);
        match master {
            Some(master) if master.what() == "bridge" => (
                format!("is a port of bridge \"{}\"", master.name),
                format!("rbridge detach {word} takes it off"),
            ),
            Some(master) => (
                format!("is a port of {} \"{}\"", master.what(), master.name),
                format!("ip link set dev {word} nomaster takes it off"),
            ),
            None => (
                "has another user that takes all its packets, such as an ipvlan".to_owned(),
                "ip -d link shows it".to_owned(),
            ),
        }
    }

    fn refused(&self, cx: &Context, parent: &Link, others: &[Link], error: NetError) -> StepError {
        let cannot = |reason: String, hint: String| {
            let (link, parent) = (self.end.shown(), self.parent.clone());
            VethError::Parent {
                link,
                parent,
                reason,
                hint,
            }
            .into()
        };
        let on_it = |link: &&Link| {
            link.peer == Some(parent.index)
                && link.netnsid.is_none()
                && link.kind.as_deref() == Some("macvlan")
        };
        match error {
            error if error.is(Errno::EEXIST) && self.end.taken(cx) => {
                let link = self.end.shown();
                VethError::Taken { link }.into()
            }
            error if error.is(Errno::EBUSY) => {
                let (reason, hint) = self.parent_in_use(parent, others);
                cannot(reason, hint)
            }
            // "Invalid argument", without a word.
            NetError::Refused { refusal, .. }
                if refusal.errno == Errno::EINVAL && refusal.message.is_none() =>
            {
                match (self.end.mtu, others.iter().find(on_it)) {
                    (Some(mtu), _) if mtu > parent.mtu => cannot(
                        format!(
                            "has an MTU of {}, and a macvlan on it cannot have {mtu}",
                            parent.mtu
                        ),
                        format!(
                            "--mtu {}, or ip link set dev {} mtu {mtu}",
                            parent.mtu,
                            quote(&self.parent)
                        ),
                    ),
                    (_, Some(other)) => cannot(
                        format!(
                            "has macvlan \"{}\", and one of mode passthru takes all of it",
                            other.name
                        ),
                        format!(
                            "rveth del {} first, or another mode for both",
                            quote(&other.name)
                        ),
                    ),
                    _ => cannot(
                        "cannot carry a macvlan: it is no Ethernet device".to_owned(),
                        "name an Ethernet device: a loopback is none".to_owned(),
                    ),
                }
            }
            error => error.into(),
        }
    }
}

impl Step for Macvlan {
    fn meta(&self) -> Meta {
        let says = says::macvlan(self.end.shown(), &self.parent);
        let mut add = words![
            "ip",
            "link",
            "add",
            "name",
            &self.end.name,
            "link",
            &self.parent
        ];
        if let Some(mark) = self.mark.filter(|mark| mark.kept) {
            add.extend(words!["group", mark.group.to_string()]);
        }
        add.extend(self.end.words());
        if self.end.at != At::Own {
            add.extend(words!["netns", self.end.at.word()]);
        }
        add.extend(words!["type", "macvlan", "mode", self.mode.word()]);
        Meta::new("macvlan.create", says, Shell::Exact(vec![Line::Run(add)]))
    }

    fn intent(&self, slots: &Slots) -> Vec<Undo> {
        link_undo(&self.end, self.mark, slots, None)
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let netns = (self.end.at != At::Own)
            .then(|| self.end.at.open(cx))
            .transpose()?;
        let socket = cx.kept_or(Netlink::open)?;
        let parent = socket.need_link(&self.parent)?;
        let message = LinkMacVlan::new(&self.end.name, parent.index, self.mode.kernel());
        let message = self.end.fill(message, self.mark, netns.as_ref());
        if let Err(error) = socket.add_link(message.build()) {
            let others = socket.links().unwrap_or_default();
            return Err(self.refused(cx, &parent, &others, error));
        }
        let there = self.end.at.netlink(cx)?;
        let path = self.end.at.path(&cx.slots);
        let made = identity(&there, path.as_deref(), &self.end.name)?;
        Ok(Done::made(link_undo(&self.end, self.mark, &cx.slots, made)))
    }
}
