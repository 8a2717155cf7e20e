//! rmount against the running kernel, each test in a mount namespace of its own. What it did is read by
//! findmnt(8), stat(1) and cat(1); a dry-run is replayed by sh and must leave the same mounts.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod bind;
mod overlay;
mod pipes;
mod verbs;

use std::ops::Deref;

use kit_test::{ASLEEP, text};
use serde_json::Value;

struct Room(kit_test::Room);

impl Deref for Room {
    type Target = kit_test::Room;

    fn deref(&self) -> &kit_test::Room {
        &self.0
    }
}

impl Room {
    /// A scratch directory with two lowers, an upper, a work directory and a mount point; what a script mounts
    /// ends with it.
    fn new() -> Self {
        let room = Self(kit_test::Room::apart(
            &["--mount", "--propagation", "private"],
            "",
        ));
        for name in ["l1", "l2", "up", "wk", "m", "src/sub"] {
            std::fs::create_dir_all(room.path(name)).unwrap();
        }
        room.write("l1/both", "one");
        room.write("l2/both", "two");
        room.write("l2/below", "two");
        room.write("src/page", "hello");
        room
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The standard error, with the room's own path as ROOM, of a command that must fail with `code`.
    fn fails(&self, code: i32, script: &str) -> String {
        let stderr = self.0.fails(code, script);
        stderr.replace(
            self.path("").to_str().unwrap().trim_end_matches('/'),
            "ROOM",
        )
    }

    /// What findmnt shows at and beneath `at` after the script: everything but IDs.
    fn mounts(&self, script: &str, at: &str) -> Value {
        let columns = "TARGET,SOURCE,FSTYPE,VFS-OPTIONS,FS-OPTIONS,FSROOT,PROPAGATION";
        let all = self.ok(&format!(
            "{{ {script}\n}} >/dev/null; findmnt -J -R -o {columns} {at}"
        ));
        serde_json::from_str(&all).unwrap()
    }
}

/// The last command of the line, with --dry-run.
fn dry_run(verb: &str) -> String {
    let at = verb.rfind("rmount ").unwrap() + "rmount ".len();
    let word = verb[at..].split(' ').next().unwrap();
    let end = at + word.len();
    format!("{} --dry-run{}", &verb[..end], &verb[end..])
}

fn first(mounts: &Value) -> &Value {
    &mounts["filesystems"][0]
}

const OVERLAY: &str = "rmount overlay -l l1 -l l2 --upper up --work wk m";
