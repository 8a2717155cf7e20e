//! Bind mounts: the same directory or file in a second place.
//!
//! Built detached by `open_tree(2)`, given its flags, then attached by `move_mount(2)`: nobody ever sees a bind
//! meant to be read-only while it is writable, and a target that is a descriptor cannot be swapped underneath.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kit_sys::calls::mount::{move_mount, open_tree};
use kit_sys::mount::MountAttr;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

use crate::Dangling;
use crate::attr::{Flags, Travel, fd_path};
use crate::error::{MountError, pasted};
use crate::inroot::{self, Make};
use crate::mountinfo;
use crate::near::near_miss;

/// How to bind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// With the mounts beneath the source; `flags` and `travel` then hold for all of them.
    pub recursive: bool,
    /// Of the new place alone.
    pub flags: Flags,
    /// `None` leaves it to the kernel: shared where the target's parent is.
    pub travel: Option<Travel>,
}

/// A detached copy of the mount that `source` refers to, from `source` down, with its flags set. It lives as
/// long as its descriptor, and may be made before and attached after entering another mount namespace.
pub fn clone_tree(source: BorrowedFd<'_>, options: BindOptions) -> Result<OwnedFd, MountError> {
    let failed = |doing| move |errno| MountError::call(doing, &fd_path(source), errno);
    let tree = copy(source, options.recursive).map_err(|errno| {
        unbindable(source, errno).unwrap_or_else(|| failed("copying the mount of")(errno))
    })?;
    let attr = MountAttr {
        set: options.flags.attr_bits(),
        ..MountAttr::default()
    };
    if attr.set != 0 {
        kit_sys::mount::set_attr(tree.as_fd(), &attr, options.recursive)
            .map_err(failed("setting attributes of the copy of"))?;
    }
    Ok(tree)
}

/// The kernel says EINVAL of a mount that was made unbindable.
fn unbindable(source: BorrowedFd<'_>, errno: Errno) -> Option<MountError> {
    let path = fd_path(source);
    let id = crate::umount::mount_id(&path).filter(|_| errno == Errno::INVAL)?;
    let mounts = mountinfo::mounts().ok()?;
    let mount = mounts.iter().find(|mount| mount.id == id)?;
    mount.propagation.unbindable.then(|| {
        let real = std::fs::read_link(&path).unwrap_or(path);
        let at = kit_plan::quote(mount.target.as_os_str());
        let reason = format!(
            "it is on the mount at {:?}, which is unbindable",
            mount.target
        );
        MountError::wrong("binding", &real, reason)
            .hinted(Some(format!("mount --make-private {at} lets it be bound")))
    })
}

/// open_tree(2): a detached copy of a mount from `of` down, with `recursive` of those beneath it too.
pub fn copy(of: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    open_tree(of, "", flags)
}

/// move_mount(2) of a detached mount to the very file that a descriptor refers to.
pub fn move_to(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let how = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", target, "", how)
}

/// Attaches a detached mount on top of what `target` refers to.
pub fn attach(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), MountError> {
    move_to(tree, target)
        .map_err(|errno| MountError::call("attaching a mount at", &fd_path(target), errno))
}

/// Binds what `source` refers to at `target`, a path beneath `root` that may hold symlinks of a stranger's; with
/// `make` a missing target is made. Returns the attached mount.
pub fn bind_into(
    source: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    target: &Path,
    make: Option<Make>,
    options: BindOptions,
) -> Result<OwnedFd, MountError> {
    let tree = clone_tree(source, options)?;
    attach_into(
        tree,
        root,
        target,
        make,
        options.travel.map(|travel| (travel, options.recursive)),
    )
}

/// As [`bind_into`] with a mount that is detached already; `travel` is set once it is attached.
pub fn attach_into(
    tree: OwnedFd,
    root: BorrowedFd<'_>,
    target: &Path,
    make: Option<Make>,
    travel: Option<(Travel, bool)>,
) -> Result<OwnedFd, MountError> {
    let failed = |doing| move |errno| MountError::call(doing, target, errno);
    let at = match make {
        Some(make) => inroot::make(root, target, make)
            .map_err(failed("making a mount point beneath the root"))?,
        None => inroot::find(root, target).map_err(failed("resolving beneath the root"))?,
    };
    attach(tree.as_fd(), at.as_fd())?;
    if let Some((travel, recursive)) = travel {
        crate::attr::set_travel(tree.as_fd(), travel, recursive)?;
    }
    Ok(tree)
}

/// Binds `source` at `target`, both paths of our own namespace, and reads back that the flags hold.
pub fn bind(source: &Path, target: &Path, options: BindOptions) -> Result<(), MountError> {
    let source_fd = open(source, "binding")?;
    let target_fd = open(target, "binding at")?;
    let is_dir = |fd: &OwnedFd| {
        let kind = inroot::kind(fd).map_err(|errno| MountError::call("binding", source, errno))?;
        Ok::<_, MountError>(kind.is_dir())
    };
    if let Some(reason) = unlike(is_dir(&source_fd)?, is_dir(&target_fd)?) {
        return Err(MountError::wrong("binding at", target, reason));
    }
    let tree = clone_tree(source_fd.as_fd(), options)?;
    attach(tree.as_fd(), target_fd.as_fd())?;
    if let Some(travel) = options.travel {
        crate::attr::set_travel(tree.as_fd(), travel, options.recursive)?;
    }
    read_back(target, options)
}

