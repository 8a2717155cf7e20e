//! From flags to the contents of a container's files: looks the image up, chooses volumes and a name. Makes nothing.

mod image;
mod ports;
mod security;
mod volumes;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kit_cli::{Failure, Result};
use kit_plan::Step;
use kit_plan::os_text::escape;
use oci_spec::runtime::Spec;

use self::image::{Config, source};
use self::ports::{exposed, ports};
pub use self::security::changes;
use self::security::wanted;
use self::volumes::volumes;
use super::flags::Create;
use super::steps::fault;
use box_ops::spec::SpecError;
use box_ops::spec::build::{ImageDefaults, Wanted, build};
use box_ops::spec::capabilities::recorded;
use box_ops::spec::command::{Command, command, entrypoint};
use box_ops::spec::env::parse_label;
use box_ops::spec::names::{check_hostname, check_name, generated_name};
use box_ops::spec::ports::Exposed;
use box_ops::spec::sizes::{parse_bytes, parse_cpus, parse_signal, parse_swap};
use box_state::{Asked, CONTAINER_VERSION, Container, Containers, Endpoint, Net, Port, now};

/// A container ready to be made.
pub struct Ready {
    pub container: Container,
    pub spec: Spec,
    /// The steps that must come before: its volumes.
    pub before: Vec<Box<dyn Step>>,
}

pub(super) fn usage(error: SpecError) -> Failure {
    Failure::usage(error)
}

pub fn prepare(flags: &Create, containers: &Containers) -> Result<Ready> {
    // What is wrong in itself is told before an image that is missing.
    ports::check(flags)?;
    volumes::check(flags)?;
    let id = random_id()?;
    let (config, args) = source(flags, containers)?;
    let (net, endpoints) = network(flags, containers)?;
    let hostname = hostname(flags, containers, &net, &id)?;
    check_conflicts(flags, &net)?;
    let (entrypoint, argv) = argv(flags, args, &config)?;
    let (mounts, points, before) = volumes(flags, containers, &config, &id)?;
    let wanted = Wanted {
        user: given(flags.user.as_ref())
            .cloned()
            .unwrap_or_else(|| config.user.clone()),
        limits: limits(flags)?,
        ..wanted(flags, &net, &hostname, argv.clone(), mounts)?
    };
    let image = ImageDefaults {
        env: config.env.clone(),
        workdir: config.workdir.clone(),
    };
    let exposed = exposed(flags, &config)?;
    let (labels, stop_signal) = (labels(flags, &config)?, stop_signal(flags, &config)?);
    let container = Container {
        version: CONTAINER_VERSION,
        name: name(flags, containers)?,
        id,
        created: now(),
        image: config.image,
        rootfs: rootfs(flags)?,
        path: argv[0].clone(),
        args: argv[1..].to_vec(),
        privileged: flags.privileged,
        asked: Asked {
            entrypoint,
            ..asked(flags)
        },
        tty: flags.tty,
        open_stdin: flags.interactive,
        stdin_once: flags.interactive,
        auto_remove: flags.rm,
        ports: published(flags, &endpoints, &exposed)?,
        net,
        endpoints,
        exposed: exposed.iter().map(ToString::to_string).collect(),
        mounts: points,
        cgroup: flags.cgroup.clone(),
        labels,
        stop_signal,
        stop_timeout: flags.stop_timeout.unwrap_or(10),
    };
    let cgroup = containers.cgroup_name(&container);
    let spec = build(&Wanted { cgroup, ..wanted }, &image).map_err(usage)?;
    Ok(Ready {
        container,
        spec,
        before,
    })
}

/// What `inspect` shows as it was given.
fn asked(flags: &Create) -> Asked {
    let tmpfs = flags.tmpfs.iter().map(|text| {
        let (to, options) = text.split_once(':').unwrap_or((text, ""));
        (to.to_owned(), options.to_owned())
    });
    let (cap_add, cap_drop) = recorded(&flags.cap_add, &flags.cap_drop);
    Asked {
        cap_add,
        cap_drop,
        security_opt: flags.security_opt.clone(),
        tmpfs: tmpfs.collect(),
        publish_all: flags.publish_all,
        cidfile: flags
            .cidfile
            .as_ref()
            .filter(|file| !file.is_empty())
            .map(Into::into),
        ..Asked::default()
    }
}

