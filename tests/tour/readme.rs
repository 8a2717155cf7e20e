//! What the README says to type, typed: all its blocks of sh, in their order, in one root shell of a machine of their own.

use std::path::Path;

use kit_test::{Host, binaries};
use nix::sched::{CloneFlags, unshare};

/// What is typed another way here, and why.
const OTHERWISE: [(&str, &str); 7] = [
    // These have tests of their own; the second is what runs this one.
    ("./scripts/quickstart", "[ -x ./scripts/quickstart ]"),
    ("./scripts/test", "[ -x ./scripts/test ]"),
    // A minute, and peers.
    ("./scripts/bench", "[ -x ./scripts/bench ]"),
    // `install` does, into a prefix of its own.
    (
        "./scripts/install --prefix /usr/local",
        "[ -x ./scripts/install ]",
    ),
    // `debian` has a whole Debian, from a mirror.
    ("debootstrap bookworm root", "mkdir -p root/etc"),
    // A person ends it by Ctrl-C, and types into the other.
    (
        "rrun logs -f web",
        "timeout -s INT 1 rrun logs -f web || [ $? -eq 124 ]",
    ),
    (
        "rrun exec -it web sh",
        "(sleep 1; echo 'echo typed: $((6 * 7)); exit') | script -qec 'rrun exec -it web sh' /dev/null",
    ),
];

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The lines of a page's blocks of sh, without their comments.
fn typed(page: &str) -> Vec<String> {
    let page = std::fs::read_to_string(top().join(page)).unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines
        .map(|line| line.split(" #").next().unwrap().trim_end().to_owned())
        .collect()
}

#[test]
fn each_block_works_in_its_turn() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    // A clone after the first command, and no network namespace but its own.
    host.ok("mount --make-rprivate /; mkdir -p /run/netns clone/target/host; mount -t tmpfs none /run/netns");
    let clone = host.path().join("clone");
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, clone.join(name)).unwrap();
    link(&binaries(), "target/host/release");
    link(&top().join("scripts"), "scripts");
    let lines = typed("README.md").into_iter().map(|line| {
        let other = OTHERWISE.iter().find(|(words, _)| line.starts_with(words));
        other.map_or(line.clone(), |(words, instead)| {
            line.replacen(words, instead, 1)
        })
    });
    let lines: Vec<_> = lines.collect();
    for (words, instead) in OTHERWISE {
        let used = lines.iter().any(|line| line.starts_with(instead));
        assert!(used, "the README does not say {words:?}");
    }
    let script = format!("cd clone; set -eux\n{}", lines.join("\n"));
    let (code, printed, said) = host.outcome(&script);
    assert_eq!(code, 0, "{printed}{said}");
    for line in ["Hello from ", "memory limit: 64 MiB", "typed: 42", "uid=0"] {
        assert!(printed.contains(line), "no {line:?}: {printed}{said}");
    }
    assert_eq!(host.ok("rrun ps -aq; ls /run/netns; rrun gc >gone"), "");
    host.ok("umount /run/netns");
}

#[test]
fn both_languages_say_the_same() {
    assert_eq!(typed("README.zh.md"), typed("README.md"));
}
