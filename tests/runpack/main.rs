//! runpack against images of skopeo, umoci and tar, and against archives that mean harm. What it stored is read by skopeo and umoci in
//! place; trees are compared name by name with what tar(1) and umoci make of the same layers.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod damaged;
mod failures;
mod hints;
mod hostile;
mod inputs;
mod kill;
mod layers;
mod limits;
mod names;
mod random;
mod stacked;
mod store;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use kit_test::text;
use serde_json::Value;

struct Room(kit_test::Room);

impl Room {
    fn new() -> Self {
        Self(kit_test::Room::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn try_sh(&self, script: &str) -> Output {
        self.0.sh(script)
    }

    fn sh(&self, script: &str) -> String {
        self.0.ok(script)
    }

    /// The exit code and standard error of a script that must fail.
    fn fails(&self, script: &str) -> (i32, String) {
        let out = self.try_sh(script);
        assert!(!out.status.success(), "{script} succeeded");
        (out.status.code().unwrap(), text(&out.stderr))
    }

    fn json(&self, script: &str) -> Value {
        serde_json::from_str(&self.sh(script)).unwrap()
    }

    /// A tree with one of everything, in `tree`.
    fn odd_tree(&self) {
        self.sh("mkdir -p tree/bin tree/etc tree/usr/lib tree/dev tree/var
            echo hi > tree/bin/hello; ln tree/bin/hello tree/bin/hard
            ln -s ../bin/hello tree/etc/link; ln -s usr/lib tree/lib; ln -s /nowhere tree/dangling
            mknod tree/dev/null c 1 3; mknod tree/dev/blk b 7 1; mkfifo tree/dev/fifo
            truncate -s 1M tree/sparse; printf data | dd of=tree/sparse bs=1 seek=500000 conv=notrunc status=none
            printf suid > tree/bin/suid; chown 12:34 tree/bin/suid; chmod 4755 tree/bin/suid
            chown 1000:70000 tree/etc; chmod 2750 tree/etc; chmod 1777 tree/var
            long=$(printf 'long%.0s' $(seq 50)); mkdir tree/$long; echo x > tree/$long/$(printf 'n%.0s' $(seq 120))
            printf 'a\\nb' > \"tree/new
line\"; chmod 000 tree/bin/hard
            touch -d '2001-02-03 04:05:06.789' tree/bin/suid; touch -h -d '1999-01-01' tree/dangling
            touch -d '2002-02-02 02:02:02.5' tree/usr");
        let file = fs::File::open(self.path("tree/bin/suid")).unwrap();
        // cap_net_raw=ep with a newline in its mask, as tar(1) reads and writes it.
        let mut capability = [0_u8; 20];
        capability[..5].copy_from_slice(&[1, 0, 0, 2, 0x0a]);
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::fsetxattr(&file, "security.capability", &capability, none).unwrap();
        rustix::fs::fsetxattr(&file, "user.note", b"two\nlines", none).unwrap();
    }
}

/// What a tree is, name by name: type, mode, owner, links, size, time, target, device, content, attributes.
fn tree(root: &Path, with_times: bool) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    let mut first_names = BTreeMap::new();
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_owned();
        let mut facts = format!(
            "{:o} {}:{} rdev {}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.rdev()
        );
        if with_times {
            write!(facts, " {}.{:09}", meta.mtime(), meta.mtime_nsec()).unwrap();
        }
        if meta.is_symlink() {
            write!(facts, " -> {:?}", fs::read_link(&path).unwrap()).unwrap();
        } else {
            facts += &attributes(&path);
        }
        if meta.is_file() {
            let first = first_names.entry(meta.ino()).or_insert(name.clone());
            let linked = (meta.nlink() > 1).then_some(first);
            let content = hash(&fs::read(&path).unwrap());
            let (size, links) = (meta.len(), meta.nlink());
            write!(facts, " {size} {links} {content} {linked:?}").unwrap();
        }
        if meta.is_dir() {
            let mut names: Vec<_> = fs::read_dir(&path)
                .unwrap()
                .map(|e| e.unwrap().path())
                .collect();
            names.sort();
            names.reverse();
            todo.extend(names);
        }
        all.insert(name, facts);
    }
    all
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap_or(0);
    let mut all = Vec::new();
    for name in names[..length]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
        all.push(format!(
            " {}={:?}",
            String::from_utf8_lossy(name),
            &value[..length]
        ));
    }
    all.sort();
    all.concat()
}

fn assert_same(one: &Path, other: &Path, with_times: bool) {
    let (mut one, mut other) = (tree(one, with_times), tree(other, with_times));
    // The root directory itself is the target's.
    one.remove(Path::new(""));
    other.remove(Path::new(""));
    assert!(!one.is_empty());
    for (name, facts) in &one {
        assert_eq!(Some(facts), other.get(name), "{}", name.display());
    }
    assert_eq!(one.len(), other.len(), "{:?}", other.keys());
}

/// `theirs:new`: three layers by umoci, with a file changed, one deleted, a directory deleted and made again.
fn layered(room: &Room) {
    room.odd_tree();
    room.sh("umoci init --layout lay && umoci new --image lay:base
        umoci unpack --image lay:base b1 && cp -a tree/. b1/rootfs/ && umoci repack --image lay:base b1
        umoci unpack --image lay:base b2 && rm b2/rootfs/bin/suid && rm -r b2/rootfs/usr && mkdir b2/rootfs/usr
        echo new > b2/rootfs/usr/file && umoci repack --image lay:two b2
        umoci unpack --image lay:two b3 && echo three > b3/rootfs/etc/three && rm b3/rootfs/etc/link
        umoci repack --image lay:three b3");
}
