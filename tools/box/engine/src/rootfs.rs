//! The container's root: mounts made private, the root mounted, and the move into it. Child-side steps.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, FdId, Line, Meta, Shell, Side, Step, StepError, Value, cat, run};
use kit_sys::calls::mount::{
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_bind,
    mount_change, move_mount, open_tree, unmount,
};
use kit_sys::calls::thread::{chdir, fchdir, pivot_root};
use oci_spec::runtime::Spec;
use rmount::MountError;
use rmount::attr::Travel;
use rmount::overlay::{Overlay, OverlayFault, Role, mount_overlay};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::error::{EngineError, fail};
use super::mounts;
use crate::says;

/// The descriptor of the mounted root, for the steps after.
pub const ROOT: FdId = FdId::new("root");

/// What the root is made of.
#[derive(Debug, Clone)]
pub enum Root {
    /// An image's layers with the container's own layer on top. A caller that removes that layer at the end mounts it
    /// volatile: it is never synced, not even when it is unmounted (overlayfs.rst, "Volatile mount").
    Overlay(Overlay),
    /// An existing directory, bound with the mounts below it.
    Dir(PathBuf),
}

/// How mounts pass between the container and the host (mount_namespaces(7)), as config.json's `linux.rootfsPropagation`
/// has it. Private, the default: none made inside reaches the host, and none made outside comes in.
pub fn propagation(spec: &Spec) -> Result<Travel, EngineError> {
    let given = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.rootfs_propagation().as_deref());
    match given.unwrap_or_default() {
        "" => Ok(Travel::Private),
        word => rmount::words::travel(word)
            .map(|(travel, _)| travel)
            .ok_or_else(|| {
                let reason = format!("{word:?} is none of shared, slave, private and unbindable");
                EngineError::invalid("linux.rootfsPropagation", reason)
            }),
    }
}

fn flag(travel: Travel) -> MountPropagationFlags {
    MountPropagationFlags::from_bits_retain(travel.bits() as u32)
}

/// The propagation of the host's mounts in the child, before the root is mounted.
fn of_the_hosts(travel: Travel) -> Travel {
    if travel == Travel::Unbindable {
        Travel::Private
    } else {
        travel
    }
}

/// Sets the propagation of the child's copies of the host's mounts.
pub struct SetPropagation {
    pub propagation: Travel,
    /// The root is mounted below this directory, whose mount must not be shared, or the host would see the root too.
    pub run_dir: PathBuf,
}

