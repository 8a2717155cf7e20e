//! From flags to a container's files: the image is looked up, volumes are made, names chosen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kit_cli::{Failure, Result};
use oci_spec::runtime::{Mount, Spec};
use runpack::Store;

use super::fault;
use super::flags::Create;
use crate::spec::SpecError;
use crate::spec::build::{ImageDefaults, Wanted, build, mount};
use crate::spec::command::{Command, command};
use crate::spec::env::{parse_env, parse_env_file, parse_label};
use crate::spec::names::{check_hostname, check_name, generated_name};
use crate::spec::ports::{HostPort, parse_expose, parse_publish};
use crate::spec::sizes::{parse_bytes, parse_cpus, parse_signal, parse_swap, parse_ulimit};
use crate::spec::volumes::{
    Create as Missing, From, Volume, parse_mount, parse_tmpfs, parse_volume,
};
use crate::state::{Container, Containers, Image, MountPoint, Net, Port, now};
use crate::volume;

/// A container ready to be published.
pub struct Ready {
    pub container: Container,
    pub spec: Spec,
}

fn usage(error: SpecError) -> Failure {
    Failure::usage(error).exit(125)
}

/// What an image says, or nothing for `--rootfs`.
#[derive(Default)]
struct Config {
    image: Option<Image>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<String>,
    workdir: String,
    user: String,
    exposed: Vec<String>,
    volumes: Vec<String>,
    labels: BTreeMap<String, String>,
    stop_signal: Option<String>,
}

pub fn prepare(flags: &Create, containers: &Containers) -> Result<Ready> {
    let id = random_id()?;
    let (config, args) = source(flags, containers)?;
    let hostname = flags
        .hostname
        .clone()
        .unwrap_or_else(|| id[..12].to_owned());
    check_hostname(&hostname).map_err(usage)?;
    let net = network(flags, containers)?;
    let flags_command = Command {
        entrypoint: flags.entrypoint.clone(),
        args,
    };
    let argv = command(&flags_command, &config.entrypoint, &config.cmd).map_err(|e| {
        usage(e).hint("the image has no CMD and no ENTRYPOINT: give a command after its name")
    })?;
    let (mounts, points) = volumes(flags, containers, &config, &id)?;
    let wanted = wanted(flags, &net, &hostname, argv.clone(), mounts)?;
    let image = ImageDefaults {
        env: config.env.clone(),
        workdir: config.workdir.clone(),
    };
    let spec = build(&wanted, &image).map_err(usage)?;
    let exposed = exposed(flags, &config)?;
    let (labels, stop_signal) = (labels(flags, &config)?, stop_signal(flags, &config)?);
    let container = Container {
        name: name(flags, containers)?,
        id,
        created: now(),
        image: config.image,
        rootfs: rootfs(flags)?,
        path: argv[0].clone(),
        args: argv[1..].to_vec(),
        init: flags.init,
        tty: flags.tty,
        open_stdin: flags.interactive,
        auto_remove: flags.rm,
        ports: if net == Net::Bridge {
            ports(flags, &exposed)?
        } else {
            Vec::new()
        },
        net,
        exposed,
        mounts: points,
        limits: limits(flags)?,
        cgroup: flags.cgroup.clone(),
        labels,
        stop_signal,
        stop_timeout: flags.stop_timeout.unwrap_or(10),
        user: flags.user.clone().unwrap_or(config.user),
    };
    Ok(Ready { container, spec })
}

/// 64 hex digits, as docker's.
fn random_id() -> Result<String> {
    let mut bytes = [0u8; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().fold(String::with_capacity(64), |id, byte| {
        id + &format!("{byte:02x}")
    }))
}

fn rootfs(flags: &Create) -> Result<Option<PathBuf>> {
    let Some(dir) = &flags.rootfs else {
        return Ok(None);
    };
    let doing = format!("using root {dir:?}");
    let real =
        std::fs::canonicalize(dir).map_err(|e| Failure::new(format!("{doing}: {e}")).exit(125))?;
    if !real.is_dir() {
        return Err(Failure::new(format!("{doing}: it is not a directory"))
            .exit(125)
            .into());
    }
    if real == std::path::Path::new("/") {
        return Err(Failure::new(format!("{doing}: that is the host's own"))
            .exit(125)
            .into());
    }
    Ok(Some(real))
}

