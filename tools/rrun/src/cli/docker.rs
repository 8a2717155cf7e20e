//! A container as docker's `inspect` shows it: its field names, its shapes.

mod host;

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use serde_json::{Map, Value, json};

use super::ps::{exit_code, word};
use box_ops::frozen::Freezers;
use box_state::volume::is_anonymous_of;
use box_state::{Attached, Container, Containers, MountPoint, Net, RunState, StateError};

/// The object of one container.
pub fn container(containers: &Containers, container: &Container) -> Result<Value, StateError> {
    let state = Freezers::default().state(containers, container)?;
    let spec = containers.spec(&container.id)?;
    let layer = containers.layer(&container.id);
    let file = |name: &str| layer.join(name).display().to_string();
    let image = container.image.as_ref();
    Ok(json!({
        "Id": container.id,
        "Created": container.created,
        "Path": container.path,
        "Args": container.args,
        "State": state_of(&state),
        "Image": image.map(|image| image.id.clone()).unwrap_or_default(),
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": containers.log(&container.id).display().to_string(),
        "Name": format!("/{}", container.name),
        "RestartCount": state.restarts,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": null,
        "HostConfig": host::config(container, &spec),
        "GraphDriver": graph(container, &layer),
        "Mounts": mounts(container),
        "Config": configuration(container, &spec),
        "NetworkSettings": network(container, &state),
    }))
}

/// `Config`: what the image and the flags say of the program.
fn configuration(container: &Container, spec: &oci_spec::runtime::Spec) -> Value {
    let process = spec.process().clone().unwrap_or_default();
    let image = container.image.as_ref();
    let argv = process.args().clone().unwrap_or_default();
    let (entrypoint, cmd) = argv.split_at(container.asked.entrypoint.min(argv.len()));
    let attached = !container.asked.detached;
    json!({
        "Hostname": spec.hostname().clone().unwrap_or_default(),
        "Domainname": "",
        "User": box_engine::user::asked(spec).unwrap_or_default(),
        "AttachStdin": attached && container.open_stdin,
        "AttachStdout": attached,
        "AttachStderr": attached,
        "Tty": container.tty,
        "OpenStdin": container.open_stdin,
        "StdinOnce": container.stdin_once,
        "Env": environment(container, spec),
        "Entrypoint": host::list(entrypoint),
        "Cmd": host::list(cmd),
        "Image": image.map(|image| image.name.clone()).unwrap_or_default(),
        "WorkingDir": Some(process.cwd().display().to_string()).filter(|dir| dir != "/").unwrap_or_default(),
        "Labels": container.labels,
        "ExposedPorts": container.exposed.iter().map(|port| (port.clone(), json!({}))).collect::<Map<_, _>>(),
        "Volumes": volumes(container),
        "StopSignal": container.stop_signal,
        "StopTimeout": container.stop_timeout,
    })
}

/// Lists that docker's JSON has as `null` where they are empty; its templates print `[]`, since their types are known there.
const LISTS: [&str; 15] = [
    "Binds",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Entrypoint",
    "Env",
    "ExecIDs",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "Mounts",
    "OnBuild",
    "SecurityOpt",
];

/// The same of maps, some of which its JSON leaves out.
const MAPS: [&str; 3] = ["ExposedPorts", "Labels", "Volumes"];

/// The object with the empty values that a template prints.
pub fn for_templates(mut object: Value) -> Value {
    let fill = |of: Option<&mut Value>, always: &[&str]| {
        let Some(Value::Object(of)) = of else {
            return;
        };
        for key in always {
            of.entry(*key).or_insert(Value::Null);
        }
        for (key, value) in of.iter_mut().filter(|(_, value)| value.is_null()) {
            match key.as_str() {
                key if LISTS.contains(&key) => *value = json!([]),
                key if MAPS.contains(&key) || matches!(key, "Sysctls" | "Tmpfs") => {
                    *value = json!({});
                }
                _ => {}
            }
        }
    };
    fill(
        object.get_mut("HostConfig"),
        &["Mounts", "Sysctls", "Tmpfs"],
    );
    fill(
        object.get_mut("Config"),
        &[
            "Cmd",
            "Entrypoint",
            "Env",
            "ExposedPorts",
            "Labels",
            "OnBuild",
            "Volumes",
        ],
    );
    fill(Some(&mut object), &[]);
    object
}

/// The volumes without a name, by their mount points; `null` if there are none. Those with one are in `Binds`.
fn volumes(container: &Container) -> Option<Map<String, Value>> {
    let points = container
        .mounts
        .iter()
        .filter(|point| is_anonymous(container, point));
    let at = points.map(|point| (point.destination.display().to_string(), json!({})));
    let volumes: Map<_, _> = at.collect();
    (!volumes.is_empty()).then_some(volumes)
}

/// Whether it is a volume without a name: of the image's `VOLUME` or of `-v /path`.
fn is_anonymous(container: &Container, point: &MountPoint) -> bool {
    point.kind == "volume" && is_anonymous_of(&point.name, &container.id)
}

/// The environment without the variables that every container gets: docker shows those of the image and the user.
fn environment(container: &Container, spec: &oci_spec::runtime::Spec) -> Vec<String> {
    let process = spec.process().clone().unwrap_or_default();
    let hostname = spec.hostname().clone().unwrap_or_default();
    let ours = |entry: &String| {
        *entry == format!("HOSTNAME={hostname}") || (container.tty && entry == "TERM=xterm")
    };
    let all = process.env().clone().unwrap_or_default();
    all.into_iter().filter(|entry| !ours(entry)).collect()
}

