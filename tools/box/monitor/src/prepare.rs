//! From a container's files to the engine's [`Setup`]: which namespaces are joined, which cgroup and which
//! network it gets. The same for a run and for `--dry-run`.

use std::net::IpAddr;
use std::path::PathBuf;

use kit_plan::{Context, Plan, ProcessId, Step};
use oci_spec::runtime::Spec;
use rcgroup::Mode;

use super::born::{failed, fault};
use super::early;
use box_engine::{Lowers, Overlay, OverlayOptions, Root, Setup, Upper, cgroup};
use box_net as network;
use box_net::ADDR;
use box_net::relay::{self, Listening, Relay};
use box_state::{Container, Containers, Net, Port, RunState};
use box_wire::Failed;

/// docker's range for `-P`, before it was the kernel's.
const PORT_RANGE: std::ops::RangeInclusive<u16> = 49153..=65535;

/// Directories of v1 that each container has besides those that its limits need: devices carry the default
/// rules. Memory is not among them: the first pages that a new memory cgroup is charged for cost 3 ms.
const CONTROLLERS: [&str; 1] = ["devices"];

/// The plan of a run, with the descriptors that its steps need in `cx`.
pub fn for_run(
    containers: &Containers,
    container: &Container,
    size: Option<(u16, u16)>,
    cx: &mut Context,
) -> Result<Plan, Failed> {
    let spec = containers.spec(&container.id).map_err(|e| fault(&e))?;
    let joined = joins(containers, container)?;
    if let Some(netns) = &joined {
        let opened = netns.open().map_err(|e| fault(&e))?;
        cx.put_fd(NETNS, opened.into());
    }
    if let Some(ready) = early::netns() {
        cx.put_fd(box_engine::spawn::NETNS_READY, ready);
    }
    let cgroups = cgroups(containers, container)?;
    let mut setup = setup(containers, container, spec, joined, cgroups)?;
    setup.0.size = size;
    cx.keep(Numbered(setup.1));
    engine_plan(setup.0, container)
}

/// What `--dry-run` prints: nothing is opened.
pub fn plan(containers: &Containers, container: &Container, spec: Spec) -> Result<Plan, Failed> {
    let joined = joins(containers, container)?;
    let cgroups = cgroups(containers, container)?;
    let setup = setup(containers, container, spec, joined, cgroups)?.0;
    engine_plan(setup, container)
}

fn engine_plan(setup: Setup, container: &Container) -> Result<Plan, Failed> {
    box_engine::plan(setup, command(container)).map_err(|e| failed(&e, None, 125))
}

const NETNS: &str = "netns";

/// The ports as they are published, none at 0, and the network's record.
struct Numbered((Vec<Port>, Option<rbridge::Network>));

fn command(container: &Container) -> String {
    let image = container
        .image
        .as_ref()
        .map_or_else(String::new, |image| image.name.clone());
    format!(
        "rrun run --name {} {image} {} {}",
        container.name,
        container.path,
        container.args.join(" ")
    )
}

/// The network namespace that it shares, if it does.
fn joins(containers: &Containers, container: &Container) -> Result<Option<rnetns::Netns>, Failed> {
    match &container.net {
        Net::Ns(name) => rnetns::Netns::parse(name).map(Some).map_err(|e| fault(&e)),
        Net::Container(id) => {
            let state = containers.holding(id).state(id).map_err(|e| fault(&e))?;
            let process = state
                .process
                .filter(ProcessId::is_alive)
                .ok_or_else(|| Failed {
                    text: format!(
                        "joining the network of container \"{}\": it is not running",
                        id.get(..12).unwrap_or(id)
                    ),
                    hint: Some("rrun start it first".to_owned()),
                    exit: 125,
                })?;
            Ok(Some(rnetns::Netns::Pid(process.pid)))
        }
        _ => Ok(None),
    }
}

type Ready = (Setup, (Vec<Port>, Option<rbridge::Network>));

fn setup(
    containers: &Containers,
    container: &Container,
    spec: Spec,
    joined: Option<rnetns::Netns>,
    cgroups: Cgroups,
) -> Result<Ready, Failed> {
    let dir = containers.dir(&container.id);
    let (root, image) = match (&container.image, &container.rootfs) {
        (Some(image), None) => {
            let (upper, work) = (dir.join("upper"), dir.join("work"));
            (
                Root::Overlay(Overlay {
                    lowers: Lowers::lowest_first(&image.layers),
                    upper: Some(Upper { upper, work }),
                    options: OverlayOptions {
                        volatile: container.auto_remove,
                        ..OverlayOptions::default()
                    },
                }),
                true,
            )
        }
        (_, rootfs) => (
            Root::Dir(rootfs.clone().unwrap_or_else(|| PathBuf::from("/"))),
            false,
        ),
    };
    let ports = numbered(&container.ports)?;
    let mut network = None;
    let (mut meanwhile, mut inside): (Vec<Box<dyn Step>>, _) = (Vec::new(), Vec::new());
    let (mut names, mut last) = (Vec::new(), Vec::new());
    let mut child_first: Vec<Box<dyn Step>> = vec![Box::new(cgroup::Join { namespace: true })];
    match joined {
        Some(netns) => child_first.push(Box::new(box_engine::spawn::Join {
            path: netns.path(),
            fd: NETNS,
            what: "network",
        })),
        None if container.net.is_own() => inside.push(box_engine::raise_lo()),
        None => {}
    }
    if container.net == Net::Bridge {
        let bridged =
            network::bridged(&containers.roots, container, &ports).map_err(|e| fault(&e))?;
        meanwhile.extend(bridged.outside);
        inside.extend(bridged.inside);
        last = bridged.last;
        network = Some(bridged.network);
    }
    if image {
        let hostname = spec.hostname().clone().unwrap_or_default();
        let dir = match &container.net {
            // One of --rootfs has the files of its own root, and none to share.
            Net::Container(other) if has_names(containers, other) => {
                containers.holding(other).dir(other)
            }
            net => {
                let addressed = *net == Net::Bridge;
                let host_resolver = *net == Net::Host;
                meanwhile.push(Box::new(network::WriteFiles {
                    dir: dir.clone(),
                    hostname,
                    addressed,
                    host_resolver,
                }));
                dir.clone()
            }
        };
        let root = spec.root().as_ref();
        let readonly = root
            .and_then(oci_spec::runtime::Root::readonly)
            .unwrap_or_default();
        names = network::mounts(&dir, readonly);
        // The user's own wins, as docker's does.
        let given: Vec<_> = spec.mounts().iter().flatten().collect();
        names.retain(|ours| {
            !given
                .iter()
                .any(|its| its.destination() == ours.destination())
        });
    }
    let setup = Setup {
        id: container.id.clone(),
        spec,
        root,
        run_dir: containers.run_dir(&container.id),
        user: container.user.clone(),
        init: container.init,
        tty: container.tty,
        open_stdin: container.open_stdin,
        size: None,
        join: cgroups.join,
        before: cgroups.before,
        meanwhile,
        names,
        child_first,
        child_net: inside,
        last,
    };
    Ok((setup, (ports, network)))
}

