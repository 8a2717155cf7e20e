//! What goes wrong is said, and leaves nothing.

use super::*;

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let room = Room::new();
    layered(&room);
    room.sh("skopeo copy -q oci:lay:two docker-archive:d.tar:web:1; gzip -k d.tar; xz -k d.tar; bzip2 -k d.tar; tar -C tree -czf t.tgz .
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
            "skopeo copy -q docker://alpine docker-archive:/dev/stdout:alpine | runpack load",
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
            "load d.tar.xz",
            1,
            "loading \"d.tar.xz\": it is compressed by xz, which is not read here",
            "hint: an archive is taken as it is, or by gzip or zstd: xz -dc d.tar.xz | runpack load -",
        ),
        (
            "import d.tar.bz2 x",
            1,
            "loading \"d.tar.bz2\": it is compressed by bzip2, which is not read here",
            "hint: a tar is taken as it is, or by gzip or zstd: bzip2 -dc d.tar.bz2 | runpack import - x:latest",
        ),
        (
            "unpack --platform linux/arm64 web:1 x",
            1,
            "unpacking \"web:1\": it is for linux/amd64, not linux/arm64",
            "load the other first",
        ),
        (
            "load docker-archive:d.tar:Web",
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
fn what_others_put_into_a_target_meanwhile_is_theirs() {
    let room = Room::new();
    room.sh("mkdir t; echo x > t/f; tar -C t -c . | runpack import - z; runpack save -o z.tar z; mkdir d");
    for stream in ["echo junk", "cat z.tar"] {
        let (_, said) = room.fails(&format!(
            "mkfifo p; runpack unpack - d < p & exec 3> p; until [ -e d/.runpack-* ]; do kill -0 $!; sleep 0.02; done
            echo precious > d/mine; {stream} >&3; exec 3>&-; rm p; wait $!"
        ));
        let says = if stream == "echo junk" {
            "too short"
        } else {
            "it is not empty"
        };
        assert!(said.contains(says), "{said}");
        assert_eq!(
            room.sh("ls -A d; cat d/mine; rm d/mine"),
            "mine\nprecious\n"
        );
    }
    // The image's own root directory is the target; where it says nothing, the target's owner stays.
    room.sh("chmod 2750 t; chown 7:8 t; touch -d 2001-02-03 t; tar -C t -c . | runpack import - own; tar -C t -c f | runpack import - none");
    room.sh("mkdir e; chown 5:6 d e; runpack unpack own d; runpack unpack none e");
    let of = |dir: &str| {
        room.sh(&format!(
            "stat -c '%a %u:%g %y' {dir} | cut -c-21; ls -A {dir}"
        ))
    };
    assert_eq!(of("d"), "2750 7:8 2001-02-03 0\nf\n");
    assert!(of("e").starts_with("755 5:6 2"), "{}", of("e"));
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let room = Room::new();
    // Of the second the blob has room, and its files have not.
    for (content, tar) in [("cat /dev/urandom", "-cf"), ("yes", "-czf")] {
        room.sh(&format!(
            "mkdir -p d small && {content} | head -c 3000000 > d/f && tar -C d {tar} d.tar ."
        ));
        let script = "mount -t tmpfs -o size=2m full small; export BOXKIT_ROOT=$PWD/small/root
            runpack import d.tar x 2> said && exit 9; cat said; find small/root/images/tmp small/root/images/blobs -type f";
        let said = room.sh(&format!(
            "unshare --mount --propagation private sh -uc '{script}'"
        ));
        assert!(
            said.contains("No space left on device\nhint: ")
                && said.contains("/small/root is full: "),
            "{content}: {said}"
        );
        assert_eq!(said.lines().count(), 2, "{content}: {said}");
    }
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
    // A stream that never ends: the kill always finds it under way.
    room.sh("mkfifo pipe; runpack import pipe x & p=$!
        { head -c 1536 /dev/urandom > f; tar -c f; exec cat /dev/zero; } > pipe 2> /dev/null & w=$!
        until [ -n \"$(ls root/images/tmp 2> /dev/null)\" ]; do kill -0 $p; sleep 0.02; done
        kill -9 $p; wait $p || true; wait $w || true");
    assert_ne!(room.sh("ls root/images/tmp"), "");
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
        until [ -n \"$(ls root/images/tmp/*/0.blob 2> /dev/null)\" ]; do kill -0 $p || break; sleep 0.02; done
        kill -TERM $p; wait $p && exit 9; echo $?; cat said; find root/images/tmp root/images/blobs -type f; wait";
    // sh ignores SIGINT in what it starts in the background, so it is SIGTERM here.
    let said = room.sh(&format!("set +e\n{script}\ntrue"));
    assert_eq!(said, "143\nrunpack: interrupted, and nothing was kept\n");
}

#[test]
fn a_stream_that_stalls_is_not_waited_for_once_interrupted() {
    let room = Room::new();
    let script = "mkfifo pipe; head -c 100000 /dev/urandom > f
        runpack import WHAT 2> said & p=$!
        { tar -c f | head -c 50000; exec sleep 30; } > pipe & w=$!
        until [ -s \"$(echo root/images/tmp/*/0.blob)\" ]; do kill -0 $p || break; sleep 0.02; done
        kill -TERM $p; ( for i in $(seq 100); do sleep 0.1; kill -0 $p || exit; done; kill -9 $p ) 2> /dev/null &
        wait $p; echo $?; cat said; find root/images/tmp root/images/blobs -type f; kill $w; wait; rm -r pipe root";
    for what in ["pipe x", "- x < pipe"] {
        let said = room.sh(&format!("set +e\n{}\ntrue", script.replace("WHAT", what)));
        assert_eq!(
            said, "143\nrunpack: interrupted, and nothing was kept\n",
            "{what}"
        );
    }
}

/// A step that waits for others, or has long to write, ends when it is asked to.
#[test]
fn a_signal_ends_a_step_that_waits_or_is_long() {
    let room = Room::new();
    room.sh("mkdir t; head -c 300000 /dev/urandom > t/f; tar -C t -c . | runpack import - x; mkfifo in out; truncate -s 8G big; ls -A > before");
    for (verb, other) in [
        ("unpack - d < in", "exec 3> in"),
        ("unpack oci-archive:in d", ":"),
        (
            "unpack oci-archive:in d",
            "exec 3> in; tar -C t -c . | head -c 5000 >&3",
        ),
        ("save -o out x", ":"),
        ("save -o out x", "exec 3< out"),
        ("pack -t p --bin true --add big:/big", ":"),
    ] {
        // Its signals are blocked as soon as it takes steps.
        let script = format!(
            "runpack {verb} 2> said & p=$!; {other}; until grep -q 'SigBlk:.*400[13]$' /proc/$p/status; do kill -0 $p || break; sleep 0.02; done
            sleep 0.2; kill -TERM $p; ( for i in $(seq 200); do sleep 0.1; kill -0 $p || exit; done; kill -9 $p ) > /dev/null 2>&1 3>&- &
            wait $p; echo $?; exec 3>&-; cat said; rm said; find root/images/tmp -type f; ls -A | diff before -"
        );
        let said = room.sh(&format!("set +e\n{script}\ntrue"));
        assert_eq!(
            said, "143\nrunpack: interrupted, and nothing was kept\n",
            "{verb}, {other}"
        );
    }
}
