//! HostConfig of docker's `inspect`: how a container is tied to this host, as the flags said it.

use std::collections::BTreeMap;

use oci_spec::runtime::Spec;
use serde_json::{Value, json};

use super::{is_anonymous, mode};
use box_ops::spec::build::SHM_BYTES;
use box_state::Container;

/// The object.
pub fn config(container: &Container, spec: &Spec) -> Value {
    let resources = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.resources().clone());
    let limits = box_engine::resources::limits(&resources.unwrap_or_default());
    let linux = spec.linux().clone().unwrap_or_default();
    let asked = &container.asked;
    let mut config = fixed();
    let given = json!({
        "Binds": binds(container),
        "ContainerIDFile": asked.cidfile.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
        "NetworkMode": mode(container),
        "PortBindings": bindings(container),
        "AutoRemove": container.auto_remove,
        "CapAdd": list(&asked.cap_add),
        "CapDrop": list(&asked.cap_drop),
        "OomScoreAdj": spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj).unwrap_or(0),
        "Privileged": container.privileged,
        "PublishAllPorts": asked.publish_all,
        "ReadonlyRootfs": spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false),
        "SecurityOpt": list(&asked.security_opt),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "Memory": limits.memory_bytes.unwrap_or(0),
        "NanoCpus": limits.nano_cpus.unwrap_or(0),
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "CpusetMems": limits.cpuset_mems.clone().unwrap_or_default(),
        "MemoryReservation": limits.memory_reservation_bytes.unwrap_or(0),
        "MemorySwap": limits.memory_swap_bytes.unwrap_or(0),
        "PidsLimit": limits.pids,
        "Ulimits": ulimits(spec),
        "MaskedPaths": linux.masked_paths(),
        "ReadonlyPaths": linux.readonly_paths(),
        "Init": box_engine::init::is_wanted(spec),
    });
    if let (Value::Object(config), Value::Object(given)) = (&mut config, given) {
        config.extend(given);
    }
    // As docker: it is not there without a --tmpfs.
    if !asked.tmpfs.is_empty() {
        config["Tmpfs"] = json!(asked.tmpfs);
    }
    config
}

/// What docker has flags for and every container here has alike, with docker's empty values.
fn fixed() -> Value {
    json!({
        "LogConfig": {"Type": "json-file", "Config": {}},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "VolumeDriver": "",
        "VolumesFrom": null,
        "CgroupnsMode": "private",
        "Dns": [],
        "DnsOptions": [],
        "DnsSearch": [],
        "ExtraHosts": null,
        "GroupAdd": null,
        "IpcMode": "private",
        "Links": null,
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "ShmSize": SHM_BYTES,
        "Runtime": "rrun",
        "Isolation": "",
        "CgroupParent": "",
        "Devices": [],
        "DeviceCgroupRules": null,
        "DeviceRequests": null,
        "OomKillDisable": false,
    })
}

/// docker's lists that are `null` where they are empty.
pub(super) fn list(all: &[String]) -> Option<&[String]> {
    Some(all).filter(|all| !all.is_empty())
}

/// `HostConfig.Ulimits`; docker's word for no limit is -1.
fn ulimits(spec: &Spec) -> Vec<Value> {
    let process = spec.process().clone().unwrap_or_default();
    let number = |limit: u64| i64::try_from(limit).unwrap_or(-1);
    let limits = process.rlimits().clone().unwrap_or_default().into_iter();
    let one = |limit: oci_spec::runtime::PosixRlimit| {
        let name = limit.typ().to_string().to_ascii_lowercase();
        json!({
            "Name": name.trim_start_matches("rlimit_"),
            "Hard": number(limit.hard()),
            "Soft": number(limit.soft()),
        })
    };
    limits.map(one).collect()
}

/// `HostConfig.Binds`, as `-v` has them; `null` for none.
fn binds(container: &Container) -> Option<Vec<String>> {
    let binds: Vec<String> = container
        .mounts
        .iter()
        .filter(|mount| mount.kind != "tmpfs" && !is_anonymous(container, mount))
        .map(|mount| {
            let from = if mount.name.is_empty() {
                mount.source.display().to_string()
            } else {
                mount.name.clone()
            };
            let mode = [
                (!mount.rw).then_some("ro"),
                Some(mount.propagation.as_str()).filter(|word| !matches!(*word, "" | "rprivate")),
            ];
            let mode: Vec<&str> = mode.into_iter().flatten().collect();
            let colon = if mode.is_empty() { "" } else { ":" };
            format!(
                "{from}:{}{colon}{}",
                mount.destination.display(),
                mode.join(",")
            )
        })
        .collect();
    Some(binds).filter(|binds| !binds.is_empty())
}

/// `HostConfig.PortBindings`
fn bindings(container: &Container) -> BTreeMap<String, Vec<Value>> {
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in &container.ports {
        let host_port = if port.host_port == 0 {
            String::new()
        } else {
            port.host_port.to_string()
        };
        let ip = port.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
        let key = format!("{}/{}", port.container_port, port.proto);
        bindings
            .entry(key)
            .or_default()
            .push(json!({"HostIp": ip, "HostPort": host_port}));
    }
    bindings
}
