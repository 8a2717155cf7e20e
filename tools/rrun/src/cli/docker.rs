//! A container as docker's `inspect` shows it: its field names, its shapes.

mod host;

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use serde_json::{Map, Value, json};

use super::ps::{exit_code, word};
use box_state::{Attached, Container, Containers, Net, RunState, StateError};

/// The object of one container.
pub fn container(containers: &Containers, container: &Container) -> Result<Value, StateError> {
    let state = containers.state(&container.id)?;
    let spec = containers.spec(&container.id)?;
    let process = spec.process().clone().unwrap_or_default();
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
        "HostConfig": host::config(container, &spec),
        "GraphDriver": graph(container, &layer),
        "Mounts": mounts(container),
        "Config": {
            "Hostname": spec.hostname().clone().unwrap_or_default(),
            "Domainname": "",
            "User": box_engine::user::asked(&spec),
            "Tty": container.tty,
            "OpenStdin": container.open_stdin,
            "StdinOnce": container.stdin_once,
            "Env": environment(container, &spec),
            "Cmd": process.args().clone().unwrap_or_default(),
            "Image": image.map(|image| image.name.clone()).unwrap_or_default(),
            "WorkingDir": Some(process.cwd().display().to_string()).filter(|dir| dir != "/").unwrap_or_default(),
            "Labels": container.labels,
            "ExposedPorts": container.exposed.iter().map(|port| (port.clone(), json!({}))).collect::<Map<_, _>>(),
            "Volumes": volumes(container),
            "StopSignal": container.stop_signal,
            "StopTimeout": container.stop_timeout,
        },
        "NetworkSettings": network(container, &state),
    }))
}

/// Lists that docker's JSON has as `null` where they are empty; its templates print `[]`, since their types are known there.
const LISTS: [&str; 13] = [
    "Binds",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Entrypoint",
    "Env",
    "ExtraHosts",
    "GroupAdd",
    "Links",
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
                key if MAPS.contains(&key) || key == "Tmpfs" => *value = json!({}),
                _ => {}
            }
        }
    };
    fill(object.get_mut("HostConfig"), &["Tmpfs"]);
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
    object
}

/// The volumes, named or not, by their mount points; `null` if there are none.
fn volumes(container: &Container) -> Option<Map<String, Value>> {
    let points = container
        .mounts
        .iter()
        .filter(|point| point.kind == "volume");
    let at = points.map(|point| (point.destination.display().to_string(), json!({})));
    let volumes: Map<_, _> = at.collect();
    (!volumes.is_empty()).then_some(volumes)
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
    let mount = |mount: &box_state::MountPoint| {
        json!({
            "Type": mount.kind,
            "Name": mount.name,
            "Source": mount.source.display().to_string(),
            "Destination": mount.destination.display().to_string(),
            "Mode": if mount.rw { "" } else { "ro" },
            "RW": mount.rw,
            "Propagation": if mount.kind == "bind" { "rprivate" } else { "" },
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
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(bytes.join(":"))
}

/// One of `Networks`, and of a container's first the top of `NetworkSettings`.
fn endpoint(state: &RunState, attached: Option<&Attached>) -> Value {
    let address = attached.map_or("", |attached| attached.address.as_str());
    let (ip, prefix) = address.split_once('/').unwrap_or_default();
    let prefix: u8 = prefix.parse().unwrap_or_default();
    let gateway = attached.and_then(|attached| attached.gateway.clone());
    let mac = attached.and_then(|attached| mac(state, &attached.endpoint.interface));
    json!({
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
        "SandboxKey": running.map_or_else(String::new, |process| format!("/proc/{}/ns/net", process.pid)),
        "IPAddress": first["IPAddress"],
        "IPPrefixLen": first["IPPrefixLen"],
        "Gateway": first["Gateway"],
        "MacAddress": first["MacAddress"],
        "Ports": ports,
        "Networks": networks,
    })
}
