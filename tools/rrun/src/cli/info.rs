//! `rrun info` and `rrun version`.

use std::fmt::Write;

use kit_cli::{Result, emit};
use rcgroup::{Hierarchies, Mode};

use super::ps::word;
use box_state::Containers;

pub fn version() -> Result {
    let kernel = rustix::system::uname();
    let text = format!(
        "rrun:\n Version:         {}\n OCI runtime spec: 1.0.2\n OS/Arch:         linux/{}\n Kernel:          {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        kernel.release().to_string_lossy(),
    );
    emit(&text)?;
    Ok(0)
}

pub fn info(containers: &Containers) -> Result {
    let all = containers.list();
    let count = |wanted: &str| {
        let is = |id: &String| {
            containers
                .state(id)
                .is_ok_and(|state| word(&state) == wanted)
        };
        all.iter().filter(|container| is(&container.id)).count()
    };
    let store = runpack::Store::open(&containers.roots.root);
    let images = store.images().map_or(0, |images| images.len());
    let cgroups = match Hierarchies::detect().map(|host| host.mode) {
        Ok(Mode::V1) => "1",
        Ok(Mode::Hybrid) => "1 (hybrid)",
        Ok(Mode::V2) => "2",
        Err(_) => "none",
    };
    let kernel = rustix::system::uname();
    let memory = rustix::system::sysinfo();
    let mut text = String::new();
    let rows = [
        ("Containers", all.len().to_string()),
        (" Running", count("running").to_string()),
        (" Paused", count("paused").to_string()),
        (" Stopped", (count("exited") + count("created")).to_string()),
        ("Images", images.to_string()),
        ("Storage Driver", "overlay".to_owned()),
        ("Logging Driver", "json-file".to_owned()),
        ("Cgroup Version", cgroups.to_owned()),
        (
            "Kernel Version",
            kernel.release().to_string_lossy().into_owned(),
        ),
        ("Operating System", os_name()),
        ("Architecture", std::env::consts::ARCH.to_owned()),
        (
            "CPUs",
            std::thread::available_parallelism()
                .map_or(0, usize::from)
                .to_string(),
        ),
        (
            "Total Memory",
            kit_units::bytes_size(memory.totalram * u64::from(memory.mem_unit)),
        ),
        ("Root Dir", containers.roots.root.display().to_string()),
        ("Run Dir", containers.roots.run.display().to_string()),
        ("Instance", containers.roots.instance.name()),
        ("Default Bridge", containers.roots.instance.bridge()),
    ];
    // Made with the first container on it.
    let network = rbridge::network::Dir::new(&containers.roots, rbridge::network::DEFAULT).read();
    let subnet = network.map(|network| ("Default Subnet", network.subnet().to_string()));
    for (name, value) in rows.into_iter().chain(subnet) {
        let _ = writeln!(text, "{name}: {value}");
    }
    emit(&text)?;
    Ok(0)
}

/// `PRETTY_NAME` of os-release(5).
fn os_name() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}
