//! Archives of random members: whatever they are, nothing outside the directory changes, and what is legal becomes the tree that tar(1)
//! makes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;
use runpack::layer::{Form, unpack_stream};
use tar::{Builder, EntryType, Header};

/// Names and links are taken as they are, `..` and all, which `Builder::append_data` would not.
fn put(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &[u8], link: &[u8], data: &[u8]) {
    for (long, text) in [(b'L', name), (b'K', link)] {
        if text.len() > 100 {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..13].copy_from_slice(b"././@LongLink");
            header.set_entry_type(EntryType::new(long));
            header.set_size(text.len() as u64 + 1);
            header.set_cksum();
            let mut text = text.to_vec();
            text.push(0);
            tar.append(&header, &text[..]).unwrap();
        }
    }
    let mut header = Header::new_gnu();
    let (name, link) = (&name[..name.len().min(100)], &link[..link.len().min(100)]);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o750 } else { 0o640 });
    header.set_uid(12);
    header.set_gid(34);
    header.set_mtime(1_000_000_000);
    header.set_size(data.len() as u64);
    header.set_cksum();
    tar.append(&header, data).unwrap();
}

/// Type, mode, owner, size and content, link; for names of one file, the first of them. Not the times of directories.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    let mut inodes: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_owned();
        let owner = (meta.uid(), meta.gid());
        let mut facts = format!("{:o} {owner:?} {}", meta.mode(), meta.rdev());
        if meta.is_symlink() {
            write!(facts, " {:?}", fs::read_link(&path).unwrap()).unwrap();
        } else if meta.is_file() {
            write!(facts, " {} {:?}", meta.mtime(), fs::read(&path).unwrap()).unwrap();
        } else if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
        if !meta.is_dir() {
            inodes.entry(meta.ino()).or_default().push(name.clone());
        }
        all.insert(name, facts);
    }
    for mut names in inodes.into_values().filter(|names| names.len() > 1) {
        names.sort();
        for name in &names {
            write!(all.get_mut(name).unwrap(), " one with {:?}", names[0]).unwrap();
        }
    }
    all
}

#[derive(Debug, Clone)]
struct Member {
    kind: u8,
    name: String,
    link: String,
}

/// Paths of few names, so that members meet; `@` stands for the absolute path of what must not change.
fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "..",
        ".",
        "",
        "outside",
        "kept",
        ".wh.a",
        ".wh.kept",
        ".wh..wh..opq",
        ".wh..wh..plnk",
        ".wh...",
        ".wh.",
    ]);
    let start = prop::sample::select(vec!["", "", "", "/", "./", "../", "../outside/", "@/"]);
    (start, prop::collection::vec(part, 1..4))
        .prop_map(|(start, parts)| format!("{start}{}", parts.join("/")))
}

/// A link out, and what goes through it.
fn through() -> impl Strategy<Value = Vec<Member>> {
    let out = prop::sample::select(vec![
        "../outside",
        "@",
        "../outside/a",
        "@/a",
        "../into/../outside",
        ".",
    ]);
    let victim = prop::sample::select(vec![
        (b'0', "a/kept"),
        (b'0', "a/new"),
        (b'0', "a/.wh.kept"),
        (b'0', "a/.wh..wh..opq"),
        (b'5', "a/a"),
        (b'5', "a/new"),
        (b'2', "a/kept"),
        (b'1', "a/new"),
        (b'6', "a/pipe"),
        (b'0', "a/a/kept"),
        (b'5', "a"),
        (b'0', "a"),
        (b'1', "b"),
        (b'0', "b"),
        (b'3', "a/device"),
    ]);
    (out, prop::collection::vec(victim, 1..5)).prop_map(|(out, victims)| {
        let link = |kind, name: &str, link: &str| Member {
            kind,
            name: name.to_owned(),
            link: link.to_owned(),
        };
        let mut members = vec![link(b'2', "a", out)];
        members.extend(
            victims
                .iter()
                .map(|(kind, name)| link(*kind, name, "a/kept")),
        );
        members
    })
}

fn hostile() -> impl Strategy<Value = Vec<Member>> {
    let kind = prop::sample::select(b"00005511224467Sxg".to_vec());
    let member = (kind, path(), path()).prop_map(|(kind, name, link)| Member { kind, name, link });
    prop_oneof![prop::collection::vec(member, 1..9), through()]
}

