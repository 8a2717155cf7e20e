//! Archives that mean harm.

use tar::{Builder, EntryType, Header};

use super::*;

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
            None,
        ),
        (
            "by an absolute link",
            vec![evil(Symlink, "l", "/outside"), evil(Regular, "l/f", "")],
            None,
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
            None,
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
fn directories_deeper_than_descriptors_go_are_loaded_and_removed() {
    let room = Room::new();
    // As tar(1) packs them, without an entry for any directory, and replaced by a file in the end.
    room.sh("mkdir t && cd t && p=$(printf 'a/%.0s' $(seq 1900)) && mkdir -p $p && echo deep > ${p}f && tar --no-recursion -cf ../deep.tar ${p}f
        cd .. && rm -r t && echo b > b && tar -cf above.tar b && tar -cf gone.tar --transform 's/b/.wh.a/' b
        umoci init --layout lay && umoci new --image lay:x && umoci raw add-layer --image lay:x deep.tar
        umoci raw add-layer --image lay:x above.tar");
    room.sh("ulimit -n 500; runpack load oci:lay:x -t deep && runpack unpack deep flat");
    assert_eq!(room.sh("find flat -type d | wc -l").trim(), "1901");
    room.sh("umoci raw add-layer --image lay:x gone.tar; ulimit -n 500; runpack load oci:lay:x -t gone && runpack unpack gone shallow");
    assert_eq!(room.sh("find shallow -type d | wc -l").trim(), "1");
    room.sh("ulimit -n 64; runpack rmi deep gone && runpack gc");
    assert_eq!(
        room.sh("ls root/images/unpacked root/images/tmp | grep -v : || true")
            .trim(),
        ""
    );
}

/// A link of a file to itself changes nothing; of no file, it is a link to none.
#[test]
fn a_hard_link_to_itself_is_one_to_a_file_or_to_none() {
    let room = Room::new();
    let link = || evil(EntryType::Link, "h", "h");
    let file = evil(EntryType::Regular, "h", "");
    fs::write(room.path("none.tar"), archive(&[link()])).unwrap();
    fs::write(room.path("file.tar"), archive(&[file, link()])).unwrap();
    let out = room.try_sh("runpack import none.tar none");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        !out.status.success() && said.contains("is not in the layer"),
        "{said}"
    );
    assert_eq!(
        room.sh("runpack import file.tar file >id && runpack unpack file flat && cat flat/h"),
        "evil"
    );
}
