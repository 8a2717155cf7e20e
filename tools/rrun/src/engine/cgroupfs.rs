//! /sys/fs/cgroup inside a container: read-only, rooted at the container's own cgroup by its cgroup namespace.
//!
//! On a pure v2 host that is one mount; on v1 and hybrid hosts a tmpfs with a directory a hierarchy.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use kit_plan::{Line, run};
use rustix::fs::{Mode, mkdirat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::beneath;
use super::mounts::move_to;
use super::rootfs::new_filesystem;

const PLACE: &str = "/sys/fs/cgroup";

/// A hierarchy of the host's: its directory's name, and the options that name it to mount(2).
struct Hierarchy {
    name: String,
    kind: &'static str,
    options: Vec<String>,
}

/// From `/proc/self/mountinfo` (proc(5)): the ones mounted below /sys/fs/cgroup; `None` on a pure v2 host.
fn hierarchies() -> Option<Vec<Hierarchy>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let point = before.split(' ').nth(4).unwrap_or_default();
        let mut after = after.split(' ');
        let (kind, superblock) = (
            after.next().unwrap_or_default(),
            after.nth(1).unwrap_or_default(),
        );
        let kind = match kind {
            "cgroup2" if point == PLACE => return None,
            "cgroup2" => "cgroup2",
            "cgroup" => "cgroup",
            _ => continue,
        };
        let Some(name) = point
            .strip_prefix(PLACE)
            .map(|rest| rest.trim_start_matches('/'))
        else {
            continue;
        };
        let named = |option: &&str| {
            kind == "cgroup" && !matches!(*option, "rw" | "ro" | "xattr" | "noprefix")
        };
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

fn attrs() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

pub fn mount(root: BorrowedFd<'_>, to: &Path) -> Result<(), Errno> {
    let target = beneath::make_dir(root, to)?;
    let Some(hierarchies) = hierarchies() else {
        let tree = new_filesystem("cgroup2", "cgroup", &[], attrs())?;
        return move_to(&tree, &target);
    };
    let writable = attrs() - MountAttrFlags::MOUNT_ATTR_RDONLY;
    let tmpfs = new_filesystem("tmpfs", "cgroup", &["mode=755".to_owned()], writable)?;
    for hierarchy in &hierarchies {
        mkdirat(&tmpfs, hierarchy.name.as_str(), Mode::from_raw_mode(0o755))?;
    }
    move_to(&tmpfs, &target)?;
    for hierarchy in hierarchies {
        let tree = new_filesystem(hierarchy.kind, "cgroup", &hierarchy.options, attrs())?;
        let point = beneath::find(root, &to.join(&hierarchy.name))?;
        move_to(&tree, &point)?;
    }
    let attr = kit_sys::mount::MountAttr {
        set: kit_sys::mount::MOUNT_ATTR_RDONLY,
        ..Default::default()
    };
    kit_sys::mount::set_attr(tmpfs.as_fd(), &attr, false)
}

pub fn script(to: &Path) -> Vec<Line> {
    const SAFE: &str = "nosuid,noexec,nodev";
    let mut lines = vec![run!["mkdir", "-p", to]];
    let Some(hierarchies) = hierarchies() else {
        lines.push(run![
            "mount",
            "-t",
            "cgroup2",
            "-o",
            format!("{SAFE},ro"),
            "cgroup",
            to
        ]);
        return lines;
    };
    lines.push(run![
        "mount",
        "-t",
        "tmpfs",
        "-o",
        format!("{SAFE},mode=755"),
        "cgroup",
        to
    ]);
    for Hierarchy {
        name,
        kind,
        options,
    } in hierarchies
    {
        let point: PathBuf = to.join(&name);
        let mut all = format!("{SAFE},ro");
        for option in options {
            all.push(',');
            all.push_str(&option);
        }
        lines.push(run!["mkdir", &point]);
        lines.push(run!["mount", "-t", kind, "-o", all, "cgroup", &point]);
    }
    lines.push(run!["mount", "-o", "remount,ro", to]);
    lines
}
