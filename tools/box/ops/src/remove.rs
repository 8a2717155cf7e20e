//! Removing and renaming a container.

use box_monitor::{bundled_at, refuse_bundled};
use box_state::volume;
use kit_plan::Plan;

use crate::bundle;
use crate::says;
use crate::spec::names::check_name;
use crate::steps::{Delete, Discard, FreeName, SaveContainer, TakeName};
use crate::{OpsError, Subject, stop};

/// How a container is removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Removal {
    /// Kill the container first if it runs.
    pub force: bool,
    /// Remove its anonymous volumes too.
    pub volumes: bool,
}

/// The stages that remove a container.
///
/// # Errors
/// Without `force`: the container runs, or its root is mounted as a bundle's.
pub fn stages(of: &Subject, how: Removal) -> Result<Vec<Plan>, OpsError> {
    let command = format!("rrun rm {}", of.container.name);
    let runs = of.is_running();
    if runs && !how.force {
        return Err(OpsError::RemovingRunning { name: of.name() });
    }
    let mut stages = Vec::new();
    if let Some(at) = bundled_at(&of.containers, &of.container) {
        if !how.force {
            refuse_bundled("removing", &of.containers, &of.container)?;
        }
        let mut plan = Plan::new(command.clone());
        plan.push(bundle::Unmount { at });
        stages.push(plan);
    }
    if how.force {
        stages.extend(stop::stages(of, Some(0), Some("KILL"))?);
    }
    let mut plan = Plan::new(command);
    // With --rm the monitor would have taken them along, had nobody killed it.
    let volumes = how.volumes || of.container.auto_remove;
    push(&mut plan, of, volumes, runs && of.container.auto_remove);
    stages.push(plan);
    Ok(stages)
}

/// The steps that remove a container that has ended. `contended`: its monitor removes it too.
pub(crate) fn push(plan: &mut Plan, of: &Subject, volumes: bool, contended: bool) {
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
        plan.push(Delete {
            path: containers.pin(&container.id),
            says: says::unpin(),
        });
    }
    if volumes {
        for volume in volume::anonymous(containers, container) {
            plan.push(Delete {
                path: volume::dir(&containers.roots).join(volume),
                says: says::delete_volume(),
            });
        }
    }
    if containers.is_transient() {
        // After the volumes: by the layer gc knows whose they are.
        plan.push(Delete {
            path: containers.layer(&container.id),
            says: says::delete_layer(),
        });
    }
    plan.push(Delete {
        path: containers.trash().join(&container.id),
        says: says::delete_files(),
    });
}

/// The plan that gives a container another name.
///
/// # Errors
/// The name is not valid for a container.
pub fn rename(of: Subject, name: &str) -> Result<Plan, OpsError> {
    check_name(name)?;
    let mut plan = Plan::new(format!("rrun rename {} {name}", of.container.name));
    let mut renamed = of.clone();
    let old = std::mem::replace(&mut renamed.container.name, name.to_owned());
    plan.push(TakeName {
        of: of.clone(),
        name: name.to_owned(),
    });
    plan.push(SaveContainer(renamed));
    plan.push(FreeName { of, name: old });
    Ok(plan)
}
