//! What the README says to type, typed: all its blocks of sh, in their order, in one root shell of a machine of their own,
//! with the programs of an essential Debian and no others.

use std::path::{Path, PathBuf};

use kit_test::{Host, binaries, skip};
use nix::sched::{CloneFlags, unshare};

/// What is typed another way here, and why.
const OTHERWISE: [(&str, &str); 7] = [
    // These have tests of their own; the second is what runs this one.
    ("./scripts/quickstart", "[ -x ./scripts/quickstart ]"),
    ("./scripts/test", "[ -x ./scripts/test ]"),
    // A minute, and peers.
    ("./scripts/bench", "[ -x ./scripts/bench ]"),
    // What is built already, into a prefix of the test's own.
    (
        "./scripts/install --prefix /usr/local",
        "./scripts/install --bins target/host/release --prefix ../prefix",
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

/// A directory with the programs of Debian's essential packages, and of mawk, without which no base-files is installed.
fn essential(host: &Host) -> Option<PathBuf> {
    let dir = host.path().join("essential");
    host.ok("mkdir essential; ln -s \"$(command -v awk)\" essential/awk");
    let all = "dpkg-query -W -f '${Essential} ${Package}\\n' | sed -n 's/^yes //p' | xargs -r dpkg-query -L";
    let programs =
        format!("{all} | grep -E '^(/usr)?/s?bin/[^/]+$' | xargs -r ln -sf -t essential");
    (host.code(&format!("command -v dpkg-query && {programs}")) == 0).then_some(dir)
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
    let path = essential(&host).unwrap_or_else(|| {
        let why = "this is no Debian: nobody knows which packages are essential";
        skip("readme::each_block_works_in_its_turn", why);
        kit_test::path().into()
    });
    let is_there =
        |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    // What a stand-in stands for is installed by the reader.
    for (words, _) in OTHERWISE {
        let program = words.split(' ').next().unwrap();
        let ours = program.starts_with("./") || binaries().join(program).exists();
        let install = format!("apt install {program}");
        for page in ["README.md", "README.zh.md"] {
            let says = std::fs::read_to_string(top().join(page)).unwrap();
            assert!(
                ours || is_there(program) || says.contains(&install),
                "{page} does not say {install:?}"
            );
        }
    }
    // Ours are on the PATH by what the README says.
    let script = format!(
        "cd clone; PATH={}; set -eux\n{}",
        path.display(),
        lines.join("\n")
    );
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