/// The image's configuration and the words of the command.
fn source(flags: &Create, containers: &Containers) -> Result<(Config, Vec<String>)> {
    if flags.rootfs.is_some() {
        return Ok((Config::default(), flags.words.clone()));
    }
    let Some((name, args)) = flags.words.split_first() else {
        return Err(Failure::usage("missing IMAGE")
            .hint("rrun images shows them; see rrun run --help")
            .exit(125)
            .into());
    };
    let store = Store::open(&containers.roots.root);
    let found = store.resolve(name).map_err(|e| {
        Failure::new(&e)
            .hint("rrun images shows what is there; rrun load FILE brings one, runpack pack -t NAME --bin PROGRAM makes one, debootstrap DIR and tar -C DIR -c . | rrun import - NAME another")
            .exit(125)
    })?;
    check_architecture(name, &found)?;
    let layers = store
        .layers_unpacked(&found)
        .map_err(|e| Failure::new(&e).exit(125))?;
    let config = found.config.config().clone().unwrap_or_default();
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let config = Config {
        image: Some(Image {
            name: name.clone(),
            id: found.id.to_string(),
            layers,
        }),
        entrypoint: list(config.entrypoint()),
        cmd: list(config.cmd()),
        env: list(config.env()),
        workdir: config.working_dir().clone().unwrap_or_default(),
        user: config.user().clone().unwrap_or_default(),
        exposed: list(config.exposed_ports()),
        volumes: list(config.volumes()),
        labels: config
            .labels()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        stop_signal: config.stop_signal().clone(),
    };
    Ok((config, args.to_vec()))
}

fn check_architecture(name: &str, image: &runpack::Image) -> Result<()> {
    let ours = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let theirs = image.config.architecture().to_string();
    if theirs == ours || (ours == "amd64" && theirs == "386") || theirs.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "running image \"{name}\": it is for {theirs}, and this machine is {ours}"
    ))
    .hint("load the image for this machine")
    .exit(125)
    .into())
}

fn name(flags: &Create, containers: &Containers) -> Result<String> {
    if let Some(name) = &flags.name {
        check_name(name).map_err(usage)?;
        return Ok(name.clone());
    }
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = nanos.map_or(0, |t| t.as_nanos() as u64) ^ u64::from(std::process::id());
    let free = (0..10_000)
        .map(|attempt| generated_name(seed, attempt))
        .find(|name| containers.resolve(name).is_err());
    Ok(free.unwrap_or_default())
}

fn network(flags: &Create, containers: &Containers) -> Result<Net> {
    Ok(match flags.network.as_str() {
        "bridge" | "default" => Net::Bridge,
        "none" => Net::None,
        "host" => Net::Host,
        text => match text.split_once(':') {
            Some(("container", name)) => {
                Net::Container(containers.resolve(name).map_err(|e| fault(e).exit(125))?.id)
            }
            Some(("ns", netns)) => {
                let parsed = rnetns::Netns::parse(netns).and_then(|netns| netns.open());
                parsed.map_err(|e| {
                    let hint = e.hint();
                    Failure::new(e).hint_from(hint.as_deref()).exit(125)
                })?;
                Net::Ns(netns.to_owned())
            }
            _ => {
                return Err(Failure::new(format!("network {text} not found"))
                    .hint("the networks are bridge, none, host, container:NAME and ns:NETNS")
                    .exit(125)
                    .into());
            }
        },
    })
}

fn wanted(
    flags: &Create,
    net: &Net,
    hostname: &str,
    argv: Vec<String>,
    mounts: Vec<Mount>,
) -> Result<Wanted> {
    let host = |key: &str| std::env::var(key).ok();
    let mut env = Vec::new();
    for file in &flags.env_file {
        let text = std::fs::read_to_string(file)
            .map_err(|e| Failure::new(format!("reading --env-file {file:?}: {e}")).exit(125))?;
        env.extend(parse_env_file(&text, &host).map_err(usage)?);
    }
    for text in &flags.env {
        env.push(parse_env(text, &host).map_err(usage)?);
    }
    let ulimits: std::result::Result<Vec<_>, _> =
        flags.ulimit.iter().map(|text| parse_ulimit(text)).collect();
    let (no_new_privileges, seccomp) = security(flags)?;
    let mut wanted = Wanted {
        argv,
        env,
        workdir: flags.workdir.clone(),
        hostname: hostname.to_owned(),
        tty: flags.tty,
        readonly: flags.read_only,
        privileged: flags.privileged,
        cap_add: flags.cap_add.clone(),
        cap_drop: flags.cap_drop.clone(),
        no_new_privileges,
        mounts,
        ulimits: ulimits.map_err(usage)?,
        shares_net: matches!(net, Net::Host | Net::Container(_) | Net::Ns(_)),
        host_net: *net == Net::Host,
        seccomp: None,
    };
    wanted.seccomp = match seccomp {
        Seccomp::Unconfined => None,
        Seccomp::File(profile) => Some(*profile),
        Seccomp::Default => {
            let caps = crate::spec::build::capabilities(&wanted).map_err(usage)?;
            Some(crate::engine::seccomp::default_profile(&caps))
        }
    };
    Ok(wanted)
}