impl Step for SetPropagation {
    fn meta(&self) -> Meta {
        let propagation = of_the_hosts(self.propagation);
        let mut lines = vec![run![
            "mount",
            format!("--make-r{}", propagation.word()),
            "/"
        ]];
        let says = match propagation {
            Travel::Slave => says::slave(),
            Travel::Shared => says::shared(),
            _ => says::private(),
        };
        if propagation == Travel::Shared {
            lines.push(run!["mount", "--bind", &self.run_dir, &self.run_dir]);
            lines.push(run!["mount", "--make-rprivate", &self.run_dir]);
        }
        Meta::new("mount.private", says, Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let propagation = of_the_hosts(self.propagation);
        if propagation == Travel::Shared {
            // Attached to what is private by then, so that the host does not get it.
            let doing = || format!("keeping {:?} from the host", self.run_dir);
            let flags = MountPropagationFlags::DOWNSTREAM;
            let parent = parent_mount(&self.run_dir).map_err(fail(doing()))?;
            mount_change(&parent, flags).map_err(fail(doing()))?;
            mount_bind(&self.run_dir, &self.run_dir).map_err(fail(doing()))?;
            mount_change(&self.run_dir, MountPropagationFlags::PRIVATE).map_err(fail(doing()))?;
            return Ok(Done::nothing());
        }
        let flags = flag(propagation) | MountPropagationFlags::REC;
        mount_change("/", flags)
            .map_err(fail(format!("making all mounts {}", propagation.word())))?;
        Ok(Done::nothing())
    }
}

/// Mounts the root on `at`.
pub struct MountRoot {
    pub root: Root,
    pub at: PathBuf,
}

impl Step for MountRoot {
    fn meta(&self) -> Meta {
        let (says, mut shell) = match &self.root {
            Root::Overlay(overlay) => {
                (says::overlay(overlay.lowers.len()), overlay.shell(&self.at))
            }
            Root::Dir(dir) => (
                says::directory(),
                Shell::Exact(vec![run!["mount", "--rbind", dir, &self.at]]),
            ),
        };
        if let Shell::Exact(lines) | Shell::Ours(lines) = &mut shell {
            lines.extend(mounts::begin(&self.at));
        }
        Meta::new("root.mount", says, shell)
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        match &self.root {
            Root::Overlay(overlay) => mount_overlay(overlay, &self.at).map_err(ways_out)?,
            Root::Dir(dir) => {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE
                    | OpenTreeFlags::OPEN_TREE_CLOEXEC
                    | OpenTreeFlags::AT_RECURSIVE;
                let tree =
                    open_tree(CWD, dir, flags).map_err(fail(format!("opening root {dir:?}")))?;
                attach(&tree, &self.at).map_err(fail(format!("mounting root {dir:?}")))?;
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.at, flags, Mode::empty());
        cx.put_fd(
            ROOT,
            root.map_err(fail(format!("opening root {:?}", self.at)))?,
        );
        Ok(Done::nothing())
    }
}

fn attach(tree: &std::os::fd::OwnedFd, at: &Path) -> Result<(), Errno> {
    move_mount(tree, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Adds a hint for a user who runs a container of an image.
fn ways_out(error: MountError) -> StepError {
    let hint = match &error {
        MountError::Overlay { fault, .. } => match fault {
            OverlayFault::Missing {
                role: Role::Lower, ..
            } => Some("rrun load brings the image back"),
            OverlayFault::UpperOn { .. } | OverlayFault::UpperReadOnly { .. } => {
                Some("set BOXKIT_ROOT to a place on ext4, xfs or tmpfs")
            }
            OverlayFault::Kernel(Errno::NOSPC) => Some("the disk is full"),
            _ => None,
        },
        _ => None,
    };
    let error = StepError::from(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Enters the container's root by pivot_root(2) and unmounts the host's.
pub struct Enter {
    /// For the script, where the host's tools must do it from outside.
    pub at: PathBuf,
    pub pid: kit_plan::SlotId,
    pub readonly: bool,
    pub propagation: Travel,
}

impl Step for Enter {
    fn meta(&self) -> Meta {
        let enter = |script: &str, arg: Value| {
            let words = ["nsenter", "-t"]
                .map(Value::from)
                .into_iter()
                .chain([self.pid.into()]);
            let rest = ["-m", "sh", "-c", script, "sh"]
                .map(Value::from)
                .into_iter()
                .chain([arg]);
            Line::Outside(words.chain(rest).collect())
        };
        let old = |rest: &str| cat!["/proc/", self.pid, format!("/root/dev/{rest}")];
        let from_host = |words: [&str; 2], path: Value| {
            let head = ["nsenter", "-t"]
                .map(Value::from)
                .into_iter()
                .chain([self.pid.into()]);
            let tail = ["-m", "--root=/"]
                .into_iter()
                .chain(words.into_iter().filter(|word| !word.is_empty()));
            Line::Outside(head.chain(tail.map(Value::from)).chain([path]).collect())
        };
        let mut lines = Vec::new();
        if self.readonly {
            // While mount(8) finds it among the mounts of the /proc that it sees.
            lines.push(run!["mount", "-o", "remount,bind,ro", &self.at]);
        }
        lines.extend([
            run!["mkdir", "-p", self.at.join("dev/.old")],
            enter("cd \"$1\" && pivot_root . dev/.old", Value::from(&self.at)),
            from_host(["umount", "-l"], old(".old")),
            from_host(["rmdir", ""], old(".old")),
        ]);
        Meta::new("root.enter", says::enter(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = "entering the root";
        let host = match self.propagation {
            Travel::Shared => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                Some(rustix::fs::open("/", flags, Mode::empty()).map_err(fail(doing))?)
            }
            _ => None,
        };
        fchdir(cx.fd(ROOT)?).map_err(fail(doing))?;
        // "." over ".": the old root lies under the new one for a moment and needs no directory (pivot_root(2)).
        pivot_root(".", ".").map_err(|errno| {
            let error = StepError::new(doing, errno);
            if errno == Errno::INVAL {
                return error
                    .hint("pivot_root(2) cannot leave an initramfs: switch_root to a tmpfs first");
            }
            error
        })?;
        if let Some(host) = host {
            // The host's mounts are not to be unmounted with ours. "." is looked up below what lies on it by mount(2).
            let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
            fchdir(std::os::fd::AsFd::as_fd(&host)).map_err(fail(doing))?;
            mount_change(".", flags).map_err(fail("letting go of the host's root"))?;
        }
        unmount(".", UnmountFlags::DETACH).map_err(fail("letting go of the host's root"))?;
        chdir("/").map_err(fail(doing))?;
        if self.readonly {
            let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
            let attr = kit_sys::mount::MountAttr {
                set: kit_sys::mount::MOUNT_ATTR_RDONLY,
                ..Default::default()
            };
            let root = root.map_err(fail(doing))?;
            kit_sys::mount::set_attr(std::os::fd::AsFd::as_fd(&root), &attr, false)
                .map_err(fail("making the root read-only"))?;
        }
        if self.propagation != Travel::Private {
            let doing = format!("making the root {}", self.propagation.word());
            mount_change("/", flag(self.propagation)).map_err(fail(doing))?;
        }
        cx.take_fd(ROOT);
        Ok(Done::nothing())
    }
}

/// Where the mount that `path` lies on is attached.
fn parent_mount(path: &Path) -> Result<PathBuf, std::io::Error> {
    let mounts = std::fs::read(kit_home::mountinfo::OWN)?;
    let points = kit_home::mountinfo::lines(&mounts)
        .flatten()
        .map(|line| line.target());
    let holds = points.filter(|point| path.starts_with(point));
    Ok(holds
        .max_by_key(|point| point.as_os_str().len())
        .unwrap_or_else(|| "/".into()))
}

/// A new filesystem of a type, not attached yet. `data` are its own options, `key` or `key=value`.
pub fn new_filesystem(
    kind: &str,
    source: &str,
    data: &[String],
    attrs: MountAttrFlags,
) -> Result<std::os::fd::OwnedFd, Errno> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&fs, "source", source)?;
    finish(&fs, data, attrs).map_err(|(errno, _)| errno)
}

/// Gives a filesystem that fsopen(2) has begun its options and mounts it, unattached; an error has the option that was
/// refused, if it was one.
pub fn finish<'a>(
    fs: &std::os::fd::OwnedFd,
    data: &'a [String],
    attrs: MountAttrFlags,
) -> Result<std::os::fd::OwnedFd, (Errno, Option<&'a str>)> {
    for option in data {
        let given = match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(fs, key, value),
            None => fsconfig_set_flag(fs, option.as_str()),
        };
        given.map_err(|errno| (errno, Some(option.as_str())))?;
    }
    let whole = |errno| (errno, None);
    fsconfig_create(fs).map_err(whole)?;
    fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, attrs).map_err(whole)
}
