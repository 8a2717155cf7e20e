//! The mounts of config.json, one step each: /proc, /dev, /sys, volumes. Child-side, before the root is
//! entered, so that sources are the host's; each target is found beneath the root by descriptor.

mod attach;
mod check;
mod options;
mod script;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::os_text::unescape;
use kit_plan::{Context, Done, Meta, Saying, Shell, Side, Step, StepError};
use kit_sys::calls::mount::open_tree;
use oci_spec::runtime::Mount;
use rmount::bind::unlike;
use rmount::inroot;
use rustix::fs::{CWD, FileType};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use attach::{attach, new_tree, place_for};
pub(super) use attach::{attr_flags, bind_tree, move_and_travel, set_travel};
pub(super) use check::{check, is_root};
pub(super) use options::Options;
pub(super) use script::{begin, in_root_dir};

use super::cgroupfs;
use super::error::fail;
use super::idmap::Sources;
use super::mask::PROC_SUPER_MAGIC;
use super::rootfs::ROOT;
use crate::{Bundle, says, source};

/// One entry of `mounts`.
pub struct MountOne {
    pub mount: Mount,
    /// Where the root is mounted, for the script.
    pub at: PathBuf,
}

/// Whether it shows an existing tree: type `bind` or none, or the option `bind` or `rbind`.
pub(super) fn is_bind(mount: &Mount) -> bool {
    matches!(mount.typ().as_deref(), None | Some("bind" | ""))
        || Options::parse(mount.options().as_deref().unwrap_or_default()).bind
}

/// Makes the sources of bind mounts absolute: relative ones are the bundle's (config.md, "Mounts").
pub(super) fn from_dir(bundle: &mut Bundle) {
    let dir = &bundle.dir;
    for mount in bundle.spec.mounts_mut().iter_mut().flatten() {
        if let (true, Some(source)) = (is_bind(mount), mount.source()) {
            let source = dir.join(source);
            mount.set_source(Some(source));
        }
    }
}

impl MountOne {
    fn kind(&self) -> &str {
        if is_bind(&self.mount) {
            return "bind";
        }
        self.mount.typ().as_deref().unwrap_or_default()
    }

    fn options(&self) -> Vec<String> {
        self.mount.options().clone().unwrap_or_default()
    }

    fn says(&self) -> Saying {
        let to = self.mount.destination().display();
        match (self.kind(), self.mount.source()) {
            ("proc", _) => says::proc(),
            ("sysfs", _) => says::sys(),
            ("devpts", _) => says::terminals(),
            ("cgroup", _) if cgroupfs::is_readonly(&Options::parse(&self.options())) => {
                says::cgroups()
            }
            ("cgroup", _) => says::own_cgroups(),
            ("tmpfs", _) => says::memory(to),
            ("mqueue", _) => says::queues(),
            ("bind", _)
                if NAMES
                    .iter()
                    .any(|name| self.mount.destination() == Path::new(name)) =>
            {
                says::names(to)
            }
            ("bind", Some(from)) => says::bind(from.display(), to),
            (kind, _) => says::other(kind, to),
        }
    }
}

/// Files that a caller writes for each container, unless the user mounts others there.
const NAMES: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

impl Step for MountOne {
    fn meta(&self) -> Meta {
        Meta::new("mount.one", self.says(), Shell::Exact(self.lines()))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let parsed = Options::parse(&self.options());
        let own = if self.kind() == "cgroup" {
            cx.take::<cgroupfs::Own>()
        } else {
            None
        };
        let sources = cx.take::<Sources>();
        let mounted = self.mount(cx.fd(ROOT)?, &parsed, own.as_ref(), sources.as_ref());
        if let Some(own) = own {
            cx.keep(own);
        }
        if let Some(sources) = sources {
            cx.keep(sources);
        }
        mounted.map(|()| Done::nothing())
    }
}

impl MountOne {
    fn mount(
        &self,
        root: BorrowedFd<'_>,
        parsed: &Options,
        own: Option<&cgroupfs::Own>,
        sources: Option<&Sources>,
    ) -> Result<(), StepError> {
        let to = self.mount.destination();
        let doing = || format!("mounting {} at {to:?}", self.kind());
        if self.kind() == "cgroup" {
            let own = own.ok_or_else(|| StepError::new(doing(), "no step has joined a cgroup"))?;
            cgroupfs::mount(root, to, own, parsed).map_err(fail(doing()))?;
        } else if self.kind() == "bind" {
            let source = self.mount.source().clone().unwrap_or_default();
            bind(root, (&source, sources), to, parsed)?;
        } else {
            let source = self
                .mount
                .source()
                .as_ref()
                .map_or(self.kind(), |s| s.to_str().unwrap_or_default());
            refuse_in_proc(to, None, None)?;
            let target = inroot::make_dir(root, to).map_err(fail(doing()))?;
            check_place(to, &target)?;
            check::not_root(root, to, &target)?;
            refuse_in_proc(to, Some(&target), None)?;
            if !is_dir(&target) {
                return Err(StepError::new(
                    doing(),
                    "this is a file, and only a directory can be mounted over by a new file system",
                ));
            }
            let tree = new_tree(self.kind(), source, parsed)
                .map_err(|(errno, option)| refused(doing(), self.kind(), errno, option))?;
            move_and_travel(&tree, &target, &parsed.travel).map_err(fail(doing()))?;
        }
        Ok(())
    }
}

