//! From a container's files to the engine's plan: which namespaces the container joins, and which root and networks it
//! gets. A run and `--dry-run` make the same plan.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kit_plan::os_text::unescape;
use kit_plan::{Context, Done, Meta, Plan, ProcessId, Shell, Step, StepError};
use oci_spec::runtime::{LinuxNamespaceBuilder, LinuxNamespaceType, Spec};
use rcgroup::Mode;

use super::born::fault;
use super::{early, says};
use box_engine::{Bundle, Engine, Lowers, Overlay, OverlayOptions, Phase, Root, Stdio, Upper};
use box_net as network;
use box_net::ADDRS;
use box_net::relay::{self, Listening, Relay};
use box_state::{Attached, Container, Containers, Endpoint, Net, Port, RunState};
use box_wire::Failed;

/// The host ports that a free one is chosen from: docker's range for `-P` before it took the kernel's
/// ip_local_port_range.
const PORT_RANGE: std::ops::RangeInclusive<u16> = 49153..=65535;

/// The plan of a run, with the descriptors that its steps need in `cx`.
pub fn for_run(
    containers: &Containers,
    container: &Container,
    size: Option<(u16, u16)>,
    cx: &mut Context,
) -> Result<Plan, Failed> {
    let mut spec = containers.spec(&container.id).map_err(|e| fault(&e))?;
    if let Some(ready) = early::netns() {
        cx.put_fd(box_engine::spawn::NETNS_READY, ready);
    }
    if let Some(size) = size {
        box_engine::set_size(&mut spec, size);
    }
    let (plan, numbered) = planned(containers, container, spec)?;
    cx.keep(numbered);
    Ok(plan)
}

/// The plan of a run of `container` with configuration `spec`, to be printed by `--dry-run`. It opens no descriptor for the
/// steps and changes nothing.
///
/// # Errors
/// What the start would fail with before its first step, as the frame of [`box_wire`]: a field of config.json that is not
/// carried out, a missing network, a container to join that does not run, no free port.
pub fn plan(containers: &Containers, container: &Container, spec: Spec) -> Result<Plan, Failed> {
    Ok(planned(containers, container, spec)?.0)
}

/// The ports as they will be published, none at 0, and the record of each endpoint's network.
struct Numbered(Vec<Port>, Vec<(Endpoint, rbridge::Network)>);

fn planned(
    containers: &Containers,
    container: &Container,
    mut spec: Spec,
) -> Result<(Plan, Numbered), Failed> {
    let holder = joins(containers, container, &mut spec)?;
    let host = early::hierarchies().map_err(|e| fault(&e))?;
    let run_dir = containers.run_dir(&container.id);
    let dir = containers.dir(&container.id);
    let root = root_of(container, &containers.layer(&container.id));
    let ports = numbered(&container.ports)?;
    let bundle = Bundle { spec, dir };
    let parent = containers.roots.instance.name();
    let mut engine = engine(container, bundle, &run_dir)
        .root(root)
        .cgroup_parent(parent);
    if let Some(holder) = holder {
        engine = engine.step(Phase::Before, Box::new(holder));
    }
    let (mut networks, mut inside) = (Vec::new(), Vec::new());
    let attachments = network::attachments(&containers.roots, container, &ports);
    for attachment in attachments.map_err(|e| fault(&e))? {
        engine = engine
            .steps(Phase::Meanwhile, attachment.outside)
            .steps(Phase::Started, attachment.last);
        inside.extend(attachment.inside);
        networks.push((attachment.endpoint, attachment.network));
    }
    if container.image.is_some() {
        engine = named(engine, containers, container);
    }
    let engine = engine.steps(Phase::Inside, inside);
    let plan = engine
        .plan(&host, command(container))
        .map_err(|e| fault(&e))?;
    Ok((plan, Numbered(ports, networks)))
}

fn engine(container: &Container, bundle: Bundle, run_dir: &Path) -> Engine {
    Engine::new(&container.id, bundle, run_dir)
        .stdio(Stdio::Fifos {
            stdin: container.open_stdin,
        })
        .sharing_cgroup(container.cgroup.is_some())
}

