//! Ports of the host's that a container publishes: the monitor binds each, so that nobody else can.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use kit_plan::{Context, Done, Meta, Roots, Shell, Slots, Step, StepError, Undo};
use rbridge::{HostPort, Place, Proto};

use crate::says;
use box_state::{Container, Containers, Port};

/// The sockets, kept in the context for the life of the run.
#[derive(Default)]
pub struct Held(#[allow(dead_code)] Vec<OwnedFd>);

/// Lets go of all that the plan of this context holds: before the end of a run is reported, since the next run
/// may want the same port at once.
pub fn let_go(cx: &mut Context) {
    drop(cx.take::<Held>());
}

/// For a monitor that takes over: what the one before held, as far as it is free.
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

/// Binds one port and does not listen: what comes is translated before it would get here.
pub struct Hold {
    /// What of the host is held.
    pub host: HostPort,
    /// Whose containers may have it already.
    pub roots: Roots,
}

impl Hold {
    /// What is said of a port that somebody has: a container of ours by its name, since its socket is its monitor's.
    fn taken(&self) -> Option<StepError> {
        let (port, stop) = (self.host, "choose another port, or let -P choose");
        if let Some(name) = self.container() {
            let error = format!("publishing port \"{port}\": container \"{name}\" has it");
            return Some(StepError::whole(error).hint(format!("rrun stop {name}, {stop}")));
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
        // Two may bind until one listens; but then this one must never accept: a queue of
        // one, which the translation keeps empty.
        rustix::net::listen(&socket, 1)?;
    }
    Ok(socket)
}

/// A port of `--port-range` that nobody has now.
pub fn free_port(
    ip: Option<Ipv4Addr>,
    proto: Proto,
    range: std::ops::RangeInclusive<u16>,
) -> Option<u16> {
    let start = u32::from(*range.start());
    let count = u32::from(*range.end()) - start + 1;
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |t| t.subsec_nanos());
    (0..count)
        .map(|step| (start + (seed.wrapping_add(step)) % count) as u16)
        .find(|port| {
            bound(HostPort {
                ip,
                port: *port,
                proto,
            })
            .is_ok()
        })
}
