//! runpack against images of skopeo, umoci and tar, and against archives that mean harm. What it stored is read by skopeo and umoci in
//! place; trees are compared name by name with what tar(1) and umoci make of the same layers.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tar::{Builder, EntryType, Header};

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A script of sh in the room, with runpack in PATH.
    fn try_sh(&self, script: &str) -> Output {
        let bin = Path::new(env!("CARGO_BIN_EXE_runpack")).parent().unwrap();
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("BOXKIT_ROOT", self.path("root"))
            .env("BOXKIT_RUN", self.path("run"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn sh(&self, script: &str) -> String {
        let out = self.try_sh(script);
        let error = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{script}\n{error}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// The exit code and standard error of a script that must fail.
    fn fails(&self, script: &str) -> (i32, String) {
        let out = self.try_sh(script);
        assert!(!out.status.success(), "{script} succeeded");
        let error = String::from_utf8(out.stderr).unwrap();
        (out.status.code().unwrap(), error)
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

#[test]
fn an_odd_tree_comes_back_as_it_was_from_each_kind_of_tar() {
    let room = Room::new();
    room.odd_tree();
    let all = "--xattrs --xattrs-include='*'";
    for (name, flags) in [
        (
            "pax10",
            format!("{all} --format=pax -S --sparse-version=1.0 -c"),
        ),
        (
            "pax01",
            format!("{all} --format=pax -S --sparse-version=0.1 -c"),
        ),
        (
            "pax00",
            format!("{all} --format=pax -S --sparse-version=0.0 -c"),
        ),
        ("gzip", format!("{all} --format=pax -cz")),
        ("zstd", format!("{all} --format=pax -S --zstd -c")),
    ] {
        room.sh(&format!(
            "tar -C tree {flags} . > {name}.tar && runpack import {name}.tar odd:{name} && runpack unpack odd:{name} {name}"
        ));
        assert_same(&room.path("tree"), &room.path(name), true);
        assert_same(&room.path(name), &room.path("tree"), true);
    }
    // Old GNU archives have whole seconds and no attributes: tar(1) itself says what is right.
    room.sh(
        "tar -C tree --format=gnu -S -cf gnu.tar . && mkdir theirs && tar -C theirs -xpf gnu.tar
        runpack import gnu.tar odd:gnu && runpack unpack odd:gnu gnu",
    );
    assert_same(&room.path("theirs"), &room.path("gnu"), true);
    let blocks = fs::metadata(room.path("gnu/sparse")).unwrap().blocks();
    assert!(blocks < 64, "the hole was filled: {blocks} blocks");
}

#[test]
fn other_tools_read_the_store_in_place() {
    let room = Room::new();
    room.odd_tree();
    room.sh("tar -C tree -c . | runpack import -c 'CMD [\"hello\"]' -c 'ENV A=b c' -c 'EXPOSE 80' - web:1 && runpack tag web:1 localhost:5000/web");
    let config = room.json("skopeo inspect --config oci:root/images:web:1");
    assert_eq!(config["config"]["Cmd"], serde_json::json!(["hello"]));
    assert_eq!(config["config"]["Env"], serde_json::json!(["A=b c"]));
    assert!(config["config"]["ExposedPorts"]["80/tcp"].is_object());
    assert_eq!(config["os"], "linux");
    let names = room.sh("umoci ls --layout root/images | sort");
    assert_eq!(names, "localhost:5000/web:latest\nweb:1\n");
    room.sh("umoci unpack --image root/images:web:1 theirs && runpack unpack web:1 ours");
    assert_same(&room.path("theirs/rootfs"), &room.path("ours"), true);
    let ours = room.json("runpack inspect web:1");
    let manifest = room.json("skopeo inspect --raw oci:root/images:web:1");
    assert_eq!(ours[0]["Id"], manifest["config"]["digest"]);
    assert_eq!(ours[0]["Config"]["Cmd"], config["config"]["Cmd"]);
    assert_eq!(
        ours[0]["RepoTags"],
        serde_json::json!(["web:1", "localhost:5000/web:latest"])
    );
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

#[test]
fn whiteouts_are_carried_out_as_umoci_does() {
    let room = Room::new();
    layered(&room);
    room.sh("umoci unpack --image lay:three theirs
        runpack unpack oci:lay:three ours && runpack load oci:lay:three -t x && runpack unpack x again");
    assert!(room.path("ours/usr/file").exists() && !room.path("ours/bin/suid").exists());
    assert_same(&room.path("theirs/rootfs"), &room.path("ours"), false);
    assert_same(&room.path("ours"), &room.path("again"), true);
    assert!(
        !fs::read_dir(room.dir.path()).unwrap().any(|e| e
            .unwrap()
            .file_name()
            .as_bytes()
            .starts_with(b".ours"))
    );
}

#[test]
fn layers_stack_in_an_overlay_to_the_same_tree() {
    let room = Room::new();
    layered(&room);
    let lowers = room.sh("runpack unpack oci:lay:three --layout=overlay ov");
    assert_eq!(lowers.trim().split(':').count(), 3);
    room.sh(
        "runpack load oci:lay:three -t x && umoci unpack --image lay:three theirs && mkdir m1 m2",
    );
    let stored = room.json("runpack inspect x");
    let stored = stored[0]["GraphDriver"]["Data"]["LowerDir"]
        .as_str()
        .unwrap()
        .to_owned();
    for lowers in [lowers.trim(), &stored] {
        // In a mount namespace of its own, which takes the mount along.
        room.sh(&format!(
            "unshare --mount --propagation private sh -euc 'mount -t overlay -o ro,lowerdir={lowers} o m1 && rm -rf copy && cp -a m1 copy'"
        ));
        assert_same(&room.path("theirs/rootfs"), &room.path("copy"), false);
    }
}

#[test]
fn each_kind_of_archive_loads_under_its_own_name() {
    let room = Room::new();
    layered(&room);
    room.sh("skopeo copy -q oci:lay:two docker-archive:d.tar:team/web:7
        skopeo copy -q oci:lay:two oci-archive:o.tar:quay.io/a/b:c
        skopeo copy -q --dest-compress-format zstd --dest-compress oci:lay:two dir:unused; gzip -k d.tar");
    let load = |source: &str| room.sh(&format!("runpack load {source}"));
    assert_eq!(load("d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("docker-archive:d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("d.tar.gz"), "Loaded image: team/web:7\n");
    assert_eq!(load("- < d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("o.tar"), "Loaded image: quay.io/a/b:c\n");
    assert_eq!(
        load("oci-archive:o.tar -t mine"),
        "Loaded image: mine:latest\n"
    );
    assert_eq!(load("oci:lay:two"), "Loaded image: lay:two\n");
    // The same image under four names has one ID.
    let ids = room.sh("runpack images -q | sort -u | wc -l");
    assert_eq!(ids.trim(), "1");
    assert_eq!(room.sh("find root/images/tmp -mindepth 1"), "");
    room.sh("runpack save -o s.tar mine team/web:7");
    room.sh("skopeo inspect docker-archive:s.tar:mine:latest && skopeo inspect oci-archive:s.tar:team/web:7");
    let again = room.sh("BOXKIT_ROOT=$PWD/other runpack load s.tar");
    assert_eq!(
        again,
        "Loaded image: mine:latest\nLoaded image: team/web:7\n"
    );
}

#[test]
fn images_are_listed_and_removed_by_dockers_rules() {
    let room = Room::new();
    let import = |name: &str| {
        let line =
            format!("mkdir -p d && echo {name} > d/f && tar -C d -c . | runpack import - {name}");
        room.sh(&line).trim().to_owned()
    };
    let one = import("one:1");
    room.sh("runpack tag one:1 alias");
    let table = room.sh("runpack images");
    let head: Vec<_> = table
        .lines()
        .next()
        .unwrap()
        .split("  ")
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .collect();
    assert_eq!(head, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    assert_eq!(table.lines().count(), 3);
    let (code, said) = room.fails(&format!("runpack rmi {}", &one[7..15]));
    assert_eq!(code, 1);
    assert!(said.contains("it has 2 names"), "{said}");
    assert_eq!(room.sh("runpack rmi alias"), "Untagged: alias:latest\n");
    // Pinned by somebody: the owner is named, the image stays.
    fs::write(room.path("root/images/pins/box7"), format!("{one}\n")).unwrap();
    let (_, said) = room.fails("runpack rmi one:1");
    assert!(
        said.starts_with("runpack: removing image \"one:1\": it is used by \"box7\"\nhint: "),
        "{said}"
    );
    assert_eq!(room.sh("runpack rmi -f one:1"), "Untagged: one:1\n");
    assert!(room.sh("runpack images").contains("<none>"));
    let (_, said) = room.fails(&format!("runpack rmi -f {one}"));
    assert!(said.contains("it is used by \"box7\""), "{said}");
    fs::remove_file(room.path("root/images/pins/box7")).unwrap();
    assert_eq!(
        room.sh(&format!("runpack rmi {one}")),
        format!("Deleted: {one}\n")
    );
    assert_eq!(
        room.sh("find root/images/blobs root/images/unpacked -mindepth 2"),
        ""
    );
    // A name that moves leaves its image without one.
    import("two");
    fs::write(room.path("d/f"), "other").unwrap();
    room.sh("tar -C d -c . | runpack import - two");
    assert_eq!(room.sh("runpack images | grep -c '<none>'").trim(), "1");
    room.sh("runpack images -q | runpack rmi -");
    assert_eq!(room.sh("runpack images -q"), "");
}

#[test]
fn a_bundle_runs() {
    let room = Room::new();
    room.sh("mkdir -p d/bin && cp /bin/busybox d/bin/busybox && tar -C d -c . | runpack import -c 'CMD [\"/bin/busybox\",\"echo\",\"it runs\"]' - b
        runpack unpack --layout=bundle b bundle");
    let config: Value =
        serde_json::from_slice(&fs::read(room.path("bundle/config.json")).unwrap()).unwrap();
    assert_eq!(
        config["process"]["args"],
        serde_json::json!(["/bin/busybox", "echo", "it runs"])
    );
    assert_eq!(config["root"]["path"], "rootfs");
    // On a hybrid host crun wants the v2 hierarchy out of sight.
    let said = room.sh(
        "cd bundle && unshare --mount --propagation private sh -euc '
        umount /sys/fs/cgroup/unified 2> /dev/null || true; exec crun run runpack-test-'$$",
    );
    assert_eq!(said, "it runs\n");
}

/// One member of an archive that no tar(1) would make.
struct Evil {
    kind: EntryType,
    path: &'static str,
    link: &'static str,
    data: &'static str,
}

fn evil(kind: EntryType, path: &'static str, link: &'static str) -> Evil {
    let data = if kind.is_file() { "evil" } else { "" };
    Evil {
        kind,
        path,
        link,
        data,
    }
}

fn archive(members: &[Evil]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for member in members {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..member.path.len()].copy_from_slice(member.path.as_bytes());
        header.as_mut_bytes()[157..157 + member.link.len()].copy_from_slice(member.link.as_bytes());
        header.set_entry_type(member.kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(member.data.len() as u64);
        header.set_cksum();
        tar.append(&header, member.data.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn no_archive_writes_outside() {
    use EntryType::{Directory, Link, Regular, Symlink};
    // `outside` stands for the host's files: beside the target, and by an absolute path.
    let hostile: Vec<(&str, Vec<Evil>, Option<&str>)> = vec![
        (
            "climbs",
            vec![evil(Regular, "../outside/f", "")],
            Some("climbs out"),
        ),
        (
            "climbs later",
            vec![evil(Regular, "a/../../outside/f", "")],
            Some("climbs out"),
        ),
        ("absolute", vec![evil(Regular, "/outside/f", "")], None),
        (
            "by a link",
            vec![evil(Symlink, "l", "../outside"), evil(Regular, "l/f", "")],
            Some("leads nowhere"),
        ),
        (
            "by an absolute link",
            vec![evil(Symlink, "l", "/outside"), evil(Regular, "l/f", "")],
            Some("leads nowhere"),
        ),
        (
            "over a link",
            vec![
                evil(Symlink, "l", "../outside/kept"),
                evil(Regular, "l", ""),
            ],
            None,
        ),
        (
            "a directory over a link",
            vec![
                evil(Symlink, "l", "../outside"),
                evil(Directory, "l", ""),
                evil(Regular, "l/f", ""),
            ],
            None,
        ),
        (
            "hard link up",
            vec![evil(Link, "h", "../outside/kept"), evil(Regular, "h", "")],
            Some("climbs out"),
        ),
        (
            "hard link by a link",
            vec![evil(Symlink, "l", "../outside"), evil(Link, "h", "l/kept")],
            Some("is not in the layer"),
        ),
        (
            "white out up",
            vec![evil(Regular, ".wh...", "")],
            Some("white out a directory from within"),
        ),
        (
            "white out by a link",
            vec![
                evil(Symlink, "l", "../outside"),
                evil(Regular, "l/.wh.kept", ""),
            ],
            Some("leads nowhere"),
        ),
        (
            "the root itself",
            vec![evil(Symlink, ".", "/outside")],
            Some("replace the root"),
        ),
        (
            "missing link",
            vec![evil(Link, "h", "nothing")],
            Some("is not in the layer"),
        ),
    ];
    for (what, members, refusal) in hostile {
        let room = Room::new();
        fs::create_dir(room.path("outside")).unwrap();
        fs::write(room.path("outside/kept"), "kept").unwrap();
        let before = tree(&room.path("outside"), true);
        fs::write(room.path("evil.tar"), archive(&members)).unwrap();
        let out = room.try_sh("runpack import evil.tar evil && runpack unpack evil flat");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(tree(&room.path("outside"), true), before, "{what}: {said}");
        assert_eq!(out.status.success(), refusal.is_none(), "{what}: {said}");
        assert!(said.contains(refusal.unwrap_or("")), "{what}: {said}");
        assert!(!Path::new("/outside").exists(), "{what}");
        if refusal.is_some() {
            assert_eq!(
                said.lines()
                    .filter(|line| line.starts_with("runpack: "))
                    .count(),
                1,
                "{said}"
            );
            assert_eq!(room.sh("runpack images -q; runpack gc > gc; ls root/images/unpacked root/images/tmp | grep -v : || true").trim(), "");
        }
    }
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let room = Room::new();
    layered(&room);
    room.sh("skopeo copy -q oci:lay:two docker-archive:d.tar:web:1; gzip -k d.tar; tar -C tree -czf t.tgz .
        head -c 20000 d.tar > cut.tar; head -c 2000 d.tar.gz > cut.tgz; echo '<!DOCTYPE html>' > page; : > empty; head -c 1500 t.tgz > cutroot.tgz
        cp -r lay bad; runpack load d.tar
        cp -r lay arm; umoci config --image arm:two --architecture arm64");
    let blob = room.sh("ls -S bad/blobs/sha256/* | head -n 1");
    room.sh(&format!(
        "printf XXXX | dd of={} bs=1 seek=40 conv=notrunc status=none",
        blob.trim()
    ));
    let digest = format!("sha256:{}", blob.trim().rsplit('/').next().unwrap());
    for (command, code, says, hints) in [
        (
            "load page",
            1,
            "loading \"page\": it is an HTML page, not an archive",
            "an image is an archive",
        ),
        ("load empty", 1, "loading \"empty\": it is empty", ""),
        (
            "load cut.tar",
            1,
            "read \"cut.tar\": unexpected end of file",
            "cut off",
        ),
        ("load cut.tgz", 1, "read \"cut.tgz\": ", "cut off"),
        (
            "load none.tar",
            1,
            "open \"none.tar\": No such file or directory",
            "",
        ),
        (
            "load t.tgz",
            1,
            "loading \"t.tgz\": it is a root file system, not an image",
            "runpack import t.tgz NAME",
        ),
        (
            "load tree",
            1,
            "loading \"tree\": the directory is no OCI image layout",
            "tar -C tree -c .",
        ),
        (
            "load docker://alpine",
            2,
            "nothing is pulled from a registry yet",
            "skopeo copy docker://alpine",
        ),
        (
            "load oci:lay:none",
            1,
            "loading \"lay\": it has no image \"none\"",
            "it has: base",
        ),
        (
            "load oci:arm:two",
            1,
            "loading \"arm\": it is for linux/arm64, and this machine is linux/amd64",
            "--platform linux/arm64",
        ),
        (
            "load oci:bad:base",
            1,
            &format!("layer 1 of 1: checking blob: expected {digest}, got sha256:"),
            "fetch the image again",
        ),
        (
            "unpack oci:bad:base x",
            1,
            &format!("unpacking layer 1 of 1 ({digest}): the blob's digest is sha256:"),
            "fetch the image again",
        ),
        (
            "import cutroot.tgz x",
            1,
            "read \"cutroot.tgz\": ",
            "cut off",
        ),
        (
            "import page x",
            1,
            "it is a web page, not an archive",
            "tar of a root file system",
        ),
        ("import /bin/ls x", 1, "it is not a tar archive", ""),
        (
            "unpack wab:1 x",
            1,
            "finding image \"wab:1\": not in the store",
            "did you mean \"web:1\"?",
        ),
        (
            "unpack web:1 tree",
            1,
            "unpacking into \"tree\": it is not empty",
            "name a new directory",
        ),
        (
            "tag web:1 Web",
            2,
            "reading image name \"Web\": the repository must be lower case",
            "",
        ),
        (
            "tag nothing x",
            1,
            "finding image \"nothing\": not in the store",
            "",
        ),
        (
            "import -c 'RUN x' t.tgz x",
            2,
            "it is not an instruction that sets something",
            "one of CMD",
        ),
    ] {
        let (exit, said) = room.fails(&format!("runpack {command}"));
        let line = said.lines().next().unwrap();
        assert!(
            line.starts_with("runpack: ") && line.contains(says),
            "{command}: {said}"
        );
        assert_eq!(exit, code, "{command}: {said}");
        assert!(
            said.lines().count() <= 2 && said.contains(hints),
            "{command}: {said}"
        );
    }
    assert_eq!(room.sh("runpack images -q | wc -l").trim(), "1");
    assert!(!room.path("x").exists());
    assert_eq!(room.sh("ls -A | grep '^\\.' || true"), "");
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let room = Room::new();
    room.sh("mkdir d && head -c 3000000 /dev/urandom > d/f && tar -C d -cf d.tar . && mkdir small");
    let script = "mount -t tmpfs -o size=2m full small; export BOXKIT_ROOT=$PWD/small/root
        runpack import d.tar x 2> said && exit 9; cat said; find small/root/images/tmp small/root/images/blobs -type f";
    let said = room.sh(&format!(
        "unshare --mount --propagation private sh -uc '{script}'"
    ));
    assert!(
        said.contains("No space left on device\nhint: free some space"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn many_at_once_lose_nothing() {
    let room = Room::new();
    layered(&room);
    room.sh("for i in 1 2 3 4 5 6; do runpack load oci:lay:three -t at:$i > /dev/null & pids=\"${pids-} $!\"; done
        runpack gc > /dev/null; for p in $pids; do wait $p; done");
    assert_eq!(room.sh("runpack images -q at | wc -l").trim(), "6");
    room.sh("umoci unpack --image lay:three theirs && runpack unpack at:6 ours");
    assert_same(&room.path("theirs/rootfs"), &room.path("ours"), false);
}

#[test]
fn a_killed_load_leaves_only_what_gc_sweeps() {
    let room = Room::new();
    room.sh("mkdir d && head -c 60000000 /dev/urandom > d/f && tar -C d -cf d.tar .");
    room.sh("runpack import d.tar x & p=$!; sleep 0.15; kill -9 $p; wait $p || true");
    assert_eq!(room.sh("runpack images -q"), "");
    room.sh("runpack gc");
    let left =
        room.sh("find root/images/tmp root/images/blobs/sha256 root/images/unpacked -mindepth 1");
    assert_eq!(left, "");
}

#[test]
fn an_interrupted_import_says_so_and_leaves_nothing() {
    let room = Room::new();
    // A stream that never ends: the signal always finds it under way.
    let script = "mkfifo pipe; runpack import pipe x 2> said & p=$!
        { head -c 1536 /dev/urandom > f; tar -c f; exec cat /dev/zero; } > pipe 2> /dev/null &
        for i in $(seq 200); do sleep 0.02; [ -z \"$(ls root/images/tmp 2> /dev/null)\" ] || break; done
        kill -TERM $p; wait $p && exit 9; echo $?; cat said; find root/images/tmp root/images/blobs -type f; wait";
    // sh ignores SIGINT in what it starts in the background, so it is SIGTERM here.
    let said = room.sh(&format!("set +e\n{script}\ntrue"));
    assert_eq!(said, "143\nrunpack: interrupted, and nothing was kept\n");
}

#[test]
fn what_another_tool_puts_into_the_store_is_an_image_too() {
    let room = Room::new();
    layered(&room);
    // An index of one platform beside it, which we leave alone.
    room.sh("runpack load oci:lay:base -t ours && skopeo copy -q oci:lay:three oci:root/images:theirs:1
        cd root/images && manifest=$(jq -c '.manifests[0]' index.json)
        printf '{\"schemaVersion\":2,\"manifests\":[%s]}' \"$manifest\" > list
        hash=$(sha256sum list | cut -d' ' -f1) && size=$(stat -c %s list) && mv list blobs/sha256/$hash
        jq -c \".manifests += [{mediaType: \\\"application/vnd.oci.image.index.v1+json\\\", digest: \\\"sha256:$hash\\\", size: $size}]\" index.json > new
        mv new index.json");
    assert_eq!(room.sh("runpack images -q | wc -l").trim(), "2");
    room.sh("runpack gc && runpack unpack theirs:1 a && umoci unpack --image lay:three b");
    assert_same(&room.path("b/rootfs"), &room.path("a"), false);
    room.sh(
        "runpack rmi theirs:1 ours && [ $(jq '.manifests | length' root/images/index.json) = 1 ]",
    );
    // What the index leads to is still there.
    assert_eq!(room.sh("ls root/images/blobs/sha256 | wc -l").trim(), "4");
}

#[test]
fn a_dry_run_changes_nothing_and_its_script_does_the_same() {
    let room = Room::new();
    layered(&room);
    let script = room.sh("runpack load --dry-run oci:lay:two -t a:1");
    assert!(!room.path("root").exists());
    fs::write(room.path("script"), script).unwrap();
    room.sh("sh script && runpack tag --dry-run a:1 b > script2 && runpack images -q b > none && sh script2");
    assert_eq!(fs::read_to_string(room.path("none")).unwrap(), "");
    assert_eq!(room.sh("runpack images -q | wc -l").trim(), "2");
    room.sh("runpack rmi --dry-run a:1 > script3; runpack inspect a:1; sh script3");
    assert_eq!(room.fails("runpack inspect a:1").0, 1);
}
