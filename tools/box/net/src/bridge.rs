//! The driver of bridges: a cable from the network's bridge to the container, a leased address, and an element in the
//! network's nftables maps for each port.

use std::os::fd::OwnedFd;

use kit_plan::{Context, Done, FdId, Meta, Roots, Shell, SlotId, Step, StepError, cat};
use rbridge::lease::AcquireLease;
use rbridge::network::{Dir, preview};
use rbridge::publish::Target;
use rbridge::{BridgeError, HostPort, Join, Network, Place, Proto, Publish, QuietEnds};
use rveth::{At, Cable, End, Mark};

use box_engine::PID;
use box_state::{Container, Endpoint, Port};

use super::fleeting::Fleeting;
use super::{Attachment, Configure, Hold, relay};

/// The container's network namespace, opened from outside.
const INSIDE: FdId = FdId::new("netns-inside");

/// The steps for the `nth` endpoint of a container, with the ports that it publishes, in which no host port is 0.
pub fn attach(
    roots: &Roots,
    container: &Container,
    (endpoint, nth, slot): (&Endpoint, usize, SlotId),
    ports: &[Port],
) -> Result<Attachment, BridgeError> {
    let network = preview(roots)?;
    let join = Join::new(roots, &network, &container.id);
    let lease = AcquireLease {
        dir: Dir::new(roots, &network.name),
        network: network.clone(),
        owner: container.id.clone(),
        slot,
        ports: ports.iter().filter_map(over_ipv4).collect(),
    };
    let name = link_name(container, nth);
    let plug = PlugIn::new(cable(roots, &network, name.clone(), &endpoint.interface));
    let mut outside: Vec<Box<dyn Step>> = vec![Box::new(join), Box::new(lease), Box::new(plug)];
    let mut last: Vec<Box<dyn Step>> = vec![Box::new(Fleeting(rveth::Label {
        link: name.clone(),
        alias: container.name.clone(),
    }))];
    // Where the kernel filters what bridges pass, a container meets its own published port only so.
    if rbridge::bridge::needs_hairpin(&Place::default()) {
        let hairpin = rbridge::bridge::Hairpin::new(Place::default(), &name);
        last.push(Box::new(Fleeting(hairpin)));
    }
    outside.extend(ports.iter().flat_map(|port| published(roots, port, slot)));
    let inside: Vec<Box<dyn Step>> = vec![Box::new(Configure {
        interface: endpoint.interface.clone(),
        addr: slot,
        is_way_out: nth == 0,
        prefix: network.prefix,
        gateway: network.gateway,
    })];
    Ok(Attachment {
        endpoint: endpoint.clone(),
        network,
        outside,
        inside,
        last,
    })
}

/// The steps that publish a port. The port is bound before its element is added: bind(2) decides a race.
fn published(roots: &Roots, port: &Port, slot: SlotId) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    let Some((host, container_port)) = over_ipv4(port) else {
        steps.extend(over_ipv6(port));
        return steps;
    };
    steps.push(Box::new(Hold {
        host,
        roots: roots.clone(),
    }));
    steps.extend(over_ipv6(port));
    let to = (Target::Slot(slot), container_port);
    let publish = Publish::new(&roots.instance, Place::default(), host, to);
    steps.push(Box::new(publish.sweeping(roots)));
    steps
}

/// What a rule translates: the host's address and port, and the port in the container; `None` for a port on an IPv6
/// address.
fn over_ipv4(port: &Port) -> Option<(HostPort, u16)> {
    let ip = match port.host_ip {
        Some(std::net::IpAddr::V6(_)) => return None,
        Some(std::net::IpAddr::V4(ip)) => Some(ip).filter(|ip| !ip.is_unspecified()),
        None => None,
    };
    let host = HostPort {
        ip,
        port: port.host_port,
        proto: port.proto,
    };
    Some((host, port.container_port))
}

/// The step for a TCP port that is served over IPv6: one on all addresses, or on an IPv6 address.
fn over_ipv6(port: &Port) -> Option<Box<dyn Step>> {
    let ip = match port.host_ip {
        None => None,
        Some(std::net::IpAddr::V6(ip)) => Some(ip),
        Some(std::net::IpAddr::V4(_)) => return None,
    };
    let listen = relay::Listen {
        ip,
        port: port.host_port,
        container_port: port.container_port,
    };
    (port.proto == Proto::Tcp).then(|| Box::new(listen) as Box<dyn Step>)
}

/// Warnings for the user who starts the container: another program's FORWARD chain drops packets to published ports. It uses
/// the netlink socket of the plan in `cx`, since closing another one waits for the kernel.
pub fn warnings(cx: &mut Context, roots: &Roots) -> Vec<String> {
    let bridge = roots.instance.bridge();
    let Some(nft) = cx.kept::<kit_net::Nft>() else {
        return Vec::new();
    };
    let blockers = rbridge::forward_blockers(nft, &bridge).unwrap_or_default();
    let line = |blocker: &rbridge::Blocker| {
        let (text, command) = blocker.told(&bridge);
        format!("rrun: {text}\nhint: {command}\n")
    };
    blockers.iter().map(line).collect()
}

/// A link's name of the container's ID and the time: the link of the last run exists until the kernel has torn down its
/// namespace. It has 15 characters, the most that the kernel takes.
fn link_name(container: &Container, nth: usize) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = now.map_or(0, |since| since.as_micros()) + nth as u128;
    let prefix = rbridge::network::port_prefix(&container.id);
    format!("{prefix}{:05x}", micros & 0xf_ffff)
}

fn cable(roots: &Roots, network: &Network, name: String, interface: &str) -> Cable {
    let inside = At::Opened {
        fd: INSIDE,
        path: cat!["/proc/", PID, "/ns/net"],
    };
    Cable {
        bridge: Some(network.bridge.clone()),
        mark: Some(Mark {
            group: roots.instance.link_group(),
            kept: true,
        }),
        ..Cable::new(End::new(name, At::Own), End::new(interface, inside))
    }
}

/// The cable. It has no undo: one end is made in the container's namespace, and the kernel deletes both with the namespace.
/// Deleting a link ourselves takes 14 to 42 ms.
struct PlugIn {
    cable: Cable,
    /// Settings that are made before either end has a carrier.
    quiet: QuietEnds,
}

impl PlugIn {
    fn new(cable: Cable) -> Self {
        let quiet = QuietEnds {
            link: cable.a.name.clone(),
            inside: cable.b.name.clone(),
            netns: INSIDE,
            path: cat!["/proc/", PID, "/ns/net"],
        };
        Self { cable, quiet }
    }
}

impl Step for PlugIn {
    fn meta(&self) -> Meta {
        let mut meta = self.cable.meta();
        if let Shell::Exact(lines) = &mut meta.shell {
            lines.extend(self.quiet.lines());
        }
        meta
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let pid: i32 = cx.slot(PID)?;
        let netns = std::fs::File::open(format!("/proc/{pid}/ns/net"));
        let netns =
            netns.map_err(|e| StepError::new("opening the container's network namespace", e))?;
        cx.put_fd(INSIDE, OwnedFd::from(netns));
        let done = self.cable.apply(cx)?;
        self.quiet.act(cx)?;
        // A descriptor would keep the namespace, and its end of the cable, alive.
        cx.take_fd(INSIDE);
        Ok(Done {
            made: Vec::new(),
            note: done.note,
        })
    }
}
