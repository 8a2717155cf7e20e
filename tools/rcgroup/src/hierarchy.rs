//! Which hierarchies this host has, and where. From the mountinfo file of our process (proc(5)), each checked by its
//! filesystem's magic: a directory of that name on a tmpfs limits nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kit_home::mountinfo;
use rustix::fs::statfs;

use crate::CgroupError;

const CGROUP_SUPER_MAGIC: i64 = 0x0027_e0eb;
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;

/// How the controllers are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Controllers on v1 hierarchies; no v2.
    V1,
    /// Controllers on v1, and a v2 hierarchy without them beside.
    Hybrid,
    /// Pure v2.
    V2,
}

/// The hierarchies of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    /// v1: mount point by controller. cpu and cpuacct may share one.
    pub v1: BTreeMap<String, PathBuf>,
    /// The mount point of v2's one hierarchy.
    pub v2: Option<PathBuf>,
    /// Which of them have the controllers.
    pub mode: Mode,
}

/// The directories of one cgroup, one on v2, several on v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Relative to the root of each hierarchy.
    pub name: String,
    /// By controller; on v2 the one entry `""`.
    pub dirs: BTreeMap<String, PathBuf>,
}

impl Hierarchies {
    /// Those of this host, as this process sees them.
    pub fn detect() -> Result<Self, CgroupError> {
        let path = Path::new(mountinfo::OWN);
        // As bytes: a mount point of somebody else's need not be UTF-8.
        let mounts = kit_sys::file::read(path).map_err(CgroupError::io("reading", path))?;
        let found = Self::parse(&mounts)?;
        for (path, magic) in found
            .v1
            .values()
            .map(|path| (path, CGROUP_SUPER_MAGIC))
            .chain(found.v2.iter().map(|path| (path, CGROUP2_SUPER_MAGIC)))
        {
            match statfs(path) {
                Ok(stat) if stat.f_type == magic => {}
                // Something else was mounted over it.
                _ => {
                    return Err(CgroupError::NotCgroup {
                        path: path.clone(),
                        kind: "different filesystem",
                    });
                }
            }
        }
        Ok(found)
    }

    /// The hierarchies in which a process is in cgroup `name`, and that group in them, without a look at all mounts, as
    /// [`Self::detect`] takes. `None` where they are not mounted as systemd mounts them, or the process is in no such
    /// group.
    pub fn of_process(pid: i32, name: &str) -> Option<(Self, Group)> {
        let text = kit_sys::file::read(format!("/proc/{pid}/cgroup")).ok()?;
        let found = Self::joined(
            &String::from_utf8_lossy(&text),
            name,
            Path::new("/sys/fs/cgroup"),
        );
        let controllers: Vec<&str> = found.v1.keys().map(String::as_str).collect();
        let group = found.group(name, &controllers);
        let magic = match found.mode {
            Mode::V2 => CGROUP2_SUPER_MAGIC,
            _ => CGROUP_SUPER_MAGIC,
        };
        let is_one = |dir: &&Path| statfs(*dir).is_ok_and(|stat| stat.f_type == magic);
        let dirs = group.unique_dirs();
        (!dirs.is_empty() && dirs.iter().all(is_one)).then_some((found, group))
    }

    /// Those that a /proc/PID/cgroup has with this name.
    fn joined(text: &str, name: &str, root: &Path) -> Self {
        let (mut v1, mut v2, mut mode) = (BTreeMap::new(), None, Mode::V2);
        for (controllers, path) in places(text) {
            if controllers.starts_with("name=") {
                continue;
            }
            if !controllers.is_empty() {
                mode = Mode::Hybrid;
            }
            if path.strip_prefix('/') != Some(name) {
                continue;
            }
            if controllers.is_empty() {
                v2 = Some(root.to_owned());
            }
            for controller in controllers.split(',').filter(|one| !one.is_empty()) {
                v1.insert(controller.to_owned(), root.join(controller));
            }
        }
        Self { v1, v2, mode }
    }

    /// From the text of mountinfo.
    pub fn parse(text: &[u8]) -> Result<Self, CgroupError> {
        const CONTROLLERS: [&str; 13] = [
            "cpu",
            "cpuacct",
            "cpuset",
            "memory",
            "devices",
            "freezer",
            "blkio",
            "pids",
            "net_cls",
            "net_prio",
            "perf_event",
            "hugetlb",
            "rdma",
        ];
        let (mut v1, mut v2) = (BTreeMap::new(), None);
        for line in mountinfo::lines(text).flatten() {
            match line.fstype {
                b"cgroup2" => v2 = v2.or(Some(line.target())),
                b"cgroup" => {
                    let options = line.super_options.split(|byte| *byte == b',');
                    let options = options.filter_map(|option| std::str::from_utf8(option).ok());
                    for controller in options.filter(|option| CONTROLLERS.contains(option)) {
                        v1.entry(controller.to_owned())
                            .or_insert_with(|| line.target());
                    }
                }
                _ => {}
            }
        }
        let mode = match (v1.is_empty(), &v2) {
            (true, None) => return Err(CgroupError::NotMounted),
            (true, Some(_)) => Mode::V2,
            (false, None) => Mode::V1,
            (false, Some(_)) => Mode::Hybrid,
        };
        Ok(Self { v1, v2, mode })
    }

    /// The directories of cgroup `name` for these v1 controllers; those this host lacks are left out. On v2
    /// there is one, whatever the controllers.
    pub fn group(&self, name: &str, controllers: &[&str]) -> Group {
        let dirs = match (&self.mode, &self.v2) {
            (Mode::V2, Some(root)) => BTreeMap::from([(String::new(), root.join(name))]),
            _ => controllers
                .iter()
                .filter_map(|controller| {
                    Some((
                        (*controller).to_owned(),
                        self.v1.get(*controller)?.join(name),
                    ))
                })
                .collect(),
        };
        Group {
            name: name.to_owned(),
            dirs,
        }
    }

