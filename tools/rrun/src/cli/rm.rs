//! `rrun rm` and `rename`.

use kit_cli::{Act, Failure, Result};
use kit_plan::Plan;

use super::steps::{self, Delete, Discard, FreeName, SaveContainer, Subject, TakeName};
use super::{bundle, stop};
use crate::volume;
use box_state::Containers;

#[derive(clap::Args)]
pub struct RenameArgs {
    #[command(flatten)]
    pub act: Act,
    pub container: String,
    pub name: String,
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub act: Act,
    /// Kill one that runs; be quiet about one that is not there
    #[arg(short, long)]
    pub force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,
    /// Containers; - reads them from standard input
    pub containers: Vec<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.containers, &["container"])?;
    if args.containers.is_empty() {
        return Err(Failure::usage("rm needs at least one container")
            .hint("rrun ps -a shows them")
            .into());
    }
    let known = |name: &String| !args.force || containers.find(name).is_ok();
    let names: Vec<String> = names.into_iter().filter(known).collect();
    steps::each(args.act, "rm", &names, containers, |of, name| {
        plan(of, name, args)
    })
}

fn plan(of: &Subject, name: &str, args: &Args) -> Result<Plan> {
    let Subject {
        containers,
        container,
    } = of;
    let mut plan = Plan::new(format!("rrun rm {name}"));
    if args.force && !args.act.dry_run {
        stop::settled(containers, container);
    }
    let runs = containers.is_running(&container.id);
    if runs && !args.force {
        return Err(
            Failure::new(format!("removing container \"{name}\": it is running"))
                .hint(format!("rrun stop {name} first, or rrun rm -f {name}"))
                .into(),
        );
    }
    if let Some(at) = bundle::bundled_at(containers, container) {
        if !args.force {
            bundle::refuse_bundled("removing", containers, container)?;
        }
        plan.push(bundle::Unmount { at });
    }
    if runs {
        stop::push(&mut plan, of, Some(0), Some("KILL"))?;
    }
    push(&mut plan, of, args.volumes, runs && container.auto_remove);
    Ok(plan)
}

/// The steps that remove a container that has ended. `contended`: its monitor removes it too.
pub fn push(plan: &mut Plan, of: &Subject, volumes: bool, contended: bool) {
    let Subject {
        containers,
        container,
    } = of;
    plan.push(Discard {
        of: of.clone(),
        contended,
        volumes,
    });
    if container.image.is_some() {
        let store = runpack::Store::open(&containers.roots.root);
        plan.push(Delete {
            path: store.pin_path(&container.id),
            why: "its image may be removed now",
        });
    }
    if volumes {
        for volume in volume::anonymous(container) {
            plan.push(Delete {
                path: volume::dir(&containers.roots).join(volume),
                why: "a volume that has no name was this container's alone",
            });
        }
    }
    plan.push(Delete {
        path: containers.trash().join(&container.id),
        why: "nobody waits for the disk any more",
    });
}

pub fn rename(args: &RenameArgs, containers: &Containers) -> Result {
    let of = Subject::find(containers, &args.container)?;
    crate::spec::names::check_name(&args.name).map_err(Failure::usage)?;
    let mut renamed = of.clone();
    let old = std::mem::replace(&mut renamed.container.name, args.name.clone());
    let mut plan = Plan::new(format!("rrun rename {} {}", args.container, args.name));
    plan.push(TakeName {
        of: of.clone(),
        name: args.name.clone(),
    });
    plan.push(SaveContainer(renamed));
    plan.push(FreeName { of, name: old });
    steps::carry_out(args.act, &plan, containers)?;
    Ok(0)
}
