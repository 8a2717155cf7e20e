//! Random plans over real objects of the kernel, killed at every boundary of their journal, and two recoveries
//! at once: afterwards all is as before, and what strangers put in the place of ours is still theirs.
//!
//! A kill is the end of the journal's descriptor: its lock goes, and what was written stays, as with SIGKILL. A
//! line that the kill cut short is cut short here too.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use kit_net::Netlink;
use kit_net::rtnetlink::LinkBridge;
use kit_plan::{Fate, FileId, Header, Journal, Mark, Roots, Undo, recover};
use kit_undo::Kernel;
use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use tempfile::TempDir;

const GROUP: u32 = 0x0062_6b01;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    File,
    /// What comes after it is made inside.
    Dir,
    Tree,
    Sysctl,
    Link,
    Cgroup,
    Mount,
}

const KINDS: [Kind; 7] = [
    Kind::File,
    Kind::Dir,
    Kind::Tree,
    Kind::Sysctl,
    Kind::Link,
    Kind::Cgroup,
    Kind::Mount,
];

#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: Kind,
    /// Once it is made, somebody puts something of the same name in its place.
    replaced: bool,
}

/// Where the process dies, in the course of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Point {
    Intended,
    Acted,
    Done,
}

struct World {
    dir: TempDir,
    cgroup: PathBuf,
}

