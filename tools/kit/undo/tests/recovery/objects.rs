//! What a plan makes and a stranger may put in its place: an object of each kind, and the world it is made in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kit_net::Netlink;
use kit_net::rtnetlink::LinkBridge;
use kit_plan::{NetnsId, Undo};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

const GROUP: u32 = 0x0062_6b01;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    File,
    /// What comes after it is made inside.
    Dir,
    Tree,
    Sysctl,
    Link,
    Cgroup,
    Mount,
}

pub const KINDS: [Kind; 7] = [
    Kind::File,
    Kind::Dir,
    Kind::Tree,
    Kind::Sysctl,
    Kind::Link,
    Kind::Cgroup,
    Kind::Mount,
];

pub struct World {
    pub dir: TempDir,
    pub cgroup: PathBuf,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let root = roots
            .into_iter()
            .find(|root| root.join("cgroup.procs").exists())
            .expect("a cgroup hierarchy");
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        let cgroup = root.join(format!("boxkit-test-{}", name.replace('.', "")));
        for made in ["made", "aside"] {
            fs::create_dir(dir.path().join(made)).unwrap();
        }
        fs::create_dir(&cgroup).unwrap();
        Self { dir, cgroup }
    }

    pub fn journals(&self) -> PathBuf {
        self.dir.path().join("journals")
    }

    /// Everything that a plan can make or a stranger can have, but for what was moved aside.
    pub fn state(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        walk(&self.dir.path().join("made"), &mut all);
        walk_dirs(&self.cgroup, &mut all);
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let here = self.dir.path().to_str().unwrap();
        let mounts = mounts.lines().filter(|line| line.contains(here));
        all.extend(mounts.map(|line| format!("mount {}", line.split(' ').nth(4).unwrap())));
        let links = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let links = links.lines().filter_map(|line| line.split_once(':'));
        all.extend(links.map(|(name, _)| format!("link {}", name.trim())));
        all
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for mount in self
            .state()
            .iter()
            .filter_map(|one| one.strip_prefix("mount "))
        {
            let _ = unmount(mount, UnmountFlags::DETACH);
        }
        let below = fs::read_dir(&self.cgroup).unwrap().flatten();
        for dir in below.filter(|entry| entry.path().is_dir()) {
            let _ = fs::remove_dir(dir.path());
        }
        let _ = fs::remove_dir(&self.cgroup);
        let nl = Netlink::open().unwrap();
        for link in nl.links().unwrap() {
            if link.name.starts_with("step") {
                let _ = nl.del_link(link.index);
            }
        }
    }
}

fn walk(dir: &Path, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.insert(format!("{}/", path.display()));
            walk(&path, all);
        } else {
            all.insert(format!(
                "{} {}",
                path.display(),
                fs::read_to_string(&path).unwrap()
            ));
        }
    }
}

fn walk_dirs(dir: &Path, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            all.insert(format!("cgroup {}", entry.path().display()));
        }
    }
}

/// One step's object.
pub struct Object {
    pub kind: Kind,
    pub path: PathBuf,
    pub name: String,
}

impl Object {
    pub fn prepare(&self) {
        match self.kind {
            Kind::Sysctl => fs::write(&self.path, "0\n").unwrap(),
            Kind::Mount => fs::create_dir(&self.path).unwrap(),
            _ => {}
        }
    }

    pub fn intent(&self) -> Undo {
        match self.kind {
            Kind::File => Undo::unlink(&self.path),
            Kind::Dir => Undo::rmdir(&self.path),
            Kind::Tree => Undo::tree(&self.path),
            Kind::Cgroup => Undo::cgroup(&self.path),
            Kind::Mount => Undo::unmount(&self.path),
            Kind::Sysctl => Undo::Restore {
                path: self.path.clone(),
                was: "0".to_owned(),
                wrote: "1".to_owned(),
                done: false,
                netns: None,
            },
            Kind::Link => Undo::Link {
                netns: None,
                name: self.name.clone(),
                group: GROUP,
                index: None,
                netns_id: None,
            },
        }
    }

    pub fn act(&self) {
        match self.kind {
            Kind::File => fs::write(&self.path, "ours").unwrap(),
            Kind::Dir | Kind::Cgroup => fs::create_dir(&self.path).unwrap(),
            Kind::Tree => {
                fs::create_dir_all(self.path.join("a/b")).unwrap();
                fs::write(self.path.join("a/file"), "ours").unwrap();
            }
            Kind::Sysctl => fs::write(&self.path, "1\n").unwrap(),
            Kind::Mount => {
                mount("ours", &self.path, "tmpfs", MountFlags::empty(), None).unwrap();
            }
            Kind::Link => add_bridge(&self.name),
        }
    }

    pub fn done(&self) -> Undo {
        match self.intent() {
            Undo::Link { name, group, .. } => Undo::Link {
                netns: None,
                index: Some(Netlink::open().unwrap().need_link(&name).unwrap().index),
                netns_id: NetnsId::own().ok(),
                name,
                group,
            },
            other => other.identified(),
        }
    }

    /// A stranger's thing of the same name; ours lives on elsewhere, so that no number is used again.
    pub fn replace(&self, world: &World) {
        match self.kind {
            Kind::File | Kind::Tree => {
                let aside = world.dir.path().join("aside").join(&self.name);
                fs::rename(&self.path, aside).unwrap();
                fs::write(&self.path, "theirs").unwrap();
            }
            Kind::Sysctl => fs::write(&self.path, "9\n").unwrap(),
            Kind::Cgroup => {
                fs::remove_dir(&self.path).unwrap();
                fs::create_dir(&self.path).unwrap();
            }
            Kind::Mount => {
                unmount(&self.path, UnmountFlags::empty()).unwrap();
                mount("theirs", &self.path, "tmpfs", MountFlags::empty(), None).unwrap();
            }
            Kind::Link => {
                let nl = Netlink::open().unwrap();
                nl.del_link(nl.need_link(&self.name).unwrap().index)
                    .unwrap();
                add_bridge(&self.name);
            }
            Kind::Dir => {}
        }
    }

    /// What is there when a stranger has it.
    pub fn theirs(&self) -> Option<String> {
        match self.kind {
            Kind::File | Kind::Tree => Some(format!("{} theirs", self.path.display())),
            Kind::Sysctl => Some(format!("{} 9\n", self.path.display())),
            Kind::Cgroup => Some(format!("cgroup {}", self.path.display())),
            Kind::Mount => Some(format!("mount {}", self.path.display())),
            Kind::Link => Some(format!("link {}", self.name)),
            Kind::Dir => None,
        }
    }
}

fn add_bridge(name: &str) {
    let message = LinkBridge::new(name).link_group(GROUP).build();
    Netlink::open().unwrap().add_link(message).unwrap();
}
