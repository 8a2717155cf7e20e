//! Layers that say something of those below: whiteouts, hard links, directories behind links. Of each the tree is umoci's, unpacked flat and
//! as an overlay; what umoci refuses is refused.

use tar::{Builder, EntryType, Header};

use super::*;

/// `KIND PATH [MORE]`: a directory with its mode and owner, a file, a symbolic link or a hard link with its target.
fn archive(members: &[&str]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for member in members {
        let words: Vec<&str> = member.split(' ').collect();
        let (kind, path, more) = (words[0], words[1], words.get(2).copied().unwrap_or(""));
        let mut header = Header::new_gnu();
        let (entry, data) = match kind {
            "d" => (EntryType::Directory, ""),
            "f" => (EntryType::Regular, path),
            "l" => (EntryType::Symlink, ""),
            "h" => (EntryType::Link, ""),
            _ => panic!("{member}"),
        };
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if kind != "d" {
            header.as_mut_bytes()[157..157 + more.len()].copy_from_slice(more.as_bytes());
        }
        let mode = if kind == "d" && !more.is_empty() {
            more
        } else {
            "755"
        };
        header.set_mode(u32::from_str_radix(mode, 8).unwrap());
        header.set_entry_type(entry);
        header.set_uid(words.get(3).map_or(0, |uid| uid.parse().unwrap()));
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

const BELOW: &[&str] = &["d p 711 7", "d p/q", "f p/q/old", "f top", "l lnk p/q"];

/// An image `lay:x` of these layers, and `theirs`, if umoci unpacks it.
fn made(layers: &[&[&str]]) -> (Room, bool) {
    let room = Room::new();
    room.sh("umoci init --layout lay && umoci new --image lay:x");
    for (at, members) in layers.iter().enumerate() {
        fs::write(room.path(&format!("{at}.tar")), archive(members)).unwrap();
        room.sh(&format!("umoci raw add-layer --image lay:x {at}.tar"));
    }
    let takes = room
        .try_sh("umask 022; umoci raw unpack --image lay:x theirs")
        .status
        .success();
    (room, takes)
}

fn same_as_umoci(what: &str, layers: &[&[&str]]) -> Room {
    eprintln!("{what}");
    let (room, takes) = made(layers);
    assert!(takes, "umoci refuses it");
    room.sh("umask 022; runpack load oci:lay:x -t x && runpack unpack oci:lay:x flat && runpack gc > gc");
    assert_same(&room.path("theirs"), &room.path("flat"), false);
    let lowers = room.sh("runpack inspect x | jq -r '.[0].GraphDriver.Data.LowerDir'");
    let lowers = lowers.trim();
    room.sh(&format!(
        "mkdir m empty && unshare --mount --propagation private sh -euc \\
            'mount -t overlay -o ro,lowerdir={lowers}:empty o m && find m > names && ls -lR m > ls && cp -a m copy && stat -c \"%a %u %Y\" m > root-of-m'"
    ));
    assert_same(&room.path("theirs"), &room.path("copy"), false);
    room
}

/// In a directory that is new, or opaque, overlayfs lists a whiteout that stat(2) cannot find.
#[test]
fn a_whiteout_of_nothing_is_not_listed() {
    same_as_umoci(
        "a new directory",
        &[BELOW, &["d n", "d n/m", "f n/m/.wh.x", "f n/m/y"]],
    );
    same_as_umoci(
        "an opaque one",
        &[BELOW, &["d p", "f p/.wh..wh..opq", "f p/.wh.q", "f p/y"]],
    );
    same_as_umoci("directories that only it has", &[BELOW, &["f n/m/.wh.x"]]);
    same_as_umoci("the lowest layer", &[&["d n", "f n/.wh.x", "f n/y"]]);
    same_as_umoci("a file below", &[BELOW, &["f top/.wh..wh..opq"]]);
    same_as_umoci(
        "one that hides something",
        &[BELOW, &["f p/q/.wh.old", "f p/q/.wh.no"]],
    );
}

/// Flat, where a directory that an entry was in just now goes with an opaque one above it.
#[test]
fn a_directory_that_its_own_layer_takes_away_is_made_anew() {
    same_as_umoci(
        "taken away",
        &[
            BELOW,
            &["f p/q/.wh..wh..opq", "f p/.wh..wh..opq", "f p/q/new"],
        ],
    );
}

/// The root directory is a directory of the image like any other.
#[test]
fn the_root_directory_has_the_mode_owner_and_time_of_its_layer() {
    let above = ["f x"];
    for layers in [
        &[&["d ./ 700 5", "f y"][..]][..],
        &[&["d ./ 700 5", "f y"], &above],
    ] {
        let room = same_as_umoci("a root", layers);
        assert_eq!(room.sh("stat -c '%a %u' theirs flat"), "700 5\n700 5\n");
        assert_eq!(room.sh("cat root-of-m"), "700 5 1000000000\n");
        assert_eq!(room.sh("stat -c %Y flat"), "1000000000\n");
    }
}

/// What a layer below has can be linked to, by every way that leads there.
#[test]
fn a_hard_link_to_a_file_of_a_layer_below() {
    same_as_umoci("plainly", &[BELOW, &["h h top", "h p/q/hh p/q/old"]]);
    same_as_umoci(
        "behind a link, and a link",
        &[BELOW, &["h h lnk/old", "h k lnk"]],
    );
    same_as_umoci("linked again", &[BELOW, &["h a top", "h b a", "h c b"]]);
    same_as_umoci("moved", &[BELOW, &["h moved top", "f .wh.top"]]);
    same_as_umoci("replaced", &[BELOW, &["h moved top", "f top"]]);
    same_as_umoci("not any more", &[BELOW, &["h moved top", "f moved"]]);
    same_as_umoci(
        "two layers down",
        &[BELOW, &["f other"], &["h moved top", "f x"]],
    );
    same_as_umoci(
        "in a directory that is a link below",
        &[BELOW, &["h lnk/new top"]],
    );
    for refused in [
        &["f .wh.top", "h moved top"][..],
        &["h moved no"],
        &["h moved p"],
        &["d p", "f p/.wh..wh..opq", "h p/new p/q/old"],
    ] {
        let (room, takes) = made(&[BELOW, refused]);
        assert!(!takes, "umoci takes {refused:?}");
        let (code, said) = room.fails("runpack load oci:lay:x -t x");
        assert!(
            code == 1 && said.contains("hard link"),
            "{refused:?}: {said}"
        );
        let (_, said) = room.fails("runpack unpack oci:lay:x flat");
        assert!(said.contains("hard link"), "{refused:?}: {said}");
        assert_eq!(room.sh("runpack images -q; ls root/images/unpacked"), "");
    }
}

/// A few bytes of archive must not become as many gigabytes as somebody likes.
#[test]
fn a_file_with_holes_is_copied_up_with_them() {
    let room = Room::new();
    room.sh("mkdir a && truncate -s 64G a/big && echo x >> a/big && tar -SC a -cf 0.tar big && ln a/big a/too
        umoci init --layout lay && umoci new --image lay:x && umoci raw add-layer --image lay:x 0.tar");
    fs::write(room.path("1.tar"), archive(&["h too big"])).unwrap();
    room.sh("umoci raw add-layer --image lay:x 1.tar && runpack load oci:lay:x -t x");
    assert_eq!(room.sh("du -s root | awk '{print $1 < 2000}'; cd root/images/unpacked; ls -l */fs/too | awk '{print $5}'; tail -c 2 */fs/too"), "1\n68719476738\nx\n");
}

/// A link of the layer's own, whose directory a layer below has, or nobody.
#[test]
fn files_and_whiteouts_behind_a_link_that_leads_elsewhere() {
    for (what, link) in [
        ("below", "l l p/q"),
        ("absolute", "l l /p/q"),
        ("nowhere", "l l no/where"),
        ("out", "l l ../../no"),
        ("a file", "l l top"),
    ] {
        for more in ["f l/.wh.old", "f l/.wh..wh..opq"] {
            same_as_umoci(what, &[BELOW, &[link, more]]);
        }
        if what == "a file" {
            let (room, takes) = made(&[BELOW, &[link, "f l/x"]]);
            assert!(!takes);
            room.fails("runpack load oci:lay:x -t x");
            room.fails("runpack unpack oci:lay:x flat");
            continue;
        }
        same_as_umoci(what, &[BELOW, &[link, "f l/f", "d l/d 700 3", "f l/d/g"]]);
    }
    same_as_umoci(
        "opaque and new",
        &[BELOW, &["l l p/q", "f l/.wh..wh..opq", "f l/new"]],
    );
}

#[test]
fn links_that_lead_to_each_other_are_an_end() {
    for links in [
        ["l l m", "l m l"],
        ["l l x/../m/y", "l m l/z"],
        ["l l l/l/l", "l m m"],
    ] {
        let (room, _) = made(&[BELOW, &[links[0], links[1], "f l/f"]]);
        for verb in [
            "runpack load oci:lay:x -t x",
            "runpack unpack oci:lay:x flat",
        ] {
            let (code, said) = room.fails(verb);
            assert_eq!(code, 1, "{said}");
            assert!(said.contains("Too many levels of symbolic links"), "{said}");
        }
    }
}

/// An image's own directory keeps its mode and owner, by whichever of its paths the archive has the entry.
#[test]
fn a_directory_of_its_own_entry_that_a_link_leads_to() {
    let real: &[&str] = &["d real", "d real/x 711 5", "f real/x/o", "f real/x/k"];
    let link: &[&str] = &["l link real"];
    let through = "f link/x/file";
    for (what, upper) in [
        ("by its own path, last", &[through, "d real/x 700 7"][..]),
        ("by its own path, first", &["d real/x 700 7", through]),
        (
            "by the link's path, last",
            &["f real/x/.wh.o", "d link/x 700 7"],
        ),
        (
            "by the link's path, first",
            &["d link/x 700 7", "f real/x/new"],
        ),
        (
            "deeper",
            &["f link/x/y/file", "d real/x/y 700 7", "f real/x/y/z/f"],
        ),
        ("by neither", &[through, "f real/x/new"]),
    ] {
        same_as_umoci(
            &format!("{what}, the link below"),
            &[&[real, link].concat(), upper],
        );
        same_as_umoci(
            &format!("{what}, the link with it"),
            &[real, &[link, upper].concat()],
        );
        let again: &[&str] = &["l link real", "d real"];
        same_as_umoci(
            &format!("{what}, both with it"),
            &[real, &[again, upper].concat()],
        );
        // Of a link whose name sorts after the directory's: that directory is settled when the link's turn comes.
        let renamed: Vec<String> = upper.iter().map(|m| m.replace("link", "zink")).collect();
        let renamed: Vec<&str> = renamed.iter().map(String::as_str).collect();
        same_as_umoci(
            &format!("{what}, a later name"),
            &[&[real, &["l zink real"]].concat(), &renamed],
        );
    }
}
