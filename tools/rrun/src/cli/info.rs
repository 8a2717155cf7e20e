//! `rrun info` and `rrun version`.

use kit_cli::template::{asked, formatted};
use kit_cli::{Failure, Result, emit, emit_json, rows_like_docker};
use rcgroup::{Hierarchies, Mode};
use serde_json::{Value, json};

use super::ps::word;
use box_ops::frozen::Freezers;
use box_state::Containers;

// How one object is printed.
#[derive(clap::Args)]
pub struct Args {
    /// json, or a template, such as {{json .}}
    #[arg(short, long, conflicts_with = "json")]
    pub format: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// Prints `value` as asked, or `text`.
    fn print(&self, value: &Value, text: &str) -> Result {
        match asked(self.format.as_deref()) {
            None if self.json => emit_json(value)?,
            None => emit(text)?,
            Some("json") => emit(&format!("{value}\n"))?,
            Some(format) => {
                let one = std::iter::once(value.clone());
                emit(&formatted(format, json!({}), one, rows_like_docker)?)?;
            }
        }
        Ok(0)
    }
}

const OCI: &str = "1.0.2";

pub fn version(args: &Args) -> Result {
    let (version, arch) = (
        env!("CARGO_PKG_VERSION"),
        runpack::pack::host_architecture(),
    );
    let kernel = release();
    // Client and server are one program: docker's scripts ask for either.
    let side = json!({"Version": version, "Os": "linux", "Arch": arch, "KernelVersion": kernel, "OciVersion": OCI});
    let text = format!(
        "rrun:\n Version:           {version}\n OCI runtime spec:  {OCI}\n OS/Arch:           linux/{arch}\n Kernel:            {kernel}\n"
    );
    args.print(&json!({"Client": side, "Server": side}), &text)
}

fn release() -> String {
    let kernel = rustix::system::uname();
    kernel.release().to_string_lossy().into_owned()
}

pub fn info(args: &Args, containers: &Containers) -> Result {
    let value = facts(containers)?;
    let text: String = LINES
        .iter()
        .filter_map(|(head, key)| Some(format!("{head}: {}\n", shown(key, value.get(*key)?)?)))
        .collect();
    args.print(&value, &text)
}

/// The lines, in docker's order, and the fields that they show.
const LINES: [(&str, &str); 24] = [
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Security Options", "SecurityOptions"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("Root Dir", "DockerRootDir"),
    ("Run Dir", "RunDir"),
    ("Instance", "Instance"),
    ("Default Bridge", "DefaultBridge"),
    ("Default Subnet", "DefaultSubnet"),
    ("Warnings", "Warnings"),
];

/// A field as a line has it; `None` for one that has nothing to say.
fn shown(key: &str, value: &Value) -> Option<String> {
    match (key, value) {
        ("MemTotal", bytes) => Some(kit_units::bytes_size(bytes.as_u64()?)),
        ("CgroupVersion", _) => Some(cgroups().1.to_owned()),
        (_, Value::Array(all)) if all.is_empty() => None,
        (_, Value::Array(all)) => {
            let texts: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            Some(texts.join(", "))
        }
        (_, Value::String(text)) => Some(text.clone()),
        (_, Value::Null) => None,
        (_, other) => Some(other.to_string()),
    }
}

/// docker's number, and what a person is told.
fn cgroups() -> (&'static str, &'static str) {
    match Hierarchies::detect().map(|host| host.mode) {
        Ok(Mode::V1) => ("1", "1"),
        Ok(Mode::Hybrid) => ("1", "1 (hybrid)"),
        Ok(Mode::V2) => ("2", "2"),
        Err(_) => ("", "none"),
    }
}

/// docker's field names, and a few of ours.
fn facts(containers: &Containers) -> Result<Value> {
    let roots = &containers.roots;
    let both = containers.both();
    let freezers = Freezers::default();
    let mut counts = [0_usize; 3];
    for containers in &both {
        for container in containers.list() {
            let Ok(state) = freezers.state(containers, &container) else {
                continue;
            };
            counts[match word(&state) {
                "running" => 0,
                "paused" => 1,
                _ => 2,
            }] += 1;
        }
    }
    let store = runpack::Store::open(&roots.root);
    let images = store.images().map_or(0, |images| images.len());
    let memory = rustix::system::sysinfo();
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    // Made with the first container on it.
    let network = rbridge::network::Dir::new(roots, rbridge::network::DEFAULT).read()?;
    let cpus = std::thread::available_parallelism()
        .map_err(|e| Failure::doing("counting this machine's CPUs", e))?;
    Ok(json!({
        "Containers": counts.iter().sum::<usize>(),
        "ContainersRunning": counts[0],
        "ContainersPaused": counts[1],
        "ContainersStopped": counts[2],
        "Images": images,
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "Driver": "overlay",
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": cgroups().0,
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "KernelVersion": release(),
        "OperatingSystem": os_name(),
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "NCPU": cpus.get(),
        "MemTotal": memory.totalram * u64::from(memory.mem_unit),
        "Name": name,
        "DockerRootDir": roots.root.display().to_string(),
        "RunDir": roots.run.display().to_string(),
        "Instance": roots.instance.name(),
        "DefaultBridge": roots.instance.bridge(),
        "DefaultSubnet": network.map(|network| network.subnet().to_string()),
        "Warnings": [],
    }))
}

/// `PRETTY_NAME` of os-release(5).
fn os_name() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}