enum Seccomp {
    Default,
    Unconfined,
    File(Box<oci_spec::runtime::LinuxSeccomp>),
}

fn security(flags: &Create) -> Result<(bool, Seccomp)> {
    let (mut locked, mut seccomp) = (false, Seccomp::Default);
    for option in &flags.security_opt {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (key, value) {
            ("no-new-privileges", "" | "true") => locked = true,
            ("no-new-privileges", "false") => locked = false,
            ("seccomp", "unconfined") => seccomp = Seccomp::Unconfined,
            ("seccomp", file) if !file.is_empty() => {
                let doing = format!("reading seccomp profile {file:?}");
                let text = std::fs::read(file)
                    .map_err(|e| Failure::new(format!("{doing}: {e}")).exit(125))?;
                let parsed = serde_json::from_slice(&text);
                seccomp = Seccomp::File(Box::new(
                    parsed.map_err(|e| Failure::new(format!("{doing}: {e}")).exit(125))?,
                ));
            }
            _ => {
                return Err(
                    Failure::usage(format!("invalid --security-opt: \"{option}\""))
                        .hint("no-new-privileges, seccomp=unconfined, seccomp=FILE")
                        .exit(125)
                        .into(),
                );
            }
        }
    }
    Ok((locked, seccomp))
}