/// In a thread whose root is the room: were the fence broken, the host would not be hurt.
fn unpack_jailed(room: &Path, tar: &[u8], form: Form) -> Result<(), String> {
    std::thread::scope(|scope| {
        let jailed = scope.spawn(|| {
            unshare(CloneFlags::CLONE_FS).unwrap();
            std::os::unix::fs::chroot(room).unwrap();
            unpack_stream(tar, Path::new("/into"), form)
        });
        let came_to = jailed.join().unwrap();
        came_to.map(drop).map_err(|error| error.to_string())
    })
}

/// A name says what it is, so that each order of them is legal; links are to files that are there by then.
fn legal() -> impl Strategy<Value = Vec<Member>> {
    let dir = prop::sample::select(vec!["", "d/", "d/e/", "long/"]);
    let member = (dir, 0..7_u8, 0..3_u8, 0..9_usize);
    prop::collection::vec(member, 1..25).prop_map(|picks| {
        let mut files: Vec<String> = Vec::new();
        let mut members = Vec::new();
        for (dir, kind, number, target) in picks {
            let dir = dir.replace("long", &"long".repeat(40));
            let (kind, letter) = match kind {
                0..=2 => (b'0', "f"),
                3 => (b'5', "d"),
                4 => (b'2', "s"),
                5 => (b'6', "p"),
                _ => (b'1', "h"),
            };
            let name = match kind {
                b'5' => format!("{dir}d"),
                _ => format!("{dir}{letter}{number}"),
            };
            let link = match kind {
                // GNU tar puts off one that climbs, and then takes the first of two, not the last.
                b'2' => format!("to/{}", "target/".repeat(target * 3)),
                b'1' if files.is_empty() => continue,
                b'1' => files[target % files.len()].clone(),
                _ => String::new(),
            };
            if kind == b'0' {
                files.push(name.clone());
            }
            members.push(Member { kind, name, link });
        }
        members
    })
}

fn archive(members: &[Member], outside: &Path) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (number, member) in members.iter().enumerate() {
        let real = |text: &str| text.replace('@', outside.to_str().unwrap()).into_bytes();
        let kind = EntryType::new(member.kind);
        let data = match member.kind {
            b'0' | b'S' | b'7' | b'x' | b'g' => format!("data {number}"),
            _ => String::new(),
        };
        put(
            &mut tar,
            kind,
            &real(&member.name),
            &real(&member.link),
            data.as_bytes(),
        );
    }
    tar.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_changes(members in hostile(), flat: bool) {
        let room = tempfile::tempdir().unwrap();
        let outside = room.path().join("outside");
        fs::create_dir_all(outside.join("a/b")).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        fs::write(outside.join("a/kept"), "kept").unwrap();
        let into = room.path().join("into");
        fs::create_dir(&into).unwrap();
        let before = tree(&outside);
        let tar = archive(&members, Path::new("/outside"));
        let form = if flat { Form::Flat } else { Form::Overlay };
        // Taken or refused: both are fine.
        let said = unpack_jailed(room.path(), &tar, form);
        prop_assert_eq!(tree(&outside), before, "{:?}", said);
        let mut names: Vec<_> = fs::read_dir(room.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        prop_assert_eq!(names, ["into", "outside"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_legal_is_what_tar_makes_of_it(members in legal()) {
        let room = tempfile::tempdir().unwrap();
        let tar = archive(&members, room.path());
        let file = room.path().join("tar");
        fs::write(&file, &tar).unwrap();
        for dir in ["ours", "theirs"] {
            fs::create_dir(room.path().join(dir)).unwrap();
        }
        unpack_stream(&tar[..], &room.path().join("ours"), Form::Flat).unwrap();
        let made = Command::new("sh")
            .args(["-euc", "umask 022; exec tar -xpf tar --numeric-owner -C theirs"])
            .current_dir(room.path())
            .output()
            .unwrap();
        prop_assert!(made.status.success(), "{:?}", made);
        prop_assert_eq!(tree(&room.path().join("ours")), tree(&room.path().join("theirs")));
    }
}
