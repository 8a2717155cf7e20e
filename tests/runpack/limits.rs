//! What a descriptor promises, what Linux can hold, and what the machine has no more of.

use kit_test::Host;

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

/// The kernel refuses the mount by "Invalid argument".
#[test]
fn more_layers_than_overlayfs_stacks_are_refused_and_as_many_run() {
    let host = Host::bare();
    // A shell below, and one and the same file in each layer above it.
    host.ok("set -eu; mkdir a b; echo a >a/a; cp /bin/busybox b/sh; tar -C a -cf a.tar a; tar -C b -cf b.tar sh
        umoci init --layout lay; umoci new --image lay:x
        umoci raw add-layer --image lay:x b.tar; umoci raw add-layer --image lay:x a.tar");
    for (count, takes) in [(500, true), (501, false)] {
        let of = |list: &str| format!("[{list}[0], (range({count} - 1) as \\$i | {list}[1])]");
        let (ids, layers) = (of(".rootfs.diff_ids"), of(".layers"));
        host.ok(&format!(
            "set -eu; rm -rf l3; cp -a lay l3; cd l3; at() {{ echo blobs/sha256/$(jq -r $1 $2 | cut -d: -f2); }}
            m=$(at .manifests[0].digest index.json); c=$(at .config.digest $m)
            jq -c \".rootfs.diff_ids = {ids} | .history = []\" $c > new; d=$(sha256sum new | cut -c-64); cp new blobs/sha256/$d
            jq -c \".config.digest = \\\"sha256:$d\\\" | .config.size = $(stat -c %s new) | .layers = {layers}\" $m > new
            d=$(sha256sum new | cut -c-64); cp new blobs/sha256/$d
            jq \".manifests[0].digest = \\\"sha256:$d\\\" | .manifests[0].size = $(stat -c %s new)\" index.json > i; mv i index.json"
        ));
        if takes {
            host.ok("runpack load oci:l3:x -t most");
            let lowers = "runpack inspect most | jq -r '.[0].GraphDriver.Data.LowerDir' | tr : '\\n' | sort -u | wc -l";
            assert_eq!(host.ok(lowers), "500\n");
            let inside = "read a </a; echo $a; echo new >/new; read b </new; echo $b";
            let run = format!("rrun run --rm --net none most /sh -c '{inside}'");
            assert_eq!(host.ok(&run), "a\nnew\n");
            host.ok(
                "rrun create --name box --net none most /sh -c 'exit 7' && ! rrun start -a box",
            );
            assert_eq!(host.ok("rrun wait box"), "7\n");
            continue;
        }
        let (code, _, said) = host.outcome("runpack load oci:l3:x -t more");
        assert_eq!(code, 1);
        assert!(
            said.contains("it has 501 layers, and overlayfs stacks no more than 500"),
            "{said}"
        );
        // By the way out that it names.
        let way = "tar -C DIR -c . | runpack import - NAME";
        let hint = format!("unpack it with runpack unpack, and make one layer of it: {way}\n");
        assert!(said.ends_with(&hint), "{said}");
        let way = way.replace("DIR", "flat").replace("NAME", "flat");
        host.ok(&format!("runpack unpack oci:l3:x flat && {way}"));
        let inside = host.ok("rrun run --rm --net none flat /sh -c 'read a </a; echo $a'");
        assert_eq!(inside, "a\n");
    }
}

/// A PAX record.
fn record(key: &str, value: u64) -> String {
    let whole = |length: usize| format!("{length} {key}={value}\n");
    let length = (1..99).find(|length| whole(*length).len() == *length);
    whole(length.unwrap())
}

/// `a.tar`: the file `f`, which belongs to what these PAX records say, or `own` writes into its header.
fn owned(room: &Room, records: &str, own: impl Fn(&mut tar::Header)) {
    let mut tar = tar::Builder::new(Vec::new());
    if !records.is_empty() {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(records.len() as u64);
        header.set_cksum();
        tar.append(&header, records.as_bytes()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_path("f").unwrap();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    own(&mut header);
    header.set_cksum();
    tar.append(&header, &[][..]).unwrap();
    fs::write(room.path("a.tar"), tar.into_inner().unwrap()).unwrap();
}

/// 4294967296 would be root. In PAX records, and in the base 256 of GNU's headers.
#[test]
fn an_owner_that_no_file_can_have_is_refused() {
    let room = Room::new();
    let refused = |how: &str| {
        let (code, said) = room.fails("runpack import a.tar x");
        assert_eq!(code, 1, "{how}: {said}");
        let why = "entry \"f\": its owner is not a number that Linux has";
        assert!(said.contains(why), "{how}: {said}");
    };
    for number in [4_294_967_296_u64, 99_999_999_999, 4_294_967_295, u64::MAX] {
        for key in ["uid", "gid"] {
            owned(&room, &record(key, number), |_| {});
            refused(&format!("{key}={number}"));
        }
        owned(&room, "", |header| header.set_uid(number));
        refused(&format!("uid {number} in base 256"));
        owned(&room, "", |header| header.set_gid(number));
        refused(&format!("gid {number} in base 256"));
    }
    assert_eq!(room.sh("runpack images -q"), "");
    let last: u64 = 4_294_967_294;
    let both = record("uid", last) + &record("gid", last - 1);
    owned(&room, &both, |_| {});
    room.sh("runpack import a.tar pax && runpack unpack pax pax");
    owned(&room, "", |header| {
        header.set_uid(last);
        header.set_gid(last - 1);
    });
    room.sh("runpack import a.tar gnu && runpack unpack gnu gnu");
    assert_eq!(
        room.sh("stat -c '%u %g' pax/f gnu/f"),
        "4294967294 4294967293\n4294967294 4294967293\n"
    );
    // tar(1) reads them as we do.
    let theirs = room.sh("tar --numeric-owner -tvf a.tar | tr -s ' ' | cut -d' ' -f2");
    assert_eq!(theirs, "4294967294/4294967293\n");
}

/// At a limit of processes there is no thread to be had.
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

/// That is when an image must be removable.
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

/// An index that lasts through a power cut must not lead to files that do not.
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
