//! Random plans over real objects of the kernel, killed at every boundary of their journal, and two recoveries
//! at once: afterwards all is as before, and what strangers put in the place of ours is still theirs.
//!
//! A kill is the end of the journal's descriptor: its lock goes, and what was written stays, as with SIGKILL. A
//! line that the kill cut short is cut short here too.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod objects;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Barrier;

use kit_plan::{Fate, Header, Journal, Mark, Roots, Undo, recover};
use kit_undo::Kernel;
use nix::sched::{CloneFlags, unshare};
use objects::{KINDS, Kind, Object, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};

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
        recover(&dir, &Kernel::new(), &mut |_| Fate::Drop)
    };
    let mut replayed = 0;
    let mut outcomes = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        vec![one(), other.join().unwrap()]
    });
    outcomes.push(recover(&dir, &Kernel::new(), &mut |_| Fate::Drop));
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

#[test]
fn a_tree_that_something_is_mounted_in_is_kept_whatever_else_is_mounted() {
    unshare(CloneFlags::CLONE_NEWNS).expect("this test needs root");
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).unwrap();
    let world = World::new();
    let tmpfs = |at: &Path| {
        fs::create_dir_all(at).unwrap();
        mount("theirs", at, "tmpfs", MountFlags::empty(), None).unwrap();
    };
    let elsewhere = world.dir.path().join(OsStr::from_bytes(b"caf\xe9"));
    tmpfs(&elsewhere);
    for name in ["tree", "tr ee", "tr\te\ne\\"] {
        let tree = world.dir.path().join("made").join(name);
        let inside = tree.join("a\tmount");
        tmpfs(&inside);
        fs::write(inside.join("file"), "theirs").unwrap();
        let mut journal = begin(&world);
        journal.intend(0, vec![Undo::tree(&tree)]).unwrap();
        drop(journal);
        let again = || recover(&world.journals(), &Kernel::new(), &mut |_| Fate::Replay);
        let refused = again().errors.pop().expect("it must not be undone");
        assert_eq!(refused.reason, format!("{inside:?} is mounted inside"));
        assert!(inside.join("file").exists(), "{name}");
        unmount(&inside, UnmountFlags::empty()).unwrap();
        assert_eq!(again().replayed.len(), 1);
        assert!(!tree.exists());
    }
    unmount(&elsewhere, UnmountFlags::empty()).unwrap();
}