struct Cgroups {
    before: Vec<Box<dyn Step>>,
    join: Vec<PathBuf>,
}

fn has_names(containers: &Containers, id: &str) -> bool {
    containers.holding(id).dir(id).join("hosts").exists()
}

/// The container's name below its instance's parent.
pub fn cgroup_name(containers: &Containers, container: &Container) -> String {
    let own = || format!("{}/{}", containers.roots.instance.name(), container.id);
    container.cgroup.clone().unwrap_or_else(own)
}

/// The files by which a process of `exec` joins the container's cgroups; none when they are gone.
pub fn join_files(containers: &Containers, container: &Container) -> Vec<PathBuf> {
    let Ok(host) = early::hierarchies() else {
        return Vec::new();
    };
    let group = host.existing(&cgroup_name(containers, container));
    group.map_or_else(|_| Vec::new(), |group| cgroup::join_files(&host, &group))
}

fn cgroups(containers: &Containers, container: &Container) -> Result<Cgroups, Failed> {
    let wrong = |e: rcgroup::CgroupError| fault(&e);
    let host = early::hierarchies().map_err(wrong)?;
    let name = cgroup_name(containers, container);
    let mut before: Vec<Box<dyn Step>> = Vec::new();
    let group = if container.cgroup.is_some() {
        host.existing(&name).map_err(wrong)?
    } else {
        let mut wanted: Vec<&str> = CONTROLLERS.to_vec();
        if container.privileged {
            wanted.retain(|controller| *controller != "devices");
        }
        before.extend(
            rcgroup::create::steps(&host, &name, &wanted, &container.limits).map_err(wrong)?,
        );
        if !container.privileged {
            before.extend(box_engine::devices::rules(&host, &name));
        }
        let settings = rcgroup::settings(&host, &container.limits).map_err(wrong)?;
        wanted.extend(settings.iter().map(|setting| setting.controller));
        host.group(&name, &wanted)
    };
    let join = cgroup::join_files(&host, &group);
    before.push(Box::new(cgroup::Open { host, group }));
    Ok(Cgroups { before, join })
}

/// Each port with a number: 0 asked for a free one.
fn numbered(ports: &[Port]) -> Result<Vec<Port>, Failed> {
    let number = |port: &Port| {
        let mut port = port.clone();
        if port.host_port == 0 {
            let ip = port.host_ip.and_then(|ip| {
                if let IpAddr::V4(ip) = ip {
                    Some(ip)
                } else {
                    None
                }
            });
            port.host_port =
                network::free_port(ip, port.proto, PORT_RANGE).ok_or_else(|| Failed {
                    text: format!(
                        "choosing a port for {}: none of {PORT_RANGE:?} is free",
                        port.container_port
                    ),
                    hint: None,
                    exit: 125,
                })?;
        }
        Ok(port)
    };
    ports.iter().map(number).collect()
}

/// What the run has found out: addresses, ports.
pub fn note(state: &mut RunState, cx: &mut Context, _container: &Container) {
    let addr = cx
        .slots
        .get(ADDR)
        .and_then(|text| text.to_str())
        .map(str::to_owned);
    let Some(Numbered((ports, network))) = cx.take::<Numbered>() else {
        return;
    };
    if let (Some(network), Some(addr)) = (network, addr) {
        state.address = Some(format!("{addr}/{}", network.prefix));
        state.gateway = Some(network.gateway.to_string());
        let listening: Option<Listening> = cx.take();
        state.ports = relay::with_ipv6(ports, listening.as_ref());
        if let (Some(listening), Ok(addr)) = (listening, addr.parse()) {
            cx.keep(Relay::new(listening, addr));
        }
    }
}

/// What only the dying cgroup can tell: whether memory ran out.
pub fn last_look(state: &mut RunState, container: &Container, containers: &Containers) {
    let Ok(host) = early::hierarchies() else {
        return;
    };
    if host.mode != Mode::V2 && container.limits.memory_bytes.is_none() {
        // It shares the memory cgroup of whoever started it.
        return;
    }
    let stats = rcgroup::stats::stats(&host, &cgroup_name(containers, container));
    state.oom_killed = stats.is_ok_and(|stats| stats.oom_kills.is_some_and(|kills| kills > 0));
}