/// The program and its arguments, after the number of their words that are the entrypoint; `args` are the words after IMAGE.
fn argv(flags: &Create, args: Vec<String>, config: &Config) -> Result<(usize, Vec<String>)> {
    let is_empty = args.first().is_some_and(String::is_empty);
    let words = Command {
        entrypoint: flags.entrypoint.clone(),
        args,
    };
    let argv = command(&words, &config.entrypoint, &config.cmd).map_err(|e| {
        usage(e).hint(if is_empty {
            "the command's first word is empty: give the name of a program"
        } else {
            "the image has no CMD and no ENTRYPOINT: give a command after its name"
        })
    })?;
    Ok((entrypoint(&words, &config.entrypoint).len(), argv))
}

/// The ports of `-p` and `-P`; none where there is no network to publish them on.
fn published(flags: &Create, endpoints: &[Endpoint], exposed: &[Exposed]) -> Result<Vec<Port>> {
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    ports(flags, exposed)
}

/// A flag's value; an empty one counts as not given, since scripts pass flags whether they have a value or not.
fn given(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

/// Whether the container gets a generated name.
pub fn is_name_drawn(flags: &Create) -> bool {
    given(flags.name.as_ref()).is_none_or(|name| name == "/")
}

/// 64 hex digits, as docker's.
fn random_id() -> Result<String> {
    let mut bytes = [0u8; 32];
    read_random(&mut bytes)?;
    Ok(kit_units::hex::to_hex(&bytes))
}

fn read_random(bytes: &mut [u8]) -> Result<()> {
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| std::io::Read::read_exact(&mut random, bytes))
        .map_err(|e| Failure::doing("reading \"/dev/urandom\"", e))
}

fn rootfs(flags: &Create) -> Result<Option<PathBuf>> {
    let Some(dir) = &flags.rootfs else {
        return Ok(None);
    };
    let doing = format!("using root {dir:?}");
    let real = std::fs::canonicalize(dir).map_err(|e| Failure::new(format!("{doing}: {e}")))?;
    if !real.is_dir() {
        return Err(Failure::new(format!("{doing}: it is not a directory")));
    }
    if real == std::path::Path::new("/") {
        return Err(Failure::new(format!(
            "{doing}: it is the root of this host"
        )));
    }
    // container.json has strings.
    Ok(Some(escape(real).into()))
}

fn name(flags: &Create, containers: &Containers) -> Result<String> {
    // docker shows a name with a slash before it, and takes it so.
    let name = flags
        .name
        .as_ref()
        .map(|name| name.strip_prefix('/').unwrap_or(name));
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        check_name(name).map_err(usage)?;
        return Ok(name.to_owned());
    }
    let mut seed = [0u8; 8];
    read_random(&mut seed)?;
    let seed = u64::from_ne_bytes(seed);
    let free = (0..10_000)
        .map(|attempt| generated_name(seed, attempt))
        .find(|name| containers.is_free(name));
    Ok(free.unwrap_or_default())
}

/// Whose network namespace it has, and which networks it is attached to.
fn network(flags: &Create, containers: &Containers) -> Result<(Net, Vec<Endpoint>)> {
    if flags.network.len() > 1 {
        let all = flags.network.join(", ");
        return Err(Failure::usage(format!(
            "a container cannot be connected to several networks: {all}"
        )));
    }
    let shared = |net| Ok((net, Vec::new()));
    match flags.network() {
        "bridge" | "default" | "" => Ok((Net::Own, vec![Endpoint::on("bridge", 0)])),
        "none" => shared(Net::Own),
        "host" => shared(Net::Host),
        text => match text.split_once(':') {
            Some(("container", name)) => {
                shared(Net::Container(containers.find(name).map_err(fault)?.1.id))
            }
            Some(("ns", netns)) => {
                let parsed = rnetns::Netns::parse(netns).and_then(|netns| netns.open());
                parsed?;
                shared(Net::Ns(netns.to_owned()))
            }
            _ => Err(Failure::new(format!("network {text} not found"))
                .hint("the networks are bridge, none, host, container:NAME and ns:NETNS")),
        },
    }
}

/// The host name. As in docker, a container that shares a network namespace has the host name of that network's owner, in a
/// UTS namespace of its own.
fn hostname(flags: &Create, containers: &Containers, net: &Net, id: &str) -> Result<String> {
    if let Some(name) = given(flags.hostname.as_ref()) {
        check_hostname(name).map_err(usage)?;
        return Ok(name.clone());
    }
    let shared = match net {
        Net::Host => rustix::system::uname()
            .nodename()
            .to_str()
            .ok()
            .map(str::to_owned),
        Net::Container(other) => {
            let spec = containers.holding(other).spec(other).map_err(fault)?;
            spec.hostname().clone()
        }
        _ => None,
    };
    Ok(shared.unwrap_or_else(|| id[..12].to_owned()))
}

