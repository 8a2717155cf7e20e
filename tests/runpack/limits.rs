//! What a descriptor promises, what Linux can hold, and what the machine has no more of.

use super::*;

/// `lay:x`, an image of one layer.
fn one(room: &Room) {
    room.sh("mkdir a && echo a > a/a && tar -C a -cf a.tar a && umoci init --layout lay && umoci new --image lay:x
        umoci raw add-layer --image lay:x a.tar");
}

/// The image's manifest changed by jq(1), and the index made to fit; `after` changes that.
fn with_manifest(room: &Room, change: &str, after: &str) {
    room.sh(&format!(
        "rm -rf l2 && cp -a lay l2 && cd l2 && m=blobs/sha256/$(jq -r '.manifests[0].digest' index.json | cut -d: -f2)
        {change} < $m > new && d=$(sha256sum new | cut -c-64) && cp new blobs/sha256/$d
        jq \".manifests[0].digest=\\\"sha256:$d\\\" | .manifests[0].size=$(stat -c %s new){after}\" index.json > i && mv i index.json"
    ));
}

/// F23
#[test]
fn a_blob_that_is_longer_or_shorter_than_its_descriptor_says() {
    let room = Room::new();
    one(&room);
    for (change, after, what) in [
        ("cat", " + 1", "its manifest"),
        ("jq -c '.config.size = 3'", "", "its configuration"),
        ("jq -c '.layers[0].size = 3'", "", "layer 1"),
    ] {
        with_manifest(&room, change, after);
        for verb in ["runpack load oci:l2:x -t y", "runpack unpack oci:l2:x out"] {
            let (code, said) = room.fails(verb);
            let expected = format!("loading \"l2\": {what} has ");
            assert!(code == 1 && said.contains(&expected), "{verb}: {said}");
        }
    }
    assert_eq!(room.sh("runpack images -q"), "");
}

/// F23
#[test]
fn a_manifest_of_more_than_16_mib_is_told_as_that() {
    let room = Room::new();
    one(&room);
    with_manifest(
        &room,
        "{ cat; head -c 17000000 /dev/zero | tr '\\0' ' '; }",
        "",
    );
    let (code, said) = room.fails("runpack load oci:l2:x");
    assert_eq!(code, 1);
    assert!(
        said.contains("it has more than the 16 MiB that such a file may have"),
        "{said}"
    );
}

/// F23: the kernel refuses the mount by "Invalid argument".
#[test]
fn more_layers_than_overlayfs_stacks_are_refused() {
    let room = Room::new();
    one(&room);
    for (count, takes) in [(500, true), (501, false)] {
        room.sh(&format!(
            "rm -rf l3 && cp -a lay l3 && cd l3 && at() {{ echo blobs/sha256/$(jq -r $1 $2 | cut -d: -f2); }}
            m=$(at .manifests[0].digest index.json) && c=$(at .config.digest $m) && d=$(jq -r '.rootfs.diff_ids[0]' $c)
            jq -c \".rootfs.diff_ids = [range({count}) | \\\"$d\\\"] | .history = []\" $c > new && d=$(sha256sum new | cut -c-64) && cp new blobs/sha256/$d
            jq -c \".config.digest = \\\"sha256:$d\\\" | .config.size = $(stat -c %s new) | .layers = [range({count}) as \\$i | .layers[0]]\" $m > new
            d=$(sha256sum new | cut -c-64) && cp new blobs/sha256/$d
            jq \".manifests[0].digest = \\\"sha256:$d\\\" | .manifests[0].size = $(stat -c %s new)\" index.json > i && mv i index.json"
        ));
        if takes {
            room.sh("runpack load oci:l3:x -t most");
            continue;
        }
        let (code, said) = room.fails("runpack load oci:l3:x -t more");
        assert_eq!(code, 1);
        assert!(
            said.contains("it has 501 layers, and overlayfs stacks no more than 500"),
            "{said}"
        );
        assert_eq!(room.sh("runpack unpack oci:l3:x flat && cat flat/a"), "a\n");
    }
}

/// F23: 4294967296 would be root.
#[test]
fn an_owner_that_no_file_can_have_is_refused() {
    let room = Room::new();
    let archive = |uid: &str| {
        let record = |length: usize| format!("{length} uid={uid}\n");
        let length = (1..99).find(|length| record(*length).len() == *length);
        let mut tar = tar::Builder::new(Vec::new());
        let records = record(length.unwrap());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(records.len() as u64);
        header.set_cksum();
        tar.append(&header, records.as_bytes()).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("f").unwrap();
        header.set_mode(0o644);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
        fs::write(room.path("a.tar"), tar.into_inner().unwrap()).unwrap();
    };
    for uid in ["4294967296", "99999999999", "4294967295"] {
        archive(uid);
        let (code, said) = room.fails("runpack import a.tar x");
        assert_eq!(code, 1);
        let why = "entry \"f\": its owner is not a number that Linux has";
        assert!(said.contains(why), "{said}");
    }
    archive("4294967294");
    room.sh("runpack import a.tar d && runpack unpack d d");
    assert_eq!(room.sh("stat -c %u d/f"), "4294967294\n");
}

/// F26: at a limit of processes there is no thread to be had.
#[test]
fn a_command_that_gets_no_thread_says_so() {
    let room = Room::new();
    one(&room);
    let refused = "strace -f -qq -o log -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN";
    for verb in ["load oci:lay:x", "import a.tar x", "unpack oci:lay:x out"] {
        let (code, said) = room.fails(&format!("{refused} runpack {verb}"));
        assert_eq!(code, 1, "{said}");
        let why = "starting a thread: Resource temporarily unavailable";
        assert!(
            said.contains(why) && said.contains("hint: the limit of processes is reached"),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
    assert_eq!(
        room.sh("runpack images -q; ls -d out root/images/tmp/* 2> /dev/null || :"),
        ""
    );
}

/// F26: that is when an image must be removable.
#[test]
fn an_image_is_removed_from_a_full_disk() {
    for run in ["disk/run", "run"] {
        let room = Room::new();
        room.sh(&format!(
            "mkdir disk a && echo a > a/a && tar -C a -cf a.tar a && unshare --mount --propagation private sh -euc '
            mount -t tmpfs -o size=8m none disk; export BOXKIT_ROOT=$PWD/disk/root BOXKIT_RUN=$PWD/{run}
            runpack import a.tar one; runpack import a.tar two; runpack pack -t big --bin true; runpack tag big more
            cat /dev/zero > disk/fill || :
            ! runpack pack -t other --bin sh
            runpack gc; runpack rmi more; runpack rmi two; runpack rmi big; runpack import a.tar three
            runpack images | tail -n +2 | cut -d\" \" -f1 | sort > names; runpack gc > gone'"
        ));
        assert_eq!(
            room.sh("cat names gone"),
            "one\nthree\n0 blobs (0B), 0 layers, 0 temporary files\n"
        );
    }
}

/// F26: an index that lasts through a power cut must not lead to files that do not.
#[test]
fn the_files_of_a_layer_are_on_the_disk_before_it_has_its_place() {
    let room = Room::new();
    one(&room);
    room.sh(
        "strace -f -qq -o log -e trace=syncfs,rename,renameat,renameat2 runpack load oci:lay:x",
    );
    let calls = room.sh("sed -E 's/^[0-9]+ +//; s/\\(.*unpacked.*/ layer/; s/\\(.*index.json.*/ index/; s/\\([0-9].*//' log | grep -E '^syncfs|layer$|index$'");
    assert_eq!(calls, "rename index\nsyncfs\nrename layer\nrename index\n");
}

/// A layer of two blocks may have two thousand directories, each in the last: all are gone through once, and not all above
/// each of them again, which took half a minute.
#[test]
fn a_layer_as_deep_as_paths_go_is_placed_on_another_at_once() {
    let room = Room::new();
    let deep = "d/".repeat(2000);
    room.sh(&format!(
        "mkdir one && echo a >one/a && tar -C one -cf 0.tar a && tar -C one -cf 1.tar --transform='s|^a|{deep}a|' a
        umoci init --layout lay && umoci new --image lay:x
        umoci raw add-layer --image lay:x 0.tar && umoci raw add-layer --image lay:x 1.tar
        timeout 10 runpack load oci:lay:x -t x"
    ));
    let inside = room.sh("find root/images/unpacked/*/fs -type d | wc -l");
    assert_eq!(inside.trim(), "2002");
}