/// Why a mount cannot go there: a directory is mounted on a directory, a file on a file. The kernel says ENOTDIR or
/// EINVAL.
pub fn unlike(source_is_dir: bool, target_is_dir: bool) -> Option<&'static str> {
    match (source_is_dir, target_is_dir) {
        (true, false) => Some(
            "the source is a directory and this is a file: are you trying to mount a directory onto a file?",
        ),
        (false, true) => Some(
            "the source is a file and this is a directory: are you trying to mount a file onto a directory?",
        ),
        _ => None,
    }
}

/// An `O_PATH` descriptor; where the path is missing, with the nearest one that exists as a hint.
fn open(path: &Path, doing: &'static str) -> Result<OwnedFd, MountError> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
        match errno {
            Errno::NOENT => missing(path, doing),
            errno => MountError::call(doing, path, errno),
        }
    })
}

/// The error for a path that does not exist.
pub(crate) fn missing(path: &Path, doing: &'static str) -> MountError {
    if let Some(reason) = in_the_way(path) {
        return MountError::wrong(doing, path, reason);
    }
    let near = near_miss(path).map(|near| format!("did you mean {}?", pasted(&near)));
    MountError::wrong(doing, path, "no such file or directory").hinted(near)
}

/// Why `path` neither exists nor can be made: it is a symbolic link that leads to nothing, or such a link, or a file, is
/// on the way to it.
pub(crate) fn in_the_way(path: &Path) -> Option<String> {
    let is = |at: &Path, what: &str| {
        if at == path {
            format!("it is {what}")
        } else {
            format!("{at:?} is {what}")
        }
    };
    if let Some(dangling) = Dangling::on(path) {
        return Some(is(&dangling.link, &dangling.what()));
    }
    let last = path.ancestors().find(|it| it.symlink_metadata().is_ok())?;
    let is_file = !path.exists() && !last.is_dir();
    is_file.then(|| is(last, "a file"))
}

/// The kernel takes attributes that a locked mount does not get; so look.
fn read_back(target: &Path, options: BindOptions) -> Result<(), MountError> {
    let wanted = options.flags.words();
    if wanted.is_empty() {
        return Ok(());
    }
    let target =
        &std::fs::canonicalize(target).map_err(|e| MountError::io("reading back", target, &e))?;
    let mounts = mountinfo::mounts()?;
    let Some(top) = mountinfo::at(&mounts, target) else {
        return Err(MountError::wrong(
            "reading back",
            target,
            "the mount is not there",
        ));
    };
    let tree = if options.recursive {
        mountinfo::tree(&mounts, top)
    } else {
        vec![top]
    };
    for mount in tree {
        if let Some(word) = wanted.iter().find(|word| !mount.has_option(word)) {
            let reason = format!("the kernel took the option \"{word}\" and did not set it");
            return Err(MountError::wrong("reading back", &mount.target, reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::{make_private, set_readonly_recursive};

    /// Runs `test` in a mount namespace of its own, on a thread that then ends.
    fn in_own_namespace(test: impl FnOnce(&Path) + Send) {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| test(&root)).join().unwrap();
        });
    }

    fn fd(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::PATH, Mode::empty()).unwrap()
    }

    #[test]
    fn a_detached_tree_goes_into_another_namespace_and_stays_beneath_its_root() {
        in_own_namespace(|dir| {
            for name in ["source", "root/inside"] {
                std::fs::create_dir_all(dir.join(name)).unwrap();
            }
            std::fs::write(dir.join("source/page"), "hello").unwrap();
            // A stranger's root: an absolute symlink where the mount point shall be.
            std::os::unix::fs::symlink("/inside", dir.join("root/link")).unwrap();
            let ro = BindOptions {
                flags: Flags {
                    ro: true,
                    ..Flags::default()
                },
                ..BindOptions::default()
            };
            let tree = clone_tree(fd(&dir.join("source")).as_fd(), ro).unwrap();
            kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
            make_private(Path::new("/")).unwrap();
            let root = fd(&dir.join("root"));
            let at = Path::new("/link/deep/www");
            attach_into(tree, root.as_fd(), at, Some(Make::Dir), None).unwrap();
            let there = dir.join("root/inside/deep/www");
            assert_eq!(
                std::fs::read_to_string(there.join("page")).unwrap(),
                "hello"
            );
            assert!(std::fs::write(there.join("new"), "").is_err());
            assert!(!Path::new("/inside").exists());
            let seen = mountinfo::mounts().unwrap();
            assert!(mountinfo::at(&seen, &there).is_some_and(|mount| mount.has_option("ro")));
        });
    }

    #[test]
    fn a_file_over_a_missing_file_and_a_tree_made_read_only_later() {
        in_own_namespace(|dir| {
            std::fs::create_dir(dir.join("root")).unwrap();
            std::fs::write(dir.join("hosts"), "127.0.0.1").unwrap();
            kit_sys::process::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
            make_private(Path::new("/")).unwrap();
            let root = fd(&dir.join("root"));
            let hosts = fd(&dir.join("hosts"));
            let at = Path::new("etc/hosts");
            let how = BindOptions {
                travel: Some(Travel::Private),
                ..BindOptions::default()
            };
            let mount = bind_into(hosts.as_fd(), root.as_fd(), at, Some(Make::File), how).unwrap();
            std::fs::write(dir.join("root/etc/hosts"), "both").unwrap();
            assert_eq!(std::fs::read_to_string(dir.join("hosts")).unwrap(), "both");
            set_readonly_recursive(mount.as_fd()).unwrap();
            let refused = std::fs::write(dir.join("root/etc/hosts"), "no").unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
            let missing =
                bind_into(hosts.as_fd(), root.as_fd(), Path::new("a"), None, how).unwrap_err();
            assert_eq!(
                missing.to_string(),
                "resolving beneath the root \"a\": No such file or directory"
            );
        });
    }
}
