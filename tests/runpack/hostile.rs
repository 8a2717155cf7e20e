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

/// What an archive does, its members, and the words that refuse it.
type Attempt = (&'static str, Vec<Evil>, Option<&'static str>);

/// `outside` stands for the host's files: beside the target, and by an absolute path.
fn attempts() -> Vec<Attempt> {
    use EntryType::{Directory, Link, Regular, Symlink};
    vec![
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
        (
            "up and down",
            vec![evil(Regular, "q/../outside/f", "")],
            None,
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
    ]
}

#[test]
fn no_archive_writes_outside() {
    for (what, members, refusal) in attempts() {
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

fn header(kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

fn file(tar: &mut Builder<Vec<u8>>, path: &str) {
    let mut header = header(EntryType::Regular);
    tar.append_data(&mut header, path, &b""[..]).unwrap();
}

fn link(tar: &mut Builder<Vec<u8>>, path: &str, target: &str) {
    let mut header = header(EntryType::Symlink);
    if target.is_empty() {
        header.set_path(path).unwrap();
        header.set_cksum();
        return tar.append(&header, &b""[..]).unwrap();
    }
    tar.append_link(&mut header, path, target).unwrap();
}

type Fill = Box<dyn Fn(&mut Builder<Vec<u8>>)>;

/// An archive's member that no file can be: which, and why, in no system call's words.
#[test]
fn what_no_file_can_be_is_said_by_its_path() {
    let attribute = |name: &str, value: &'static [u8]| -> Fill {
        let key = format!("SCHILY.xattr.{name}");
        Box::new(move |tar| {
            tar.append_pax_extensions([(key.as_str(), value)]).unwrap();
            file(tar, "f");
        })
    };
    let (long, deep) = ("n".repeat(256), "d/".repeat(2500));
    let beginning = "d/".repeat(50);
    let long_attribute = format!("user.{long}");
    let rows: Vec<(Fill, String)> = vec![
        (
            Box::new(|tar| link(tar, "l", "")),
            "loading \"evil.tar\": entry \"l\": it is a symbolic link to nothing".to_owned(),
        ),
        (
            Box::new(|tar| link(tar, "l", &"x".repeat(4096))),
            "loading \"evil.tar\": entry \"l\": its target is longer than 4095 bytes".to_owned(),
        ),
        (
            Box::new(move |tar| file(tar, &format!("{deep}f"))),
            format!(
                "loading \"evil.tar\": entry {beginning:?}: its path, of which this is the beginning, is longer than 4095 bytes"
            ),
        ),
        (
            Box::new(|tar| {
                file(tar, "f");
                file(tar, "f/g");
            }),
            "open directory \"f\": Not a directory".to_owned(),
        ),
        (
            Box::new(|tar| {
                link(tar, "l", "l");
                file(tar, "l/f");
            }),
            "open directory \"l\": Too many levels of symbolic links".to_owned(),
        ),
        (
            {
                let long = long.clone();
                Box::new(move |tar| file(tar, &long))
            },
            format!("make file \"{long}\": File name too long"),
        ),
        (
            attribute("user.x", &[b'x'; 65537]),
            "set attribute \"user.x\" of \"f\": its value is longer than 65536 bytes".to_owned(),
        ),
        (
            attribute(&long_attribute, b"x"),
            format!(
                "set attribute \"{long_attribute}\" of \"f\": its name is not of 1 to 255 bytes"
            ),
        ),
        (
            attribute("security.capability", b"x"),
            "set attribute \"security.capability\" of \"f\": its value is no set of capabilities"
                .to_owned(),
        ),
    ];
    let room = Room::new();
    for (fill, wanted) in rows {
        let mut tar = Builder::new(Vec::new());
        fill(&mut tar);
        fs::write(room.path("evil.tar"), tar.into_inner().unwrap()).unwrap();
        let (code, said) = room.fails("runpack import evil.tar evil");
        let first = said.lines().next().unwrap_or_default();
        let first = first.split(" (os error").next().unwrap_or_default();
        assert_eq!((code, first), (1, format!("runpack: {wanted}").as_str()));
        assert_eq!(room.sh("runpack images -q"), "");
    }
}
