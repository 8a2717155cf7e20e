//! `gc`: a few plans one after the other, each made when the one before it is done. A failure is reported at the end and
//! stops nothing.

use std::path::{Path, PathBuf};

use box_monitor as monitor;
use box_state::{Container, Containers, is_id, volume};
use kit_plan::{Journal, Mark, Observer, Plan, Saying, State, Undo};
use rbridge::network;
use runpack::Store;

use crate::create::pin_place;
use crate::says;
use crate::steps::collect::{
    OnlyIf, Outcome, ReleaseForwarding, RemoveCgroups, RemoveNetwork, RemoveParents, Replay,
    Settle, Sweep,
};
use crate::steps::{self, Attend};
use crate::{OpsError, Subject, remove};

pub use crate::steps::collect::Told;

/// Makes one of the plans.
type Part = fn(&mut Plan, &Containers, &Outcome);

fn parts(keep_network: bool) -> Vec<Part> {
    let mut parts: Vec<Part> = vec![begun, ended, left, store, rules, cgroups];
    if !keep_network {
        parts.push(network);
    }
    parts.push(host);
    parts
}

/// What a gc would do now, as one plan for `--dry-run`, and what it found that it cannot do. With `keep_network` the rules,
/// links and ports of networks stay as they are.
pub fn plan(containers: &Containers, keep_network: bool) -> (Plan, Told) {
    let outcome = Outcome::default();
    let mut all = Plan::new("rrun gc");
    for part in parts(keep_network) {
        part(&mut all, containers, &outcome);
    }
    (all, outcome.take())
}

/// Carries out a gc. `keep_network` is as for [`plan`].
///
/// # Errors
/// An interruption by a signal. All other failures are in [`Told::failures`].
pub fn run(
    containers: &Containers,
    keep_network: bool,
    watch: &mut dyn Observer,
) -> Result<Told, OpsError> {
    let outcome = Outcome::default();
    monitor::wait_for_leaving(containers);
    for part in parts(keep_network) {
        let mut plan = Plan::new("rrun gc");
        part(&mut plan, containers, &outcome);
        let mark = Mark::new(containers.roots.instance.clone());
        crate::apply(&plan, mark, watch)?;
    }
    Ok(outcome.take())
}

/// Journals of dead processes, and containers that run without a monitor.
fn begun(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let found = monitor::abandoned(containers);
    if found.due {
        plan.push(Replay {
            containers: containers.clone(),
            outcome: outcome.clone(),
        });
    }
    for id in found.unattended {
        let said = format!("attended: {id}");
        let attend = Attend {
            containers: containers.holding(&id),
            id,
        };
        plan.push_boxed(outcome.go_on_boxed(Box::new(attend), Some(said)));
    }
}

/// Containers whose end no monitor has recorded, and --rm containers that will never start.
fn ended(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    for containers in containers.both() {
        let loaded = containers.ids();
        for container in loaded.iter().filter_map(|id| containers.load(id).ok()) {
            let of = Subject {
                containers: containers.clone(),
                container,
            };
            let is_over = monitor::settled(&containers, &of.container.id).is_some();
            if is_over {
                plan.push_boxed(outcome.go_on(Settle(of.clone())));
            }
            let goes = is_over && of.container.auto_remove;
            if goes || monitor::is_forsaken(&containers, &of.container) {
                let mut removal = Plan::new(String::new());
                remove::push(&mut removal, &of, true, false);
                for step in removal.into_steps() {
                    plan.push_boxed(outcome.go_on_boxed(step, None));
                }
            }
        }
    }
}

/// Sweeps a path if something still holds.
type Sweeper<'a> = &'a mut dyn FnMut(PathBuf, Saying, OnlyIf);

/// Layers, trash, half-made containers and what was made for them; run directories, names and pins whose container does
/// not exist.
fn left(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let mut sweep = |path: PathBuf, says: Saying, only_if: OnlyIf| {
        plan.push_boxed(outcome.go_on(Sweep {
            path,
            says,
            only_if,
            outcome: outcome.clone(),
        }));
    };
    left_layers(containers, &mut sweep);
    for of in &containers.both() {
        for path in entries(&of.trash()) {
            for volume in doomed(of, &path) {
                let says = says::left_volume();
                sweep(volume, says, OnlyIf::Always);
            }
            sweep(path, says::left_trash(), OnlyIf::Always);
        }
        for id in of.half_made() {
            left_new(of, &id, &mut sweep);
        }
        for (name, id) in of.orphaned_names() {
            let path = of.names().join(name);
            sweep(path, says::left_name(), OnlyIf::Orphan(of.clone(), id));
        }
        for (name, id) in of.stale_names() {
            let path = of.names().join(name);
            let says = says::left_old_name();
            sweep(path, says, OnlyIf::Unlocked(of.dir(&id)));
        }
        for pin in pins(of) {
            let path = of.pin(&pin);
            let says = says::unpin_nobodys();
            sweep(path, says, OnlyIf::Nobodys(of.clone(), pin));
        }
    }
    for path in network::half_removed(&containers.roots) {
        sweep(path, says::left_trash(), OnlyIf::Always);
    }
    for path in entries(&containers.roots.run.join("containers")) {
        if let Some(id) = id_of(&path).filter(|id| containers.is_nobodys(id)) {
            // A monitor at the end of a --rm run still holds the lock.
            let only_if = OnlyIf::LockFree(containers.clone(), id);
            sweep(path, says::left_run(), only_if);
        }
    }
}

