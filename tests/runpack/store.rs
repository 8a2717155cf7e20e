//! What is stored comes back, in our hands and in those of other tools.

use kit_test::Host;

use super::*;

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
    room.sh("tar -C tree -c . | runpack import -c 'CMD [\"hello\"]' -c 'ENV A=\"b c\"' -c 'EXPOSE 80' - web:1 && runpack tag web:1 localhost:5000/web");
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

#[test]
fn a_directory_to_begin_in_is_seen_from_the_one_before_it() {
    let host = Host::bare();
    host.ok("mkdir d && cp /bin/busybox d/sh && tar -C d -cf d.tar .");
    for (changes, whole) in [
        ("-c 'WORKDIR app'", "/app\n"),
        ("-c 'WORKDIR app' -c 'workdir src/x'", "/app/src/x\n"),
        ("-c 'WORKDIR /app/src' -c 'WORKDIR ../lib'", "/app/lib\n"),
        ("-c 'WORKDIR app' -c 'WORKDIR /'", "/\n"),
    ] {
        host.ok(&format!("runpack import {changes} d.tar web:1"));
        let said =
            host.ok("skopeo inspect --config oci:root/images:web:1 | jq -r .config.WorkingDir");
        assert_eq!(said, whole, "{changes}");
        let inside = host.ok("rrun run --rm --net none web:1 /sh -c pwd");
        assert_eq!(inside, whole, "{changes}");
    }
}

#[test]
fn a_layout_is_unpacked_by_its_path_alone_and_the_store_comes_first() {
    let room = Room::new();
    layered(&room);
    room.sh(
        "skopeo copy -q oci:lay:two oci:one:two && cp -r one 'a b' && mkdir near mine && echo mine > mine/mine
        umoci unpack --image lay:two theirs",
    );
    for place in [
        "./one",
        "\"$PWD/one\"",
        "one/",
        "near/../one",
        "one",
        "'a b'",
    ] {
        room.sh(&format!("rm -rf ours && runpack unpack {place} ours"));
        assert_same(&room.path("theirs/rootfs"), &room.path("ours"), false);
    }
    room.sh(
        "runpack unpack --layout=bundle ./one bundle && runpack unpack --layout=overlay ./one over",
    );
    assert_same(
        &room.path("theirs/rootfs"),
        &room.path("bundle/rootfs"),
        false,
    );
    assert_eq!(room.sh("ls over"), "1\n2\n");
    // A name of the store's is that, whatever directory is called so too.
    room.sh("tar -C mine -c . | runpack import - one && rm -rf ours && runpack unpack one ours");
    assert_eq!(room.sh("ls ours"), "mine\n");
    room.sh("rm -rf ours && runpack unpack ./one ours");
    assert_same(&room.path("theirs/rootfs"), &room.path("ours"), false);
    let (code, said) = room.fails("runpack unpack ./near ours2");
    let line = "runpack: loading \"./near\": the directory is no OCI image layout\n";
    assert!(code == 1 && said.starts_with(line), "{said}");
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
        !fs::read_dir(room.path("")).unwrap().any(|e| e
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
        skopeo copy -q oci:lay:two oci-archive:o.tar:images.example/a/b:c
        skopeo copy -q --dest-compress-format zstd --dest-compress oci:lay:two dir:unused; gzip -k d.tar");
    let load = |source: &str| room.sh(&format!("runpack load {source}"));
    assert_eq!(load("d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("docker-archive:d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("d.tar.gz"), "Loaded image: team/web:7\n");
    assert_eq!(load("- < d.tar"), "Loaded image: team/web:7\n");
    assert_eq!(load("o.tar"), "Loaded image: images.example/a/b:c\n");
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
fn a_store_that_another_tool_made_is_one() {
    let room = Room::new();
    layered(&room);
    room.sh("mkdir root && skopeo copy -q oci:lay:three oci:root/images:theirs:1 && chmod 700 root
        runpack tag theirs:1 mine:1 && runpack load oci:lay:base && runpack unpack mine:1 a && umoci unpack --image lay:three b");
    assert_same(&room.path("b/rootfs"), &room.path("a"), false);
    room.sh("runpack save -o twice.tar mine:1 mine:1");
    let tags = room.sh("tar -xOf twice.tar manifest.json | jq -c '.[].RepoTags'");
    assert_eq!(tags, "[\"mine:1\"]\n");
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

#[test]
fn a_terminal_is_told_how_far_it_is_and_nobody_else() {
    let room = Room::new();
    layered(&room);
    // As wide as a terminal is.
    let told = |command: &str| {
        room.sh(&format!(
            "script -qec 'stty cols 100; {command}' /dev/null < /dev/null | tr '\\r' '\\n'"
        ))
    };
    for (command, says) in [
        ("load oci:lay:two", "loading "),
        ("unpack lay:two out", "unpacking "),
        ("unpack oci:lay:two out2", "unpacking "),
        ("import a.tar a", "importing "),
        ("pack -t x --bin true", "packing "),
    ] {
        room.sh("[ -e a.tar ] || tar -C tree -cf a.tar .");
        let shown = told(&format!("runpack {command}"));
        assert!(shown.contains(says), "{command}: {shown}");
        // Wiped away before the command prints what came of it.
        assert!(shown.contains("\u{1b}[2K"), "{shown}");
        room.sh("rm -rf out out2 root");
        room.sh("runpack load oci:lay:two 2>&1 | grep -x 'Loaded image: lay:two'; rm -rf out out2");
        let quiet = room.sh(&format!("runpack {command} 2>&1 > /dev/null"));
        assert_eq!(quiet, "", "{command}");
        for flag in ["--explain", "--trace", "--dry-run"] {
            room.sh("rm -rf out out2");
            let shown = told(&format!("runpack {command} {flag}"));
            assert!(!shown.contains("\u{1b}[2K"), "{command} {flag}: {shown}");
        }
        room.sh("rm -rf out out2");
    }
}