impl World {
    fn new() -> Self {
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

    fn journals(&self) -> PathBuf {
        self.dir.path().join("journals")
    }

    /// Everything that a plan can make or a stranger can have, but for what was moved aside.
    fn state(&self) -> BTreeSet<String> {
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
struct Object {
    kind: Kind,
    path: PathBuf,
    name: String,
}

impl Object {
    fn prepare(&self) {
        match self.kind {
            Kind::Sysctl => fs::write(&self.path, "0\n").unwrap(),
            Kind::Mount => fs::create_dir(&self.path).unwrap(),
            _ => {}
        }
    }

    fn intent(&self) -> Undo {
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

    fn act(&self) {
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

    fn done(&self) -> Undo {
        match self.intent() {
            Undo::Link { name, group, .. } => Undo::Link {
                netns: None,
                index: Some(Netlink::open().unwrap().need_link(&name).unwrap().index),
                netns_id: FileId::of_netns(None).ok(),
                name,
                group,
            },
            other => other.identified(),
        }
    }

    /// A stranger's thing of the same name; ours lives on elsewhere, so that no number is used again.
    fn replace(&self, world: &World) {
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
    fn theirs(&self) -> Option<String> {
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

fn objects(world: &World, plan: &[Wanted]) -> Vec<Object> {
    let mut inside = world.dir.path().join("made");
    let mut all = Vec::new();
    for (number, wanted) in plan.iter().enumerate() {
        let name = format!("step{number}");
        let path = match wanted.kind {
            Kind::Cgroup => world.cgroup.join(&name),
            // What a plan finds there is not inside what it makes.
            Kind::Sysctl | Kind::Mount => world.dir.path().join("made").join(&name),
            _ => inside.join(&name),
        };
        if wanted.kind == Kind::Dir {
            inside.clone_from(&path);
        }
        let kind = wanted.kind;
        all.push(Object { kind, path, name });
    }
    all
}

/// Runs the plan up to `point` of step `last`, the line cut short if `torn`, and recovers, twice at once.
fn killed(plan: &[Wanted], (last, point): (usize, Point), torn: bool) {
    let wanted = plan[last];
    // A mount has no mark, so that one that is not written down stays; strangers come when a step is done.
    let unknown = point == Point::Acted || (point == Point::Done && torn);
    if unknown && (wanted.kind == Kind::Mount || (point == Point::Done && wanted.replaced)) {
        return;
    }
    let world = World::new();
    let objects = objects(&world, plan);
    objects.iter().for_each(Object::prepare);
    let mut expected = world.state();
    let mut journal = begin(&world);
    for (step, object) in objects.iter().enumerate().take(last + 1) {
        journal.intend(step, vec![object.intent()]).unwrap();
        if (step, point) == (last, Point::Intended) {
            break;
        }
        object.act();
        if (step, point) == (last, Point::Acted) {
            break;
        }
        journal.done(step, vec![object.done()]).unwrap();
        if plan[step].replaced {
            object.replace(&world);
            // A directory of ours that a stranger's file is in is not empty, and stays.
            expected.extend(object.theirs());
            for dir in object.path.ancestors().skip(1) {
                let ours = objects.iter().any(|o| o.kind == Kind::Dir && o.path == dir);
                if ours && matches!(object.kind, Kind::File | Kind::Tree) {
                    expected.insert(format!("{}/", dir.display()));
                }
            }
            if object.kind == Kind::Sysctl {
                expected.remove(&format!("{} 0\n", object.path.display()));
            }
        }
    }
    drop(journal);
    if torn {
        cut_last_line(&world);
    }
    let replayed = recover_twice(&world);
    assert_eq!(replayed, 1, "{plan:?} {last} {point:?}");
    assert_eq!(
        world.state(),
        expected,
        "{plan:?} step {last} {point:?} torn {torn}"
    );
}

/// Complete: a recovery leaves it; but not if the last line was cut short.
fn complete(plan: &[Wanted], torn: bool) {
    let world = World::new();
    let objects = objects(&world, plan);
    objects.iter().for_each(Object::prepare);
    let before = world.state();
    let mut journal = begin(&world);
    for (step, object) in objects.iter().enumerate() {
        journal.intend(step, vec![object.intent()]).unwrap();
        object.act();
        journal.done(step, vec![object.done()]).unwrap();
    }
    journal.commit().unwrap();
    drop(journal);
    let whole = world.state();
    assert_ne!(whole, before);
    if torn {
        cut_last_line(&world);
    }
    recover_twice(&world);
    assert_eq!(world.state(), if torn { before } else { whole }, "{plan:?}");
}

fn begin(world: &World) -> Journal {
    let run = world.dir.path().to_owned();
    let mark = Mark::new(Roots::at(run.clone(), run).instance);
    Journal::create(&world.journals(), Header::new(&mark, "test").unwrap()).unwrap()
}

fn cut_last_line(world: &World) {
    let path = fs::read_dir(world.journals())
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let text = fs::read(&path).unwrap();
    let start = text[..text.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap()
        + 1;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(u64::try_from(usize::midpoint(start, text.len())).unwrap())
        .unwrap();
}

/// Two at once, and one more for good measure. How many journals were replayed.
fn recover_twice(world: &World) -> usize {
    let both = Barrier::new(2);
    let dir = world.journals();
    let one = || {
        both.wait();
        recover(&dir, &Kernel::new(), &mut |_| Fate::Leave)
    };
    let mut replayed = 0;
    let mut outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        vec![one(), other.join().unwrap()]
    });
    outcomes.push(recover(&dir, &Kernel::new(), &mut |_| Fate::Leave));
    for outcome in outcomes {
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        assert!(outcome.unreadable.is_empty(), "{:?}", outcome.unreadable);
        replayed += outcome.replayed.len();
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "a journal is left");
    replayed
}

fn plans() -> impl Strategy<Value = Vec<Wanted>> {
    let wanted = (
        prop::sample::select(KINDS.to_vec()),
        prop::bool::weighted(0.3),
    );
    let wanted = wanted.prop_map(|(kind, replaced)| Wanted { kind, replaced });
    prop::collection::vec(wanted, 1..6)
}

fn at_every_boundary(plan: &[Wanted]) {
    for last in 0..plan.len() {
        for point in [Point::Intended, Point::Acted, Point::Done] {
            killed(plan, (last, point), false);
            if point != Point::Acted {
                killed(plan, (last, point), true);
            }
        }
    }
    complete(plan, false);
    complete(plan, true);
}

#[test]
fn killed_at_every_boundary_all_is_as_before() {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).expect("this test needs root");
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    for replaced in [false, true] {
        at_every_boundary(&KINDS.map(|kind| Wanted { kind, replaced }));
    }
    let config = Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&plans(), |plan| {
            at_every_boundary(&plan);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_journal_of_a_living_owner_is_left_alone() {
    let world = World::new();
    let file = world.dir.path().join("made/file");
    let mut journal = begin(&world);
    journal.intend(0, vec![Undo::unlink(&file)]).unwrap();
    fs::write(&file, "ours").unwrap();
    let outcome = recover(&world.journals(), &Kernel::new(), &mut |_| Fate::Replay);
    assert!(outcome.replayed.is_empty() && file.exists());
    drop(journal);
    recover(&world.journals(), &Kernel::new(), &mut |_| Fate::Replay);
    assert!(!file.exists());
}