fn state_of(state: &RunState) -> Value {
    let never = "0001-01-01T00:00:00Z";
    let time = |text: &String| {
        if text.is_empty() {
            never.to_owned()
        } else {
            text.clone()
        }
    };
    json!({
        "Status": word(state),
        "Running": state.is_running(),
        "Paused": word(state) == "paused",
        "Restarting": false,
        "OOMKilled": state.oom_killed,
        "Dead": false,
        "Pid": state.process.as_ref().filter(|_| state.is_running()).map_or(0, |process| process.pid),
        "ExitCode": exit_code(state),
        "Error": state.error,
        "StartedAt": time(&state.started_at),
        "FinishedAt": time(&state.finished_at),
    })
}

/// The bytes of the files that it wrote; none for a root of the user's.
pub fn written(containers: &Containers, container: &Container) -> u64 {
    let layer = containers.layer(&container.id).join("upper");
    box_ops::size::written(&layer).unwrap_or(0)
}

/// The bytes of its image's files; 0 if there is none.
pub fn image_size(containers: &Containers, container: &Container) -> u64 {
    let store = runpack::Store::open(&containers.roots.root);
    let image = container.image.as_ref();
    let found = image.and_then(|image| store.resolve(&image.id).ok());
    found.map_or(0, |found| found.size)
}

/// docker's NetworkMode.
pub fn mode(container: &Container) -> String {
    match &container.net {
        Net::Own => {
            let first = container.endpoints.first();
            first.map_or_else(|| "none".to_owned(), |first| first.network.clone())
        }
        Net::Host => "host".to_owned(),
        Net::Container(id) => format!("container:{id}"),
        Net::Ns(name) => format!("ns:{name}"),
    }
}

fn graph(container: &Container, layer: &std::path::Path) -> Value {
    let lowers = container
        .image
        .iter()
        .flat_map(|image| image.layers.iter().rev());
    let lower: Vec<String> = lowers.map(|layer| layer.display().to_string()).collect();
    json!({
        "Name": "overlay",
        "Data": {
            "LowerDir": lower.join(":"),
            "UpperDir": layer.join("upper").display().to_string(),
            "WorkDir": layer.join("work").display().to_string(),
        },
    })
}

fn mounts(container: &Container) -> Vec<Value> {
    let mount = |mount: &MountPoint| {
        json!({
            "Type": mount.kind,
            "Name": mount.name,
            "Source": mount.source.display().to_string(),
            "Destination": mount.destination.display().to_string(),
            "Mode": if mount.rw { "" } else { "ro" },
            "RW": mount.rw,
            "Propagation": match mount.propagation.as_str() {
                "" if mount.kind == "bind" => "rprivate",
                given => given,
            },
        })
    };
    container.mounts.iter().map(mount).collect()
}

/// The address of one of its links as the kernel reports it.
fn mac(state: &RunState, interface: &str) -> Option<String> {
    let process = state.process.as_ref().filter(|_| state.is_running())?;
    let netns = std::fs::File::open(format!("/proc/{}/ns/net", process.pid)).ok()?;
    let lives = process.is_alive();
    let nl = lives.then(|| kit_net::Netlink::open_in(netns.as_fd()).ok())??;
    let bytes = nl.link(interface).ok()??.mac;
    Some(kit_net::mac_text(&bytes))
}

/// One of `Networks`, and of a container's first the top of `NetworkSettings`.
fn endpoint(state: &RunState, attached: Option<&Attached>) -> Value {
    let address = attached.map_or("", |attached| attached.address.as_str());
    let (ip, prefix) = address.split_once('/').unwrap_or_default();
    let prefix: u8 = prefix.parse().unwrap_or_default();
    let gateway = attached.and_then(|attached| attached.gateway.clone());
    let mac = attached.and_then(|attached| mac(state, &attached.endpoint.interface));
    json!({
        "NetworkID": "",
        "EndpointID": "",
        "IPAddress": ip,
        "IPPrefixLen": prefix,
        "Gateway": gateway.unwrap_or_default(),
        "MacAddress": mac.unwrap_or_default(),
        "Aliases": null,
    })
}

fn network(container: &Container, state: &RunState) -> Value {
    let attached: &[Attached] = if state.is_running() {
        &state.endpoints
    } else {
        &[]
    };
    let mut ports: BTreeMap<String, Value> = container
        .exposed
        .iter()
        .map(|port| (port.clone(), Value::Null))
        .collect();
    for port in state.ports.iter().filter(|_| state.is_running()) {
        let key = format!("{}/{}", port.container_port, port.proto);
        let ip = port
            .host_ip
            .map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        let one = json!({"HostIp": ip, "HostPort": port.host_port.to_string()});
        match ports.entry(key).or_insert(Value::Null) {
            Value::Array(all) => all.push(one),
            other => *other = json!([one]),
        }
    }
    let first = endpoint(state, attached.first());
    let mut networks = Map::new();
    for asked in &container.endpoints {
        let is = attached.iter().find(|attached| attached.endpoint == *asked);
        networks.insert(asked.network.clone(), endpoint(state, is));
    }
    if container.endpoints.is_empty() && matches!(container.net, Net::Own | Net::Host) {
        networks.insert(mode(container), first.clone());
    }
    let running = state.process.as_ref().filter(|_| state.is_running());
    json!({
        "Bridge": "",
        "SandboxID": running.map_or("", |_| container.id.as_str()),
        "EndpointID": "",
        "SandboxKey": running.map_or_else(String::new, |process| format!("/proc/{}/ns/net", process.pid)),
        "IPAddress": first["IPAddress"],
        "IPPrefixLen": first["IPPrefixLen"],
        "Gateway": first["Gateway"],
        "MacAddress": first["MacAddress"],
        "Ports": ports,
        "Networks": networks,
    })
}