/// Refuses flags that a shared network namespace cannot have, in docker's words.
fn check_conflicts(flags: &Create, net: &Net) -> Result<()> {
    let publishes = !flags.publish.is_empty() || flags.publish_all;
    let conflict = |what: &str| {
        let text = format!("conflicting options: {what} and the network mode");
        Err(Failure::usage(text)
            .hint("ports and a host name belong to the container whose network is shared: give the flags to that one"))
    };
    match net {
        Net::Container(_) | Net::Ns(_) if publishes => conflict("port publishing"),
        Net::Container(_) if given(flags.hostname.as_ref()).is_some() => conflict("hostname"),
        Net::Host if publishes => {
            let text = b"WARNING: Published ports are discarded when using host network mode\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
            Ok(())
        }
        _ => Ok(()),
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
    let text = given(flags.stop_signal.as_ref())
        .cloned()
        .or(config.stop_signal.clone())
        .unwrap_or_else(|| "SIGTERM".to_owned());
    parse_signal(&text).map_err(usage)?;
    Ok(text)
}

fn limits(flags: &Create) -> Result<rcgroup::Limits> {
    // docker: 0 is no limit, whichever it is.
    let bytes = |text: &Option<String>| -> std::result::Result<Option<u64>, SpecError> {
        text.as_ref()
            .map(|text| parse_bytes(text))
            .transpose()
            .map(|bytes| bytes.map(|bytes| bytes as u64).filter(|bytes| *bytes > 0))
    };
    let limits = rcgroup::Limits {
        memory_bytes: bytes(&flags.memory).map_err(usage)?,
        memory_swap_bytes: flags
            .memory_swap
            .as_ref()
            .map(|text| parse_swap(text))
            .transpose()
            .map_err(usage)?
            .filter(|bytes| *bytes != 0),
        memory_reservation_bytes: bytes(&flags.memory_reservation).map_err(usage)?,
        nano_cpus: flags
            .cpus
            .as_ref()
            .map(|text| parse_cpus(text))
            .transpose()
            .map_err(usage)?
            .filter(|cpus| *cpus > 0),
        cpu_shares: flags.cpu_shares.filter(|weight| *weight > 0),
        cpuset_cpus: given(flags.cpuset_cpus.as_ref()).cloned(),
        cpuset_mems: given(flags.cpuset_mems.as_ref()).cloned(),
        // docker: 0 and -1 are no limit.
        pids: flags
            .pids_limit
            .and_then(|pids| u64::try_from(pids).ok())
            .filter(|pids| *pids > 0),
        blkio_weight: flags.blkio_weight.filter(|weight| *weight > 0),
    };
    if let Some(cgroup) = flags
        .cgroup
        .as_ref()
        .filter(|_| limits != rcgroup::Limits::default())
    {
        let refused = format!(
            "limits and --cgroup {cgroup:?} exclude each other: that cgroup has its own, for all in it"
        );
        return Err(
            Failure::usage(refused).hint(format!("rcgroup set {} -m 64m", kit_plan::quote(cgroup)))
        );
    }
    check_memory(&limits)?;
    if let Some(nano_cpus) = limits.nano_cpus {
        check_cpus(nano_cpus)?;
    }
    Ok(limits)
}

/// docker's least, and its order.
fn check_memory(limits: &rcgroup::Limits) -> Result<()> {
    let is_small = |bytes: Option<u64>| bytes.is_some_and(|bytes| bytes < 6 << 20);
    let rule = if is_small(limits.memory_bytes) {
        "Minimum memory limit allowed is 6MB"
    } else if is_small(limits.memory_reservation_bytes) {
        "Minimum memory reservation allowed is 6MB"
    } else if limits
        .memory_bytes
        .zip(limits.memory_reservation_bytes)
        .is_some_and(|(most, reserved)| most < reserved)
    {
        "Minimum memory limit can not be less than memory reservation limit, see usage"
    } else {
        return Ok(());
    };
    Err(Failure::usage(rule))
}

/// docker refuses more than there are, and less than the kernel's shortest quota; 0 is no limit.
fn check_cpus(nano_cpus: u64) -> Result<()> {
    let ours = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
        .map_err(|e| Failure::doing("counting this machine's CPUs", e))?;
    let is_ours = |cpu: &usize| ours.is_set(*cpu).unwrap_or(false);
    let count = (0..nix::sched::CpuSet::count()).filter(is_ours).count();
    if nano_cpus == 0 || (10_000_000..=count as u64 * 1_000_000_000).contains(&nano_cpus) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
    )))
}
