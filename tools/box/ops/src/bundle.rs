//! An OCI bundle of a stopped container, for runc and crun: its root mounted at `DIR/rootfs`, its configuration
//! beside it.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use box_state::{Container, Containers, Lock, write_atomic};
use kit_plan::{
    Context, Done, Line, Meta, MountId, Plan, Shell, Slots, Step, StepError, Undo, run,
};
use oci_spec::runtime::Spec;
use rmount::overlay::{Lowers, Overlay, OverlayOptions, Upper};
use rustix::io::Errno;

use crate::says;
use crate::stop::DYING;
use crate::{OpsError, Subject};

/// The plan that makes a bundle in `dir`, and the container's lock, which the caller holds until the plan is applied.
///
/// # Errors
/// A container that runs, has no image, or is bundled already.
pub fn plan(of: &Subject, dir: &Path) -> Result<(Plan, Lock), OpsError> {
    let Subject {
        containers,
        container,
    } = of;
    let rootfs = dir.join("rootfs");
    let Some(image) = &container.image else {
        return Err(OpsError::NoImage { name: of.name() });
    };
    let lock = Lock::take_idle(containers, &container.id, DYING)?;
    let lock = lock.ok_or_else(|| OpsError::Running {
        doing: "bundling",
        name: of.name(),
    })?;
    // Two overlays on one upper directory would corrupt it; another bundle may have been made while the lock was waited for.
    box_monitor::refuse_bundled("bundling", containers, container)?;
    let layer = containers.layer(&container.id);
    let overlay = Overlay {
        lowers: Lowers::lowest_first(&image.layers),
        upper: Some(Upper {
            upper: layer.join("upper"),
            work: layer.join("work"),
        }),
        options: OverlayOptions::default(),
    };
    let mut spec = containers.spec(&container.id)?;
    box_monitor::joins(containers, container, &mut spec).map_err(OpsError::Failed)?;
    kit_seccomp::write_out(&mut spec);
    own_cgroup(&mut spec, containers, container);
    write_out_user(&mut spec, container, &overlay)?;
    let mut plan = Plan::new(format!("rrun bundle {} {}", container.name, dir.display()));
    plan.push(MakeDir { at: rootfs.clone() });
    plan.push(WriteConfig {
        at: dir.join("config.json"),
        spec: Box::new(spec),
    });
    plan.push(MountRoot {
        overlay,
        at: rootfs,
    });
    Ok((plan, lock))
}

/// The plan that unmounts the root of the bundle in `dir`; its config.json stays.
pub fn unmount(name: &str, dir: &Path) -> Plan {
    let mut plan = Plan::new(format!("rrun bundle --umount {name}"));
    plan.push(Unmount {
        at: dir.join("rootfs"),
    });
    plan
}

/// Gives a bundle a cgroup without a parent: other runtimes make the groups above a container's and leave them. A group of
/// `--cgroup` stays as it is.
fn own_cgroup(spec: &mut Spec, containers: &Containers, container: &Container) {
    if container.cgroup.is_some() {
        return;
    }
    let name = containers.cgroup_name(container).replace('/', "-");
    let mut linux = spec.linux().clone().unwrap_or_default();
    linux.set_cgroups_path(Some(Path::new("/").join(name)));
    spec.set_linux(Some(linux));
}

/// Writes the user of a bundle as numbers. The root is mounted read-only and attached nowhere for that, so no file changes.
fn write_out_user(
    spec: &mut Spec,
    container: &Container,
    overlay: &Overlay,
) -> Result<(), OpsError> {
    let Some(user) = box_engine::user::asked(spec).map(str::to_owned) else {
        return Ok(());
    };
    let name = &container.name;
    let lowers = match &overlay.upper {
        Some(upper) => overlay.lowers.under(&upper.upper),
        None => overlay.lowers.clone(),
    };
    let looked_at = Overlay {
        lowers,
        upper: None,
        options: OverlayOptions::default(),
    };
    let root = rmount::overlay::detached_overlay(&looked_at).map_err(|source| OpsError::Root {
        name: name.clone(),
        source,
    })?;
    box_engine::user::write_out(spec, &user, root.as_fd()).map_err(|error| OpsError::User {
        name: name.clone(),
        reason: error.to_string(),
    })
}

struct MakeDir {
    at: PathBuf,
}

impl Step for MakeDir {
    fn meta(&self) -> Meta {
        Meta::new(
            "bundle.dir",
            says::bundle(self.at.display()),
            Shell::Exact(vec![run!["mkdir", "-p", &self.at]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let is_new = !self.at.exists();
        std::fs::create_dir_all(&self.at)
            .map_err(|e| StepError::new(format!("making {:?}", self.at), e))?;
        Ok(if is_new {
            Done::made(vec![Undo::rmdir(&self.at).identified()])
        } else {
            Done::nothing()
        })
    }
}

struct WriteConfig {
    at: PathBuf,
    spec: Box<Spec>,
}

impl WriteConfig {
    fn text(&self) -> String {
        serde_json::to_string_pretty(&self.spec).unwrap_or_default()
    }
}

impl Step for WriteConfig {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: (&self.at).into(),
            text: self.text().into(),
        };
        Meta::new("bundle.config", says::config(), Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        write_atomic(&self.at, (self.text() + "\n").as_bytes(), false).map_err(StepError::whole)?;
        Ok(Done::made(vec![Undo::unlink(&self.at).identified()]))
    }
}

struct MountRoot {
    overlay: Overlay,
    at: PathBuf,
}

impl Step for MountRoot {
    fn meta(&self) -> Meta {
        Meta::new("bundle.root", says::root(), self.overlay.shell(&self.at))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unmount(&self.at)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        rmount::overlay::mount_overlay(&self.overlay, &self.at)?;
        Ok(Done::made(vec![Undo::Unmount {
            id: MountId::of(&self.at).ok(),
            path: self.at.clone(),
        }]))
    }
}

/// Unmounts the root of a bundle.
pub(crate) struct Unmount {
    pub at: PathBuf,
}

impl Step for Unmount {
    fn meta(&self) -> Meta {
        Meta::new(
            "bundle.umount",
            says::unroot(),
            Shell::Exact(vec![run!["umount", &self.at]]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let gone = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::NOFOLLOW);
        gone.map_err(|errno| {
            let doing = format!("unmounting {:?}", self.at);
            match errno {
                // What the kernel says of a directory that is no mount point.
                Errno::INVAL => StepError::new(doing, "nothing is mounted there"),
                Errno::BUSY => StepError::new(doing, errno)
                    .hint("something still runs in it: fuser -vm names it"),
                _ => StepError::new(doing, errno),
            }
        })?;
        Ok(Done::nothing())
    }
}