/// Layers of transient containers that a kill or a reboot has taken away, with their volumes. A container in the trash
/// says itself which of its volumes go; the trash is swept after its layer.
fn left_layers(containers: &Containers, sweep: Sweeper<'_>) {
    let of = containers.transient();
    for path in entries(&of.layers()) {
        let Some(id) = id_of(&path).filter(|id| of.is_nobodys(id)) else {
            continue;
        };
        let only_if = || OnlyIf::LayerLeft(of.clone(), id.clone());
        if !of.trash().join(&id).exists() {
            for volume in volume::leftovers(&of.roots, &id) {
                sweep(volume, says::left_volume(), only_if());
            }
        }
        sweep(path, says::left_layer(), only_if());
    }
}

/// A container whose making was killed. Its directory comes last: all else is found by it.
fn left_new(of: &Containers, id: &str, sweep: Sweeper<'_>) {
    let making = of.making(id);
    let only_if = || OnlyIf::Unlocked(making.clone());
    for path in volume::leftovers(&of.roots, id) {
        sweep(path, says::left_new_volume(), only_if());
    }
    let pin = of.pin(id);
    if pin.exists() {
        sweep(pin, says::unpin_unused(), only_if());
    }
    for name in of.names_of(id) {
        sweep(of.names().join(name), says::left_new_name(), only_if());
    }
    let layer = of.making_layer(id);
    if of.is_transient() && layer.exists() {
        sweep(layer, says::left_layer(), only_if());
    }
    sweep(making.clone(), says::left_new(), only_if());
}

fn id_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// The anonymous volumes of a container in the trash.
fn doomed(of: &Containers, trash: &Path) -> Vec<PathBuf> {
    let text = std::fs::read(trash.join("container.json")).unwrap_or_default();
    let Ok(container) = serde_json::from_slice::<Container>(&text) else {
        return Vec::new();
    };
    if !container.auto_remove && !trash.join(steps::DOOMED).exists() {
        return Vec::new();
    }
    let names = volume::anonymous(of, &container).into_iter();
    let paths = names.map(|name| volume::dir(&of.roots).join(name));
    paths.filter(|path| path.exists()).collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The containers that do not exist and have a pin, in the place of these containers. A program that uses the store has
/// pins of its own, which are its to end: their owners' names are no containers' IDs, or a session's journal has them.
fn pins(of: &Containers) -> Vec<String> {
    let pins = Store::open(&of.roots.root).pins_of(pin_place(of));
    let owners = pins.unwrap_or_default().into_iter().map(|pin| pin.owner);
    let mut owners: Vec<String> = owners
        .filter(|owner| is_id(owner) && of.is_nobodys(owner))
        .collect();
    if !owners.is_empty() {
        // The dead ones' journals are replayed before this.
        let kept = journalled(of);
        owners.retain(|owner| !kept.contains(&of.pin(owner)));
    }
    owners
}

/// The files that journals will unlink.
fn journalled(of: &Containers) -> Vec<PathBuf> {
    let journals = entries(&of.roots.journals()).into_iter();
    let journals = journals.filter_map(|path| Journal::peek(&path).ok());
    let mut files = Vec::new();
    for journal in journals {
        let records = journal
            .records()
            .iter()
            .filter(|record| record.state != State::Undone);
        files.extend(records.filter_map(|record| match &record.undo {
            Undo::Unlink { path, .. } => Some(path.clone()),
            _ => None,
        }));
    }
    files
}

/// Blobs and layers that no image uses.
fn store(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let roots = &containers.roots;
    if !Store::open(&roots.root).dir().exists() {
        return;
    }
    match runpack::gc::plan(roots) {
        Ok((sweeps, _)) => {
            for step in sweeps.into_steps() {
                plan.push_boxed(outcome.go_on_boxed(step, None));
            }
        }
        Err(error) => outcome.fail(error),
    }
}

/// Rules and published ports of running containers that another program has flushed.
fn rules(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let roots = &containers.roots;
    if !roots.run.join("networks").exists() {
        return;
    }
    let found = kit_net::Nft::open()
        .map_err(rbridge::BridgeError::from)
        .and_then(|nft| rbridge::repair::damage(roots, &nft));
    match found {
        Ok(found) if found.is_empty() => {}
        Ok(found) => match rbridge::repair::plan(roots) {
            Ok(mending) => {
                let each: Vec<String> = found.iter().map(ToString::to_string).collect();
                let mut said = Some(format!("mended: {}", each.join("\nmended: ")));
                for step in mending.into_steps() {
                    plan.push_boxed(outcome.go_on_boxed(step, said.take()));
                }
            }
            Err(error) => outcome.fail(error),
        },
        Err(error) => outcome.fail(error),
    }
}

fn network(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let roots = &containers.roots;
    let network = network::Dir::new(roots, network::DEFAULT);
    if network.path().exists() {
        plan.push_boxed(outcome.go_on(RemoveNetwork {
            roots: roots.clone(),
            outcome: outcome.clone(),
        }));
    }
}

/// Cgroups that a limit given later has made. A part of its own: the parents are empty after it.
fn cgroups(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    let dirs = monitor::left_cgroups(containers);
    if !dirs.is_empty() {
        plan.push_boxed(outcome.go_on(RemoveCgroups {
            containers: containers.clone(),
            dirs,
        }));
    }
}

/// IP forwarding, and the parent cgroups.
fn host(plan: &mut Plan, containers: &Containers, outcome: &Outcome) {
    match rbridge::unused_lines() {
        Ok(lines) if lines.is_empty() => {}
        Ok(lines) => plan.push_boxed(outcome.go_on(ReleaseForwarding { lines })),
        Err(error) => outcome.fail(error),
    }
    let parents = monitor::empty_parents(&containers.roots.instance);
    if !parents.is_empty() {
        plan.push_boxed(outcome.go_on(RemoveParents(parents)));
    }
}
