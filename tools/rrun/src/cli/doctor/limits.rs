//! What limits need: cgroups that can be made, their controllers, capabilities.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use rcgroup::{Hierarchies, Mode};

use super::{Finding, OWN, find, in_child_of};
use box_state::Containers;

pub fn probe(containers: &Containers) -> Vec<Finding> {
    let host = Hierarchies::detect().ok();
    let host = host.as_ref();
    let name = format!(
        "{}-doctor-{}",
        containers.roots.instance.name(),
        std::process::id()
    );
    let has = |controller: &str| host.is_some_and(|host| has_controller(host, controller));
    let boot = "cgroup_enable=memory on the kernel's command line";
    let swap_boot = "swapaccount=1 on the kernel's command line";
    let sandbox = "run outside the sandbox that took it away";
    vec![
        find(
            "cgroups that can be made",
            host.is_some_and(|host| can_make(host, &name)),
            "rrun run",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup; writable, if it is a container's",
        )
        .essential(),
        find(
            "birth in a cgroup",
            host.and_then(|host| host.v2.as_deref())
                .is_some_and(|root| in_group(root, &name, is_born)),
            "rrun run on cgroup v2",
            "Linux 5.7, with cgroup v2 mounted",
        ),
        find(
            "device rules",
            host.is_some_and(has_device_rules),
            "rrun run without --privileged",
            "CONFIG_CGROUP_BPF, and bpf(2) outside a sandbox that refuses it",
        )
        .essential(),
        find("memory controller", has("memory"), "rrun run -m", boot),
        find(
            "swap accounting",
            host.is_some_and(has_swap),
            "rrun run --memory-swap",
            swap_boot,
        ),
        find("cpu controller", has("cpu"), "rrun run --cpus", OWN),
        find("pids controller", has("pids"), "rrun run --pids-limit", OWN),
        find(
            "block I/O weights",
            host.is_some_and(|host| has_weights(host, &name)),
            "rrun run --blkio-weight",
            "modprobe bfq",
        ),
        find(
            "CAP_SYS_RESOURCE",
            has_sys_resource(),
            "--ulimit above the hard limit, a lower --oom-score-adj",
            sandbox,
        ),
    ]
}

/// Makes a cgroup, runs `body` on it and removes it; false if the cgroup cannot be made or removed.
fn in_group(root: &Path, name: &str, body: impl FnOnce(&Path) -> bool) -> bool {
    let dir = root.join(name);
    if fs::create_dir(&dir).is_err() {
        return false;
    }
    let said = body(&dir);
    fs::remove_dir(&dir).is_ok() && said
}

fn can_make(host: &Hierarchies, name: &str) -> bool {
    let group = match (host.mode, &host.v2) {
        (Mode::V2, Some(root)) => vec![root.as_path()],
        _ => ["memory", "pids", "devices", "freezer"]
            .iter()
            .filter_map(|controller| host.v1.get(*controller))
            .map(AsRef::as_ref)
            .collect(),
    };
    !group.is_empty() && group.iter().all(|root| in_group(root, name, |_| true))
}

/// v1 has files for device rules, v2 a BPF program.
fn has_device_rules(host: &Hierarchies) -> bool {
    host.v1.contains_key("devices") || host.mode == Mode::V2 && box_engine::devices::can_load()
}

fn is_born(dir: &Path) -> bool {
    File::open(dir).is_ok_and(|dir| in_child_of(0, Some(dir.as_fd()), || true))
}

fn has_swap(host: &Hierarchies) -> bool {
    let memory = host.v1.get("memory");
    memory.is_none_or(|dir| dir.join("memory.memsw.limit_in_bytes").exists())
}

/// The root of a hierarchy has no weight file, so a child is made to look for it.
fn has_weights(host: &Hierarchies, name: &str) -> bool {
    match host.v1.get("blkio") {
        Some(root) => in_group(root, name, |dir| dir.join("blkio.bfq.weight").exists()),
        None => Path::new("/sys/module/bfq").exists(),
    }
}

fn has_controller(host: &Hierarchies, controller: &str) -> bool {
    match (host.mode, &host.v2) {
        (Mode::V2, Some(root)) => {
            let there = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            there.split_whitespace().any(|name| name == controller)
        }
        _ => host.v1.contains_key(controller),
    }
}

fn has_sys_resource() -> bool {
    caps::has_cap(
        None,
        caps::CapSet::Effective,
        caps::Capability::CAP_SYS_RESOURCE,
    )
    .unwrap_or(false)
}