/// The steps that mount /etc/hosts, hostname and resolv.conf. Only for a container of an image: one of `--rootfs` has the
/// files of its own root.
fn named(mut engine: Engine, containers: &Containers, container: &Container) -> Engine {
    // Beside the writable layer: the program can write to them, and a tmpfs that it fills is the host's /run.
    let own = containers.layer(&container.id);
    let dir = match &container.net {
        Net::Container(other) if has_names(containers, other) => {
            containers.holding(other).layer(other)
        }
        net => {
            let write = network::WriteFiles {
                dir: own.clone(),
                hostname: engine.spec().hostname().clone().unwrap_or_default(),
                addressed: !container.endpoints.is_empty(),
                copies_hosts: *net == Net::Host,
            };
            engine = engine.step(Phase::Meanwhile, Box::new(write));
            own
        }
    };
    let root = engine.spec().root().as_ref();
    let readonly = root.and_then(oci_spec::runtime::Root::readonly) == Some(true);
    let run_dir = containers.run_dir(&container.id);
    for mount in network::mounts(&dir, readonly) {
        let mut given = engine.spec().mounts().iter().flatten();
        // A mount of the user's at the same place wins, as with docker.
        if !given.any(|its| its.destination() == mount.destination()) {
            engine = engine.step(Phase::Inside, box_engine::mount(mount, &run_dir));
        }
    }
    engine
}

fn root_of(container: &Container, layer: &Path) -> Root {
    match (&container.image, &container.rootfs) {
        (Some(image), None) => Root::Overlay(Overlay {
            lowers: Lowers::lowest_first(&image.layers),
            upper: Some(Upper {
                upper: layer.join("upper"),
                work: layer.join("work"),
            }),
            options: OverlayOptions {
                volatile: container.auto_remove,
                ..OverlayOptions::default()
            },
        }),
        (_, Some(rootfs)) => Root::Dir(unescape(rootfs).into()),
        (_, None) => Root::Dir(PathBuf::from("/")),
    }
}

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

/// Writes the network namespace that the container joins ([`Net::Container`], [`Net::Ns`]) into its configuration; other
/// containers' configurations stay as they are. The step, for [`Phase::Before`], checks that the process whose namespace
/// was opened is alive; `Net::Ns` has none.
///
/// # Errors
/// A NETNS that does not parse; a container that does not run, with exit code 125.
pub fn joins(
    containers: &Containers,
    container: &Container,
    spec: &mut Spec,
) -> Result<Option<StillThere>, Failed> {
    let (path, holder) = match &container.net {
        Net::Ns(name) => (
            rnetns::Netns::parse(name).map_err(|e| fault(&e))?.path(),
            None,
        ),
        Net::Container(id) => {
            let state = containers.holding(id).state(id).map_err(|e| fault(&e))?;
            let name = id.get(..12).unwrap_or(id).to_owned();
            let process = state.process.filter(ProcessId::is_alive);
            let process = process.ok_or_else(|| Failed {
                text: gone(&name),
                hint: Some(start_it(&name)),
                exit: 125,
            })?;
            let path = rnetns::Netns::Pid(process.pid).path();
            (path, Some(StillThere { name, process }))
        }
        _ => return Ok(None),
    };
    let network = LinuxNamespaceBuilder::default()
        .typ(LinuxNamespaceType::Network)
        .path(path)
        .build();
    let mut linux = spec.linux().clone().unwrap_or_default();
    let namespaces = linux.namespaces_mut().get_or_insert_default();
    namespaces.retain(|namespace| namespace.typ() != LinuxNamespaceType::Network);
    namespaces.extend(network.ok());
    spec.set_linux(Some(linux));
    Ok(holder)
}

fn gone(name: &str) -> String {
    format!("joining the network of container \"{name}\": it is not running")
}

fn start_it(name: &str) -> String {
    format!("rrun start {name} starts it")
}