/// The kernel says "Invalid argument" of an option that it does not know, and not of which.
fn refused(doing: String, kind: &str, errno: Errno, option: Option<&str>) -> StepError {
    match option {
        Some(option) if errno == Errno::INVAL => {
            StepError::new(doing, format!("{kind} does not take option {option:?}"))
        }
        Some(option) => fail(format!("{doing}: option {option:?}"))(errno),
        None if errno == Errno::NODEV => {
            StepError::new(doing, format!("this kernel has no file system {kind:?}"))
        }
        None => fail(doing)(errno),
    }
}

/// The mount with the real bytes of its paths, which config.json has in an escaped form where they are no UTF-8.
pub(super) fn unescaped(mount: &Mount) -> Mount {
    let mut mount = mount.clone();
    mount.set_destination(unescape(mount.destination()).into());
    mount.set_source(mount.source().as_ref().map(|path| unescape(path).into()));
    mount
}

/// Refuses a /proc, /sys or /dev that is a link of the image's: later steps and all programs open them by name, and must
/// find these mounts there.
fn check_place(to: &Path, target: &OwnedFd) -> Result<(), StepError> {
    if !matches!(to.to_str(), Some("/proc" | "/sys" | "/dev")) {
        return Ok(());
    }
    match inroot::kind(target) {
        Ok(FileType::Directory) => Ok(()),
        _ => Err(StepError::new(
            format!("mounting at {to:?}"),
            "the image has something else than a directory there",
        )),
    }
}

fn bind(
    root: BorrowedFd<'_>,
    (source, opened): (&Path, Option<&Sources>),
    to: &Path,
    options: &Options,
) -> Result<(), StepError> {
    let doing = || format!("binding {source:?} to {to:?}");
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if options.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = match opened.and_then(|opened| opened.get(source)) {
        Some(fd) => open_tree(fd, "", flags | OpenTreeFlags::AT_EMPTY_PATH),
        None => open_tree(CWD, source, flags),
    };
    let tree = tree.map_err(|errno| not_opened(doing(), source, errno))?;
    refuse_in_proc(to, None, Some(&tree))?;
    let target = place_for(root, &tree, to).map_err(fail(doing()))?;
    check::not_root(root, to, &target)?;
    refuse_in_proc(to, Some(&target), Some(&tree))?;
    refuse_other_kind(source, &tree, to, &target)?;
    attach(&tree, &target, options).map_err(fail(doing()))
}

fn not_opened(doing: String, path: &Path, errno: Errno) -> StepError {
    if errno != Errno::NOENT {
        return StepError::new(doing, errno);
    }
    let error = match rmount::Dangling::on(path) {
        None => StepError::new(doing, errno),
        Some(dangling) => StepError::new(doing, dangling.to_string()),
    };
    error.hint_from(source::ways(path))
}

/// Refuses to bind a directory on a file or a file on a directory. The kernel would say "Invalid argument" or "Not a
/// directory" and name neither object.
fn refuse_other_kind(
    source: &Path,
    tree: &OwnedFd,
    to: &Path,
    target: &OwnedFd,
) -> Result<(), StepError> {
    match unlike(is_dir(tree), is_dir(target)) {
        Some(reason) => Err(StepError::new(
            format!("binding {source:?} to {to:?}"),
            reason,
        )),
        None => Ok(()),
    }
}

fn is_dir(fd: &OwnedFd) -> bool {
    inroot::kind(fd).is_ok_and(|kind| kind == FileType::Directory)
}

/// Files of /proc that may be replaced: runc's list (libcontainer/rootfs_linux.go), which lxcfs lives by.
const MAY_BE_REPLACED: [&str; 11] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// Refuses a mount inside /proc, which could hide from this program and others what they look for there. `target` is what
/// the path has led to: its filesystem counts, whatever links of the image's were on the way. On /proc itself only a procfs
/// may be mounted.
fn refuse_in_proc(
    to: &Path,
    target: Option<&OwnedFd>,
    source: Option<&OwnedFd>,
) -> Result<(), StepError> {
    let is_proc =
        |fd: &OwnedFd| rustix::fs::fstatfs(fd).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC);
    let whole = to == Path::new("/proc");
    let may_be_replaced = MAY_BE_REPLACED.iter().any(|path| to == Path::new(path));
    let reason = if may_be_replaced || whole && source.is_none_or(is_proc) {
        return Ok(());
    } else if whole {
        "only a procfs may be there"
    } else if to.starts_with("/proc") || target.is_some_and(is_proc) {
        "it is inside /proc"
    } else {
        return Ok(());
    };
    let error = StepError::new(format!("mounting at {to:?}"), reason);
    Err(error.hint("mount it at another path: of /proc only files like cpuinfo, meminfo, stat and uptime can be replaced"))
}
