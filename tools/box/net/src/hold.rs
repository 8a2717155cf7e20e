//! The host ports that a container publishes: the monitor binds each, so that no other program can.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use kit_plan::{Context, Done, Meta, Roots, Shell, Slots, Step, StepError, Undo};
use rbridge::{HostPort, Place, Proto};

use crate::says;
use box_state::{Container, Containers, Port};

/// The bound sockets, kept in the context for the life of the run.
#[derive(Default)]
pub struct Held(#[allow(dead_code)] Vec<OwnedFd>);

/// Closes the bound sockets of this context. Call it before the end of a run is reported, since the next run may want the
/// same port at once.
pub fn let_go(cx: &mut Context) {
    drop(cx.take::<Held>());
}

/// Binds the ports of a run again, for a monitor that takes over; a port that another program has taken is left out.
pub fn hold_again(ports: &[Port]) -> Held {
    let again = |port: &Port| {
        let ip = match port.host_ip {
            Some(IpAddr::V6(_)) => return None,
            Some(IpAddr::V4(ip)) => Some(ip).filter(|ip| !ip.is_unspecified()),
            None => None,
        };
        let host = HostPort {
            ip,
            port: port.host_port,
            proto: port.proto,
        };
        bound(host).ok()
    };
    Held(ports.iter().filter_map(again).collect())
}

/// Binds one port, so that no other program has it. No connection is accepted: packets to it are translated before they
/// would reach the socket.
pub struct Hold {
    /// The address and port of the host to bind.
    pub host: HostPort,
    /// Where to look for a container that has the port already, to name it in the error.
    pub roots: Roots,
}

impl Hold {
    /// The reason for a port that is taken. A container of ours is named: the socket itself belongs to its monitor, whose name
    /// says nothing to a user.
    fn taken(&self) -> Option<StepError> {
        let (port, stop) = (self.host, "choose another port, or let -P choose");
        if let Some(name) = self.container() {
            let error = format!("publishing port \"{port}\": container \"{name}\" has it");
            return Some(
                StepError::whole(error).hint(format!("rrun stop {name} ends that one; or {stop}")),
            );
        }
        let taken = port.probe(&Place::default()).err()?;
        Some(StepError::whole(taken).hint(format!("stop that one, or {stop}")))
    }

    fn container(&self) -> Option<String> {
        let both = Containers::new(self.roots.clone()).both();
        both.iter()
            .find_map(|among| {
                let has_it = |container: &Container| {
                    let state = among.state(&container.id);
                    state.is_ok_and(|state| {
                        state.is_running() && state.ports.iter().any(|port| self.is(port))
                    })
                };
                among.list().into_iter().find(has_it)
            })
            .map(|container| container.name)
    }

    fn is(&self, port: &Port) -> bool {
        let ip = self.host.ip.map(IpAddr::from);
        let overlap = ip.is_none() || port.host_ip.is_none() || ip == port.host_ip;
        port.host_port == self.host.port && port.proto == self.host.proto && overlap
    }
}

impl Step for Hold {
    fn meta(&self) -> Meta {
        Meta::new("port.hold", says::hold(self.host), Shell::Exact(Vec::new()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // It goes with the process.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let held = bound(self.host).map_err(|error| {
            let kind = error.kind();
            if kind == io::ErrorKind::AddrInUse
                && let Some(taken) = self.taken()
            {
                return taken;
            }
            let error = StepError::new(format!("binding port {}", self.host), error);
            if kind == io::ErrorKind::AddrNotAvailable {
                error.hint("ip addr shows the addresses of this host")
            } else {
                error
            }
        })?;
        let kept: &mut Held = cx.kept_or(|| Ok::<_, StepError>(Held::default()))?;
        kept.0.push(held);
        Ok(Done::nothing())
    }
}

fn bound(host: HostPort) -> io::Result<OwnedFd> {
    let socket = host.bind()?;
    if host.proto == Proto::Tcp {
        // Two sockets may be bound to a port until one of them listens (SO_REUSEADDR, socket(7)). The queue has one place,
        // which the translation keeps empty.
        rustix::net::listen(&socket, 1)?;
    }
    Ok(socket)
}

/// The first of these ports that no program has bound now, at address `ip` or at all of them.
pub fn free_port(
    ip: Option<Ipv4Addr>,
    proto: Proto,
    ports: impl IntoIterator<Item = u16>,
) -> Option<u16> {
    let is_free = |port: &u16| {
        let port = *port;
        bound(HostPort { ip, port, proto }).is_ok()
    };
    ports.into_iter().find(is_free)
}

/// The ports of a range, from one of them on: of several commands at once, each begins elsewhere.
pub fn from_anywhere(range: std::ops::RangeInclusive<u16>) -> impl Iterator<Item = u16> {
    let first = u32::from(*range.start());
    let count = (u32::from(*range.end()) + 1).saturating_sub(first);
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |t| t.subsec_nanos());
    (0..count).map(move |step| (first + seed.wrapping_add(step) % count) as u16)
}
