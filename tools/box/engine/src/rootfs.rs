//! The container's root: mounts made private, the root mounted, and the move into it. Child-side steps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError, Value, cat, run};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
    fsopen, mount, mount_change, move_mount, open_tree, unmount,
};

use super::error::fail;

/// The descriptor of the mounted root, for the steps after.
pub const ROOT: &str = "root";

/// overlay's option string must fit in a page when given to mount(2).
const PAGE: usize = 4096;

/// What the root is made of.
#[derive(Debug, Clone)]
pub enum Root {
    /// An image's layers, lowest first, and the container's own layer on top.
    Overlay {
        layers: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        /// It goes with the container: nothing of it is synced, not even when it is unmounted (overlayfs.rst,
        /// "Volatile mount").
        volatile: bool,
    },
    /// A directory as it is.
    Dir(PathBuf),
}

/// No mount that the child makes may reach the host.
pub struct MakePrivate;

impl Step for MakePrivate {
    fn meta(&self) -> Meta {
        let line = run!["mount", "--make-rprivate", "/"];
        Meta::new(
            "mount.private",
            "no mount made from here on reaches the host",
            Shell::Exact(vec![line]),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", flags).map_err(fail("making all mounts private"))?;
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
        let (why, line) = match &self.root {
            Root::Overlay {
                layers,
                upper,
                work,
                volatile,
            } => {
                let mut options = OsString::from("lowerdir=");
                options.push(lowers(layers));
                options.push(",upperdir=");
                options.push(escape(upper));
                options.push(",workdir=");
                options.push(escape(work));
                if *volatile {
                    options.push(",volatile");
                }
                let line = run!["mount", "-t", "overlay", "overlay", "-o", options, &self.at];
                (
                    "the image's layers below, read-only and shared; this container's own on top",
                    line,
                )
            }
            Root::Dir(dir) => (
                "the directory becomes a mount, as a root must be",
                run!["mount", "--rbind", dir, &self.at],
            ),
        };
        Meta::new("root.mount", why, Shell::Exact(vec![line]))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        match &self.root {
            Root::Overlay {
                layers,
                upper,
                work,
                volatile,
            } => overlay(layers, (upper, work), *volatile, &self.at)?,
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

fn overlay(
    layers: &[PathBuf],
    (upper, work): (&Path, &Path),
    volatile: bool,
    at: &Path,
) -> Result<(), StepError> {
    let doing = || format!("mounting overlay root {at:?}");
    let lower = lowers(layers);
    if lower.len() + upper.as_os_str().len() + work.as_os_str().len() < PAGE - 64 {
        let mut options = b"lowerdir=".to_vec();
        options.extend(lower.as_encoded_bytes());
        for (key, path) in [(",upperdir=", upper), (",workdir=", work)] {
            options.extend(key.as_bytes());
            options.extend(escape(path).as_encoded_bytes());
        }
        if volatile {
            options.extend(b",volatile");
        }
        let options = std::ffi::CString::new(options).map_err(fail(doing()))?;
        let mounted = mount(
            "overlay",
            at,
            "overlay",
            MountFlags::empty(),
            Some(options.as_c_str()),
        );
        return mounted.map_err(|errno| diagnose(errno, layers, upper, doing()));
    }
    // Too long for mount(2): each layer is an option of its own (Linux 6.8).
    let mounted = (|| {
        let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for layer in layers.iter().rev() {
            fsconfig_set_string(&fs, "lowerdir+", layer)?;
        }
        // Those two have their backslashes taken out by the kernel, as by mount(2).
        fsconfig_set_string(&fs, "upperdir", rmount::overlay::escaped(upper))?;
        fsconfig_set_string(&fs, "workdir", rmount::overlay::escaped(work))?;
        if volatile {
            fsconfig_set_flag(&fs, "volatile")?;
        }
        fsconfig_create(&fs)?;
        let tree = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        attach(&tree, at)
    })();
    mounted.map_err(|errno| diagnose(errno, layers, upper, doing()))
}

/// overlay answers ENOENT and EINVAL to many things; find out which it was.
fn diagnose(errno: Errno, layers: &[PathBuf], upper: &Path, doing: String) -> StepError {
    if let Some(missing) = layers.iter().find(|layer| !layer.is_dir()) {
        return StepError::new(doing, format!("layer {missing:?} is missing"))
            .hint("rrun load brings the image back");
    }
    let error = StepError::new(doing, errno);
    match errno {
        Errno::INVAL if on_overlay(upper) => {
            error.hint("the upper directory lies on an overlay itself; set BOXKIT_ROOT to a place on ext4, xfs or tmpfs")
        }
        Errno::NODEV => error.hint("the kernel has no overlay filesystem: modprobe overlay"),
        Errno::NOSPC => error.hint("the disk is full"),
        _ => error,
    }
}

fn on_overlay(path: &Path) -> bool {
    const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == OVERLAYFS_SUPER_MAGIC)
}

/// overlay wants the topmost layer first, and `:` and `\` in a path escaped; mount(2) splits at commas.
fn lowers(layers: &[PathBuf]) -> OsString {
    let escaped: Vec<OsString> = layers.iter().rev().map(|layer| escape(layer)).collect();
    escaped.join(std::ffi::OsStr::new(":"))
}

fn escape(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

/// pivot_root(2): the root becomes the root, and the host's goes.
pub struct Enter {
    /// For the script, where the host's tools must do it from outside.
    pub at: PathBuf,
    pub pid: kit_plan::SlotId,
    pub readonly: bool,
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
        Meta::new(
            "root.enter",
            "this root is /, and the host's files are out of reach",
            Shell::Exact(lines),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = "entering the root";
        rustix::process::fchdir(cx.fd(ROOT)?).map_err(fail(doing))?;
        // "." over ".": the old root lies under the new one for a moment and needs no directory (pivot_root(2)).
        rustix::process::pivot_root(".", ".").map_err(|errno| {
            let error = StepError::new(doing, errno);
            if errno == Errno::INVAL {
                return error
                    .hint("pivot_root(2) cannot leave an initramfs: switch_root to a tmpfs first");
            }
            error
        })?;
        unmount(".", UnmountFlags::DETACH).map_err(fail("letting go of the host's root"))?;
        rustix::process::chdir("/").map_err(fail(doing))?;
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
        cx.take_fd(ROOT);
        Ok(Done::nothing())
    }
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
    for option in data {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(&fs, key, value)?,
            None => fsconfig_set_flag(&fs, option.as_str())?,
        }
    }
    fsconfig_create(&fs)?;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attrs)
}
