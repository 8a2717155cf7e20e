//! /sys/fs/cgroup inside a container: with the options of its mount, rooted at the container's own cgroup by its cgroup namespace.
//!
//! On a pure v2 host that is one mount; on v1 and hybrid hosts a tmpfs with a directory for each hierarchy.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::OnceLock;

use kit_home::mountinfo;
use kit_plan::{Line, words};
use kit_sys::calls::fs::mkdirat;
use kit_sys::calls::mount::open_tree;
use kit_sys::mount::{MOUNT_ATTR_RDONLY, MountAttr, set_attr};
use rmount::bind::move_to;
use rmount::inroot;
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

use super::mounts::{Options, attr_flags, in_root_dir, move_and_travel, set_travel};
use super::rootfs::new_filesystem;

const PLACE: &str = "/sys/fs/cgroup";

/// A cgroup hierarchy that is mounted on the host: the name of its directory, its filesystem type, and the options that name
/// it to mount(2).
#[derive(Debug)]
pub struct Hierarchy {
    name: String,
    kind: &'static str,
    options: Vec<String>,
}

/// The hierarchies mounted below /sys/fs/cgroup, from /proc/self/mountinfo (proc(5)); `None` on a pure v2 host. They are read
/// once in each process: call it before the clone, or each child reads them again.
pub fn hierarchies() -> Option<&'static [Hierarchy]> {
    static HOST: OnceLock<Option<Vec<Hierarchy>>> = OnceLock::new();
    HOST.get_or_init(look).as_deref()
}

fn look() -> Option<Vec<Hierarchy>> {
    let mounts = std::fs::read(mountinfo::OWN).unwrap_or_default();
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo::lines(&mounts).flatten() {
        let kind = match line.fstype {
            b"cgroup2" => "cgroup2",
            b"cgroup" => "cgroup",
            _ => continue,
        };
        let point = line.target();
        let name = point.strip_prefix(PLACE).ok();
        let Some(name) = name.and_then(|name| name.to_str()) else {
            continue;
        };
        if kind == "cgroup2" && name.is_empty() {
            return None;
        }
        let named = |option: &&str| {
            kind == "cgroup" && !matches!(*option, "rw" | "ro" | "xattr" | "noprefix")
        };
        let superblock = String::from_utf8_lossy(line.super_options);
        let options: Vec<String> = superblock
            .split(',')
            .filter(named)
            .map(str::to_owned)
            .collect();
        if !name.is_empty() && found.iter().all(|earlier| earlier.name != name) {
            found.push(Hierarchy {
                name: name.to_owned(),
                kind,
                options,
            });
        }
    }
    Some(found)
}

/// Whether the options leave nothing to be written.
pub(crate) fn is_readonly(options: &Options) -> bool {
    options.attributes.set() & MOUNT_ATTR_RDONLY != 0
}

/// Our own cgroup in each hierarchy, by its controllers: `/proc/self/cgroup` as it was before the cgroup
/// namespace hid what is above (cgroups(7)).
pub(crate) struct Own(Vec<(String, String)>);

impl Own {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let owned = |(controllers, path): (&str, &str)| (controllers.to_owned(), path.to_owned());
        Self(rcgroup::places(&text).map(owned).collect())
    }

    /// The path below the root of the hierarchy with these mount options.
    fn path(&self, hierarchy: &Hierarchy) -> &str {
        let own = self.0.iter().find(|(controllers, _)| match hierarchy.kind {
            "cgroup2" => controllers.is_empty(),
            _ => {
                !controllers.is_empty()
                    && controllers
                        .split(',')
                        .all(|one| hierarchy.options.iter().any(|option| option == one))
            }
        });
        own.map_or("", |(_, path)| path.trim_start_matches('/'))
    }
}

/// On v1 and hybrid hosts the directories are bound, from the host's mounts at our own groups: mounting each
/// hierarchy anew would show the same, and takes more than a millisecond a piece.
pub(crate) fn mount(
    root: BorrowedFd<'_>,
    to: &Path,
    own: &Own,
    options: &Options,
) -> Result<(), Errno> {
    let attrs = attr_flags(options);
    let target = inroot::make_dir(root, to)?;
    let Some(hierarchies) = hierarchies() else {
        let tree = new_filesystem("cgroup2", "cgroup", &[], attrs)?;
        return move_and_travel(&tree, &target, &options.travel);
    };
    let writable = attrs - MountAttrFlags::MOUNT_ATTR_RDONLY;
    let tmpfs = new_filesystem("tmpfs", "cgroup", &["mode=755".to_owned()], writable)?;
    for hierarchy in hierarchies {
        mkdirat(&tmpfs, hierarchy.name.as_str(), Mode::from_raw_mode(0o755))?;
    }
    move_to(tmpfs.as_fd(), target.as_fd())?;
    let attr = MountAttr {
        set: options.attributes.set(),
        clear: options.attributes.clear(),
        ..MountAttr::default()
    };
    for hierarchy in hierarchies {
        let source = Path::new(PLACE)
            .join(&hierarchy.name)
            .join(own.path(hierarchy));
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, &source, flags)?;
        set_attr(tree.as_fd(), &attr, false)?;
        let point = inroot::find(root, &to.join(&hierarchy.name))?;
        move_to(tree.as_fd(), point.as_fd())?;
    }
    if is_readonly(options) {
        let attr = MountAttr {
            set: MOUNT_ATTR_RDONLY,
            ..MountAttr::default()
        };
        set_attr(tmpfs.as_fd(), &attr, false)?;
    }
    set_travel(&tmpfs, &options.travel)
}

/// The same in sh: `to` in the root that is mounted at `at`.
pub(crate) fn script(at: &Path, to: &Path, given: &Options) -> Vec<Line> {
    let all = given.attributes.words();
    let writable: Vec<&str> = all.iter().copied().filter(|word| *word != "ro").collect();
    let mount = |kind: &str, source: &str, options: &[&[&str]], to: &Path| {
        let options = options.concat().join(",");
        let mut command = words!["mount", "-t", kind];
        if !options.is_empty() {
            command.extend(words!["-o", options]);
        }
        command.push(source.into());
        in_root_dir(at, command, to)
    };
    let Some(hierarchies) = hierarchies() else {
        return vec![mount("cgroup2", "cgroup", &[all], to)];
    };
    let mut lines = vec![mount("tmpfs", "cgroup", &[&writable, &["mode=755"]], to)];
    for hierarchy in hierarchies {
        let named: Vec<&str> = hierarchy.options.iter().map(String::as_str).collect();
        let point = to.join(&hierarchy.name);
        lines.push(mount(
            hierarchy.kind,
            hierarchy.kind,
            &[all, &named],
            &point,
        ));
    }
    if is_readonly(given) {
        lines.push(in_root_dir(at, words!["mount", "-o", "remount,ro"], to));
    }
    lines
}
