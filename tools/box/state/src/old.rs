//! What an earlier boxkit wrote, read as this one writes it.
//!
//! Version 0 of container.json had the limits, the user and `--init` in it, and one network; config.json had no cgroup;
//! state.json had one address. From version 1 on config.json says all of what is run, and endpoints are lists.

use std::path::Path;

use oci_spec::runtime::{LinuxResources, Spec};
use serde_json::{Value, json};

use super::files::Versioned;
use super::{Attached, CONTAINER_VERSION, Container, Endpoint, RunState, STATE_VERSION};

impl Versioned for Container {
    const LATEST: u32 = CONTAINER_VERSION;

    fn version(&self) -> u32 {
        self.version
    }

    /// A container.json of version 0, which named one network: `bridge`, `none`, or whose namespace it shared.
    fn renew(mut text: Value) -> Value {
        let endpoints = if text["net"] == "bridge" {
            json!([Endpoint::on("bridge", 0)])
        } else {
            json!([])
        };
        if text["net"] == "bridge" || text["net"] == "none" {
            text["net"] = json!("own");
        }
        text["endpoints"] = endpoints;
        text
    }
}

impl Versioned for RunState {
    const LATEST: u32 = STATE_VERSION;

    fn version(&self) -> u32 {
        self.version
    }

    /// A state.json of version 0, which had one address.
    fn renew(mut text: Value) -> Value {
        if let Some(address) = text["address"].as_str() {
            let attached = Attached {
                endpoint: Endpoint::on("bridge", 0),
                address: address.to_owned(),
                gateway: text["gateway"].as_str().map(str::to_owned),
            };
            text["endpoints"] = json!([attached]);
        }
        text
    }
}

/// Completes a configuration of version 0 from its container.json.
pub fn complete(spec: &mut Spec, container: &Value, cgroup: &str) -> serde_json::Result<()> {
    let limits = &container["limits"];
    let limit = |name: &str| limits[name].clone();
    let quota = limits["nano_cpus"].as_u64().map(|nano| nano / 10_000);
    // Without a word for swap docker's rule: as much as memory.
    let memory = limits["memory_bytes"].as_i64();
    let swap = limits["memory_swap_bytes"]
        .as_i64()
        .or(memory.map(|bytes| bytes.saturating_mul(2)));
    let resources: LinuxResources = serde_json::from_value(json!({
        "devices": [{"allow": container["privileged"].as_bool().unwrap_or(false), "access": "rwm"}],
        "memory": {"limit": memory, "swap": swap, "reservation": limit("memory_reservation_bytes")},
        "cpu": {
            "quota": quota,
            "period": quota.map(|_| 100_000),
            "shares": limit("cpu_shares"),
            "cpus": limit("cpuset_cpus"),
            "mems": limit("cpuset_mems"),
        },
        "pids": limits["pids"].as_i64().map(|most| json!({"limit": most})),
        "blockIO": limits["blkio_weight"].as_u64().map(|weight| json!({"weight": weight})),
    }))?;
    let mut linux = spec.linux().clone().unwrap_or_default();
    linux.set_resources(Some(resources));
    linux.set_cgroups_path(Some(Path::new("/").join(cgroup)));
    spec.set_linux(Some(linux));
    let annotations = spec.annotations_mut().get_or_insert_default();
    if let Some(user) = container["user"].as_str().filter(|user| !user.is_empty()) {
        annotations.insert("org.boxkit.user".to_owned(), user.to_owned());
    }
    if container["init"] == true {
        annotations.insert("org.boxkit.init".to_owned(), "true".to_owned());
    }
    Ok(())
}
