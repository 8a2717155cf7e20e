//! Listing volumes, finding the container that uses one, and removing one.

use std::path::PathBuf;

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, run};

use super::{data, dir};
use crate::steps::Delete;
use crate::{OpsError, says};
use box_state::Containers;
use box_state::volume::is_used_by;

/// A volume that exists.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The containers that may use it, of both kinds.
    pub containers: Containers,
    /// The user's name for it, or 64 hex digits for an anonymous one.
    pub name: String,
}

impl Volume {
    /// Whether it is an anonymous volume, made for one container: its name has the form of an ID.
    pub fn is_anonymous(&self) -> bool {
        box_state::is_id(&self.name)
    }

    /// The directory of its files.
    pub fn data(&self) -> PathBuf {
        data(&self.containers.roots, &self.name)
    }

    /// The name of a container that uses it, or the ID of one that is being made, of which it is an anonymous volume; `None`
    /// if it may be removed.
    pub fn user(&self) -> Option<String> {
        // Containers that are being made come first: one that is published meanwhile is found among the others.
        let both = self.containers.both();
        let mut making = both.iter().flat_map(Containers::all_in_the_making);
        if let Some(id) = making.find(|id| super::is_anonymous_of(&self.name, id)) {
            return Some(id);
        }
        let mut all = both.iter().flat_map(Containers::list);
        let user = all.find(|container| is_used_by(&self.name, container));
        user.map(|container| container.name)
    }
}

/// All of them, by name.
pub fn all(containers: &Containers) -> Vec<Volume> {
    let files = std::fs::read_dir(dir(&containers.roots));
    let files = files.into_iter().flatten().flatten();
    // A file that somebody put there is no volume.
    let files = files.filter(|file| file.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let names = names.filter(|name| !name.starts_with('.'));
    let mut all: Vec<Volume> = names
        .map(|name| Volume {
            containers: containers.clone(),
            name,
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The volume of this name.
///
/// # Errors
/// There is no such volume.
pub fn find(containers: &Containers, name: &str) -> Result<Volume, OpsError> {
    let mut all = all(containers);
    if let Some(at) = all.iter().position(|volume| volume.name == name) {
        return Ok(all.swap_remove(at));
    }
    Err(OpsError::NoVolume {
        name: name.to_owned(),
        near: kit_units::nearest(name, all.into_iter().map(|volume| volume.name)),
    })
}

/// The plan that removes a volume.
///
/// # Errors
/// A container uses it.
pub fn removal(volume: &Volume) -> Result<Plan, OpsError> {
    refuse_used(volume)?;
    let mut plan = Plan::new(format!("rrun volume rm {}", volume.name));
    // A name of its own: an earlier volume of this name may be there yet, and with more to it this one may be too long.
    let number = kit_units::hex::to_hex(&kit_plan::random_bytes());
    let trash = volume.containers.trash().join(format!("volume.{number}"));
    plan.push(Discard {
        volume: volume.clone(),
        trash: trash.clone(),
    });
    plan.push(Delete {
        path: trash,
        says: says::delete_trash(),
    });
    Ok(plan)
}

fn refuse_used(volume: &Volume) -> Result<(), OpsError> {
    match volume.user() {
        Some(user) => Err(OpsError::VolumeInUse {
            name: volume.name.clone(),
            user,
        }),
        None => Ok(()),
    }
}

/// Moves a volume into the trash.
struct Discard {
    volume: Volume,
    trash: PathBuf,
}

impl Discard {
    fn path(&self) -> PathBuf {
        dir(&self.volume.containers.roots).join(&self.volume.name)
    }
}

impl Step for Discard {
    fn meta(&self) -> Meta {
        let lines = vec![
            run!["mkdir", "-p", "-m", "0700", self.volume.containers.trash()],
            run!["mv", "-T", "--", self.path(), &self.trash],
        ];
        Meta::new(
            "volume.discard",
            says::discard_volume(&self.volume.name),
            Shell::Exact(lines),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        // A container that uses it may have been made since the plan.
        refuse_used(&self.volume)?;
        let fail = |e| StepError::new(format!("removing volume {:?}", self.volume.name), e);
        std::fs::create_dir_all(self.volume.containers.trash()).map_err(fail)?;
        std::fs::rename(self.path(), &self.trash).map_err(fail)?;
        Ok(Done::nothing())
    }
}