    /// Cgroup `name` as it is: the directories that exist.
    pub fn existing(&self, name: &str) -> Result<Group, CgroupError> {
        check_name(name)?;
        let all: Vec<&str> = self.v1.keys().map(String::as_str).collect();
        let mut group = self.group(name, &all);
        // A name that nobody has asked for yet costs the kernel a lookup in each hierarchy; a parent that none has does not.
        let is_dir = |dir: &Path| dir.parent().is_none_or(Path::is_dir) && dir.is_dir();
        group.dirs.retain(|_, dir| is_dir(dir));
        if group.dirs.is_empty() {
            Err(CgroupError::Unknown {
                name: name.to_owned(),
            })
        } else {
            Ok(group)
        }
    }
}

impl Group {
    /// The directory with `controller`'s files.
    pub fn dir(&self, controller: &str) -> Option<&Path> {
        self.dirs
            .get("")
            .or_else(|| self.dirs.get(controller))
            .map(PathBuf::as_path)
    }

    /// Whether it is the one of v1's freezer.
    pub(crate) fn is_freezer(&self, dir: &Path) -> bool {
        self.dirs.get("freezer").is_some_and(|there| there == dir)
    }

    /// Each directory once; controllers may share one.
    pub fn unique_dirs(&self) -> Vec<&Path> {
        let mut dirs: Vec<&Path> = self.dirs.values().map(PathBuf::as_path).collect();
        dirs.sort();
        dirs.dedup();
        dirs
    }
}

/// Where a process is, by the text of its /proc/PID/cgroup, `4:cpu,cpuacct:/NAME` and `0::/NAME` (cgroups(7)): the
/// controllers of each hierarchy, none for v2, and the path from its root.
pub fn places(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

/// A name is a path below the root of each hierarchy, and may not leave it.
pub fn check_name(name: &str) -> Result<(), CgroupError> {
    let wrong = |reason| {
        Err(CgroupError::BadName {
            name: name.to_owned(),
            reason,
        })
    };
    if name.is_empty() {
        return wrong("it is empty");
    }
    if name.starts_with('/') {
        return wrong("it begins with a slash; names are relative to the hierarchy's root");
    }
    if name.starts_with('-') {
        return wrong("it begins with a dash");
    }
    for part in name.split('/') {
        match part {
            "" | "." | ".." => return wrong("it has an empty, \".\" or \"..\" part"),
            _ if part.contains(|c: char| c.is_control()) => {
                return wrong("it has a control character");
            }
            _ if part.starts_with("cgroup.") => {
                return wrong("names that begin with \"cgroup.\" are the kernel's");
            }
            _ if part.len() > 255 => return wrong("a part is longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    const V2: &str = "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_three_arrangements() {
        assert_eq!(Hierarchies::parse(V1.as_bytes()).unwrap().mode, Mode::V1);
        assert_eq!(
            Hierarchies::parse(format!("{V1}{V2}").as_bytes())
                .unwrap()
                .mode,
            Mode::Hybrid
        );
        assert_eq!(Hierarchies::parse(V2.as_bytes()).unwrap().mode, Mode::V2);
        assert!(matches!(
            Hierarchies::parse(b""),
            Err(CgroupError::NotMounted)
        ));
    }

    #[test]
    fn a_mount_of_another_s_that_is_not_utf_8_is_passed_over() {
        let odd = b"40 25 0:40 / /mnt/\xff rw - tmpfs tmpfs rw\n".as_slice();
        let escaped = b"41 25 0:41 / /c\\040g rw - cgroup2 cgroup2 rw\n".as_slice();
        let read = Hierarchies::parse(&[odd, V1.as_bytes(), escaped].concat()).unwrap();
        assert_eq!(read.v2.as_deref(), Some(Path::new("/c g")));
    }

    #[test]
    fn controllers_that_share_a_hierarchy_share_a_directory() {
        let group = Hierarchies::parse(V1.as_bytes())
            .unwrap()
            .group("web", &["cpu", "cpuacct", "memory", "pids"]);
        assert_eq!(group.dirs.len(), 3);
        assert_eq!(group.unique_dirs().len(), 2);
    }

    #[test]
    fn a_process_is_in_a_group_of_some_hierarchies() {
        let root = Path::new("/c");
        let some = "4:cpu,cpuacct:/web\n3:memory:/\n1:name=systemd:/web\n0::/\n";
        let some = Hierarchies::joined(some, "web", root);
        assert_eq!(some.mode, Mode::Hybrid);
        let dirs = some.group("web", &["cpu", "cpuacct", "memory"]).dirs;
        let expected =
            ["cpu", "cpuacct"].map(|name| (name.to_owned(), root.join(name).join("web")));
        assert_eq!(dirs, BTreeMap::from(expected));

        let pure = Hierarchies::joined("0::/web\n", "web", root);
        assert_eq!(pure.mode, Mode::V2);
        let dir = pure.group("web", &[]).dirs.into_values().next();
        assert_eq!(dir.as_deref(), Some(Path::new("/c/web")));
        let other = Hierarchies::joined("0::/web/below\n", "web", root);
        assert_eq!(other.v2, None);
    }

    #[test]
    fn a_name_stays_below_the_root() {
        for bad in ["", "/x", "a/../b", "a//b", "cgroup.x", "a\n"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("boxkit/web").is_ok());
    }
}
