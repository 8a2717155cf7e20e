//! Bad inputs: each gives one line with the true cause, perhaps a hint, the right exit code, and leaves nothing.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

mod containers;
mod machine;
mod primitives;
mod races;

use std::path::Path;
use std::time::{Duration, Instant};

use kit_plan::Roots;
use kit_test::Host;
use nix::sched::{CloneFlags, unshare};

/// What is typed, the exit code, and what it says; `{dir}` is the test's directory.
type Row = (&'static str, i32, &'static str);

/// A host whose mounts and named namespaces are its own too, without an image.
fn own_host() -> Host {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok("mount --make-rprivate /; mount -t tmpfs run /run; mkdir /run/netns data");
    host
}

/// With an image, and with all the directories that a first run leaves.
fn packed_host() -> Host {
    let host = own_host();
    host.ok(&kit_test::pack());
    host.ok(
        "mkdir -p -m 700 root/trash root/containers root/names run/containers run/journals run/networks run/transient
         rrun run --rm tools id; rrun gc",
    );
    host
}

/// The cgroup of a test, which nobody else has.
fn group(host: &Host) -> String {
    let dir = host.path().file_name().unwrap().to_str().unwrap();
    format!("bad{}", dir.replace('.', ""))
}

/// A script in which `$g` is that.
fn named(host: &Host, script: &str) -> String {
    format!("g={}; {script}", group(host))
}

/// A container's ID is another each time.
fn without_ids(text: &str) -> String {
    let is_id = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(is_id)
        .fold(text.to_owned(), |text, id| text.replace(id, "{id}"))
}

/// What there is, read by others than us; of mounts and namespaces those that the test can see.
const LEFT: &str = "find . -not -path './*/images/*' -not -path './*/images' | sort; ip -br link | cut -d' ' -f1; \
    nft list ruleset; findmnt -rn -o TARGET; ip netns list; find /sys/fs/cgroup -type d -path \"*/$g*\" -o -name -x 2>/dev/null || :";

/// Tries each, and fails with all that were wrong.
fn all(host: &Host, rows: &[Row]) {
    let before = host.ok(&named(host, LEFT));
    let instance = Roots::at(host.root(), host.run_dir()).instance.name();
    let mut wrong = Vec::new();
    let v1 = Path::new("/sys/fs/cgroup/devices").exists();
    for (typed, code, said) in rows {
        if said.contains("/sys/fs/cgroup/") && !v1 {
            kit_test::skip(
                "rows_of_cgroup_v1",
                "on pure v2 the kernel refuses other files first",
            );
            continue;
        }
        let (got, out, err) = host.outcome(&named(host, typed));
        let err = without_ids(&err);
        let said = said
            .replace("{dir}", &host.path().display().to_string())
            .replace("{bridge}", &instance.replace("boxkit", "bk0"))
            .replace("{instance}", &instance)
            .replace("{dirs}", &dirs(host))
            .replace("{g}", &group(host))
            .replace("{arch}", std::env::consts::ARCH);
        if (got, out.as_str(), err.trim_end()) != (*code, "", said.as_str()) {
            wrong.push(format!(
                "{typed}: {got}, not {code}:\n{out}{err}not:\n{said}"
            ));
        }
        let new = left(host, &before);
        if !new.is_empty() {
            wrong.push(format!("{typed}: left {new}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Where the test's cgroup is, in each hierarchy that has it.
fn dirs(host: &Host) -> String {
    let find = format!(
        "find /sys/fs/cgroup -maxdepth 3 -type d -name {} | sort | xargs",
        group(host)
    );
    host.ok(&find).trim().to_owned()
}

/// What is there that was not before.
fn left(host: &Host, before: &str) -> String {
    // What a run does after its report, and the network that is kept for the next run, gc waits for and removes.
    host.ok("rrun gc");
    // The kernel takes a namespace down, and the cables into it, in its own time.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let after = host.ok(&named(host, LEFT));
        let lines = after.lines();
        let new: Vec<&str> = lines
            .filter(|line| !before.lines().any(|one| one == *line))
            .collect();
        let new = new.join("\n");
        if new.is_empty() || Instant::now() > deadline {
            return new;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