fn exposed(flags: &Create, config: &Config) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for text in config.exposed.iter().chain(&flags.expose) {
        for port in parse_expose(text).map_err(usage)? {
            all.push(port.to_string());
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn ports(flags: &Create, exposed: &[String]) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for text in &flags.publish {
        for published in parse_publish(text).map_err(usage)? {
            let host_port = match published.host {
                HostPort::Any => 0,
                HostPort::One(port) => port,
                HostPort::Range(first, last) => {
                    let (ip, proto) = (
                        published.ip.and_then(v4),
                        proto(&published.proto.to_string()),
                    );
                    let free = crate::network::free_port(ip, proto, first..=last);
                    free.ok_or_else(|| {
                        Failure::new(format!(
                            "publishing \"{text}\": no port of {first}-{last} is free"
                        ))
                        .exit(125)
                    })?
                }
            };
            let proto = published.proto.to_string();
            if proto == "sctp" {
                return Err(Failure::new(format!(
                    "publishing \"{text}\": only tcp and udp are translated"
                ))
                .exit(125)
                .into());
            }
            ports.push(Port {
                host_ip: published.ip,
                host_port,
                container_port: published.container,
                proto,
            });
        }
    }
    if flags.publish_all {
        for text in exposed {
            let (port, proto) = text.split_once('/').unwrap_or((text, "tcp"));
            let container_port = port.parse().unwrap_or_default();
            if !ports
                .iter()
                .any(|known| known.container_port == container_port && known.proto == proto)
            {
                ports.push(Port {
                    host_ip: None,
                    host_port: 0,
                    container_port,
                    proto: proto.to_owned(),
                });
            }
        }
    }
    Ok(ports)
}

fn v4(ip: std::net::IpAddr) -> Option<std::net::Ipv4Addr> {
    match ip {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    }
}

fn proto(text: &str) -> rbridge::Proto {
    if text == "udp" {
        rbridge::Proto::Udp
    } else {
        rbridge::Proto::Tcp
    }
}

fn labels(flags: &Create, config: &Config) -> Result<BTreeMap<String, String>> {
    let mut labels = config.labels.clone();
    for text in &flags.label {
        let (key, value) = parse_label(text).map_err(usage)?;
        labels.insert(key, value);
    }
    Ok(labels)
}

fn stop_signal(flags: &Create, config: &Config) -> Result<String> {
    let text = flags
        .stop_signal
        .clone()
        .or(config.stop_signal.clone())
        .unwrap_or_else(|| "SIGTERM".to_owned());
    parse_signal(&text).map_err(usage)?;
    Ok(text)
}

fn limits(flags: &Create) -> Result<rcgroup::Limits> {
    let bytes = |text: &Option<String>| -> std::result::Result<Option<u64>, SpecError> {
        text.as_ref()
            .map(|text| parse_bytes(text))
            .transpose()
            .map(|bytes| bytes.map(|bytes| bytes as u64))
    };
    let limits = rcgroup::Limits {
        memory_bytes: bytes(&flags.memory).map_err(usage)?,
        memory_swap_bytes: flags
            .memory_swap
            .as_ref()
            .map(|text| parse_swap(text))
            .transpose()
            .map_err(usage)?,
        memory_reservation_bytes: bytes(&flags.memory_reservation).map_err(usage)?,
        nano_cpus: flags
            .cpus
            .as_ref()
            .map(|text| parse_cpus(text))
            .transpose()
            .map_err(usage)?,
        cpu_shares: flags.cpu_shares,
        cpuset_cpus: flags.cpuset_cpus.clone(),
        cpuset_mems: flags.cpuset_mems.clone(),
        // docker: 0 and -1 are no limit.
        pids: flags
            .pids_limit
            .and_then(|pids| u64::try_from(pids).ok())
            .filter(|pids| *pids > 0),
        blkio_weight: flags.blkio_weight,
    };
    if limits.memory_bytes.is_some_and(|bytes| bytes < 6 << 20) {
        return Err(Failure::usage("Minimum memory limit allowed is 6MB")
            .exit(125)
            .into());
    }
    Ok(limits)
}

/// The mounts of volumes, and what `inspect` says of them.
fn volumes(
    flags: &Create,
    containers: &Containers,
    config: &Config,
    id: &str,
) -> Result<(Vec<Mount>, Vec<MountPoint>)> {
    let mut all: Vec<Volume> = Vec::new();
    for (texts, parse) in [
        (
            &flags.volume,
            parse_volume as fn(&str) -> std::result::Result<Volume, SpecError>,
        ),
        (&flags.mount, parse_mount),
        (&flags.tmpfs, parse_tmpfs),
    ] {
        for text in texts {
            all.push(parse(text).map_err(usage)?);
        }
    }
    for path in &config.volumes {
        if !all
            .iter()
            .any(|volume| volume.to == std::path::Path::new(path))
        {
            all.push(parse_volume(path).map_err(usage)?);
        }
    }
    let (mut mounts, mut points) = (Vec::new(), Vec::new());
    for (nth, volume) in all.iter().enumerate() {
        if all[..nth].iter().any(|earlier| earlier.to == volume.to) {
            return Err(
                Failure::usage(format!("Duplicate mount point: {}", volume.to.display()))
                    .exit(125)
                    .into(),
            );
        }
        let (mount, point) = one_volume(
            volume,
            containers,
            config,
            &format!("{}{nth:02}", &id[..62]),
            flags.act.dry_run,
        )?;
        mounts.push(mount);
        points.push(point);
    }
    Ok((mounts, points))
}

fn one_volume(
    volume: &Volume,
    containers: &Containers,
    config: &Config,
    anonymous: &str,
    dry_run: bool,
) -> Result<(Mount, MountPoint)> {
    let wrong = |e: volume::VolumeError| {
        let hint = e.hint();
        Failure::new(e).hint_from(hint.as_deref()).exit(125)
    };
    let (kind, name, source) = match &volume.from {
        From::Memory(options) => {
            let mut all = ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
            all.extend(options.iter().cloned());
            let built = mount(&volume.to, "tmpfs", "tmpfs", all).map_err(usage)?;
            let point = MountPoint {
                kind: "tmpfs".into(),
                name: String::new(),
                source: PathBuf::new(),
                destination: volume.to.clone(),
                rw: !volume.readonly,
            };
            return Ok((built, point));
        }
        From::Host(path) => {
            if volume.create != Missing::No && !path.exists() && !dry_run {
                make(path, volume.create)?;
            }
            volume::check_source(path).map_err(wrong)?;
            ("bind", String::new(), path.clone())
        }
        From::Named(_) | From::Anonymous => {
            let name = if let From::Named(name) = &volume.from {
                name.clone()
            } else {
                anonymous.to_owned()
            };
            let path = volume::data(&containers.roots, &name);
            if !dry_run {
                let (path, is_new) = volume::ensure(&containers.roots, &name).map_err(wrong)?;
                if let (true, Some(image)) = (is_new, &config.image) {
                    volume::copy_up(&image.layers, &volume.to, &path).map_err(wrong)?;
                }
            }
            ("volume", name, path)
        }
    };
    let mut options = ["rbind", "rprivate"].map(str::to_owned).to_vec();
    if volume.readonly {
        options.push("ro".to_owned());
    }
    let built = mount(&volume.to, "bind", &source, options).map_err(usage)?;
    let point = MountPoint {
        kind: kind.to_owned(),
        name,
        source,
        destination: volume.to.clone(),
        rw: !volume.readonly,
    };
    Ok((built, point))
}

fn make(path: &std::path::Path, what: Missing) -> Result<()> {
    let made = match what {
        Missing::File => std::fs::File::create_new(path).map(drop),
        _ => std::fs::create_dir_all(path),
    };
    made.map_err(|e| {
        Failure::new(format!("making {path:?}: {e}"))
            .exit(125)
            .into()
    })
}