/// Checks, after /proc/PID/ns/net was opened, that the process of that PID is still the one that was meant: the number may
/// have been given to another process before.
pub struct StillThere {
    name: String,
    process: ProcessId,
}

impl Step for StillThere {
    fn meta(&self) -> Meta {
        Meta::new(
            "namespace.check",
            says::still_there(&self.name),
            Shell::Exact(Vec::new()),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        if self.process.is_alive() {
            return Ok(Done::nothing());
        }
        Err(StepError::whole(gone(&self.name))
            .hint(start_it(&self.name))
            .exit(125))
    }
}

fn has_names(containers: &Containers, id: &str) -> bool {
    containers.holding(id).layer(id).join("hosts").exists()
}

/// The cgroup that a process of `exec` joins, with the hierarchies in which the container's process `init` is in it; `None`
/// if the container's cgroup does not exist.
pub fn cgroup_of(
    containers: &Containers,
    container: &Container,
    init: i32,
) -> Option<(rcgroup::Hierarchies, rcgroup::Group)> {
    let name = containers.cgroup_name(container);
    if let Some(found) = rcgroup::Hierarchies::of_process(init, &name) {
        return Some(found);
    }
    let host = early::hierarchies().ok()?;
    let group = host.existing(&name).ok()?;
    Some((host, group))
}

/// The ports with a free port of the host in place of 0.
fn numbered(ports: &[Port]) -> Result<Vec<Port>, Failed> {
    let mut numbered: Vec<Port> = Vec::new();
    for port in ports {
        let mut port = port.clone();
        if port.host_port == 0 {
            let is_new = |at: &u16| {
                let mut all = ports.iter().chain(&numbered);
                all.all(|other| other.host_port != *at || other.proto != port.proto)
            };
            let ip = port.host_ip.and_then(|ip| {
                if let IpAddr::V4(ip) = ip {
                    Some(ip)
                } else {
                    None
                }
            });
            let range = network::from_anywhere(PORT_RANGE).filter(is_new);
            port.host_port = network::free_port(ip, port.proto, range).ok_or_else(|| Failed {
                text: format!(
                    "choosing a port for {}: none of {PORT_RANGE:?} is free",
                    port.container_port
                ),
                hint: None,
                exit: 125,
            })?;
        }
        numbered.push(port);
    }
    Ok(numbered)
}

/// Records the addresses and ports of a started run in its state, and keeps the relay of its published ports.
pub fn note(state: &mut RunState, cx: &mut Context) {
    let Some(Numbered(ports, networks)) = cx.take::<Numbered>() else {
        return;
    };
    for ((endpoint, network), slot) in networks.into_iter().zip(ADDRS) {
        let addr = cx.slots.get(slot).and_then(|text| text.to_str());
        state.endpoints.extend(addr.map(|addr| Attached {
            endpoint,
            address: format!("{addr}/{}", network.prefix),
            gateway: Some(network.gateway.to_string()),
        }));
    }
    if let Some(first) = state.endpoints.first().and_then(Attached::ip) {
        let listening: Option<Listening> = cx.take();
        state.ports = relay::with_ipv6(ports, listening.as_ref());
        if let (Some(listening), IpAddr::V4(addr)) = (listening, first) {
            cx.keep(Relay::new(listening, addr));
        }
    }
}

/// Records whether the OOM killer ended a process of the container. Before the cgroup is deleted, which alone counts this.
pub fn last_look(state: &mut RunState, container: &Container, containers: &Containers) {
    let Ok(host) = early::hierarchies() else {
        return;
    };
    let name = containers.cgroup_name(container);
    let group = host.existing(&name);
    if host.mode != Mode::V2 && group.is_ok_and(|group| group.dir("memory").is_none()) {
        // On v1 without a memory group of its own: the counter would be that of the process that started the container.
        return;
    }
    let stats = rcgroup::stats::stats(&host, &name);
    state.oom_killed = stats.is_ok_and(|stats| stats.oom_kills.is_some_and(|kills| kills > 0));
}
