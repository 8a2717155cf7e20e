//! From a container's files to the engine's [`Setup`]: which namespaces are joined, which cgroup and which
//! network it gets. The same for a run and for `--dry-run`.

use std::path::PathBuf;

use kit_plan::{Context, Plan, Step};
use oci_spec::runtime::Spec;

use super::born::failed;
use super::wire::Failed;
use crate::engine::{self, Root, Setup};
use crate::state::{Container, Containers, Net, RunState};

/// The plan of a run, with the descriptors that its steps need in `cx`.
pub fn for_run(
    containers: &Containers,
    container: &Container,
    size: Option<(u16, u16)>,
    cx: &mut Context,
) -> Result<Plan, Failed> {
    let spec = containers
        .spec(&container.id)
        .map_err(|e| failed(&e, e.hint().as_deref(), 125))?;
    let joined = joins(containers, container)?;
    if let Some(joined) = &joined {
        let opened = joined
            .netns
            .open()
            .map_err(|e| failed(&e, e.hint().as_deref(), 125))?;
        cx.put_fd(NETNS, opened.into());
    }
    let setup = setup(containers, container, spec, joined, size);
    Ok(engine::plan(setup, command(container)))
}

/// What `--dry-run` prints: nothing is opened.
pub fn plan(containers: &Containers, container: &Container, spec: Spec) -> Result<Plan, Failed> {
    let joined = joins(containers, container)?;
    Ok(engine::plan(
        setup(containers, container, spec, joined, None),
        command(container),
    ))
}

const NETNS: &str = "netns";

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

struct Joined {
    netns: rnetns::Netns,
}

/// The network namespace that it shares, if it does.
fn joins(containers: &Containers, container: &Container) -> Result<Option<Joined>, Failed> {
    let netns = match &container.net {
        Net::Ns(name) => {
            rnetns::Netns::parse(name).map_err(|e| failed(&e, e.hint().as_deref(), 125))?
        }
        Net::Container(id) => {
            let state = containers
                .state(id)
                .map_err(|e| failed(&e, e.hint().as_deref(), 125))?;
            let process = state
                .process
                .filter(kit_plan::ProcessId::is_alive)
                .ok_or_else(|| Failed {
                    text: format!(
                        "joining the network of container \"{}\": it is not running",
                        id.get(..12).unwrap_or(id)
                    ),
                    hint: Some("rrun start it first".to_owned()),
                    exit: 125,
                })?;
            rnetns::Netns::Pid(process.pid)
        }
        _ => return Ok(None),
    };
    Ok(Some(Joined { netns }))
}

fn setup(
    containers: &Containers,
    container: &Container,
    spec: Spec,
    joined: Option<Joined>,
    size: Option<(u16, u16)>,
) -> Setup {
    let dir = containers.dir(&container.id);
    let root = match (&container.image, &container.rootfs) {
        (Some(image), None) => Root::Overlay {
            layers: image.layers.clone(),
            upper: dir.join("upper"),
            work: dir.join("work"),
        },
        (_, rootfs) => Root::Dir(rootfs.clone().unwrap_or_else(|| PathBuf::from("/"))),
    };
    let mut child_first: Vec<Box<dyn Step>> = Vec::new();
    let mut child_net: Vec<Box<dyn Step>> = Vec::new();
    match joined {
        Some(joined) => child_first.push(Box::new(engine::spawn::Join {
            path: joined.netns.path(),
            fd: NETNS,
            what: "network",
        })),
        None if container.net != Net::Host => child_net.push(engine::raise_lo()),
        None => {}
    }
    Setup {
        id: container.id.clone(),
        spec,
        root,
        run_dir: containers.run_dir(&container.id),
        user: container.user.clone(),
        tty: container.tty,
        open_stdin: container.open_stdin,
        size,
        before: Vec::new(),
        after: Vec::new(),
        child_first,
        child_net,
    }
}

/// What the run has found out: addresses, ports.
pub fn note(_state: &mut RunState, _cx: &mut Context, _container: &Container) {}

/// What only the dying cgroup can tell: whether memory ran out.
pub fn last_look(_state: &mut RunState, _container: &Container, _containers: &Containers) {}
