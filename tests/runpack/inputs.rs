//! Images that are odd but right, compared with what umoci and skopeo make of them, and wrong ones, each with its cause in one line and
//! nothing kept, by runpack and by rrun.

use kit_test::Host;

/// `lay:two`, of two layers, and functions that write a blob and a manifest by hand.
fn room() -> Host {
    let host = Host::bare();
    host.ok(&format!(
        "{BLOB}
        umoci init --layout lay && umoci new --image lay:two
        mkdir a b && echo one > a/one && mkdir a/dir && echo two > b/two && seq 90000 > b/many && ln b/two b/hard
        umoci insert --image lay:two a /a && umoci insert --image lay:two b /b"
    ));
    host
}

/// `blob LAYOUT FILE`: puts a file, prints its digest. `edit LAYOUT FILTER`: another manifest for its one image, by jq.
/// `layer LAYOUT FILE DIFF_ID`: in place of its first layer.
const BLOB: &str = r#"
blob() { d=$(sha256sum < "$2" | cut -c-64); cp "$2" "$1/blobs/sha256/$d"; echo "sha256:$d"; }
manifest() { echo "$1/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$1/index.json")"; }
edit() { jq -c "$2" "$(manifest "$1")" > edited; d=$(blob "$1" edited); s=$(stat -c %s edited)
  jq -c ".manifests[0] += {digest: \"$d\", size: $s}" "$1/index.json" > index; mv index "$1/index.json"; }
config() { jq -c "$2" "$1/blobs/sha256/$(jq -r '.config.digest[7:]' "$(manifest "$1")")" > config; d=$(blob "$1" config); s=$(stat -c %s config)
  edit "$1" ".config += {digest: \"$d\", size: $s}"; }
layer() { d=$(blob "$1" "$2"); s=$(stat -c %s "$2"); edit "$1" ".layers[0] += {digest: \"$d\", size: $s}"
  [ -z "$3" ] || config "$1" ".rootfs.diff_ids[0] = \"$3\""; }
first() { echo "$1/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$(manifest "$1")")"; }
"#;

/// Loads by runpack and by rrun, each of which must say this in one line and a hint, and keep nothing.
fn refused(host: &Host, what: &str, script: &str, source: &str, says: &[&str]) {
    host.ok(&format!(
        "{BLOB} set -eu; rm -rf bad root; cp -r lay bad; {script}"
    ));
    for tool in ["runpack", "rrun"] {
        let (code, _, said) = host.outcome(&format!("timeout -s KILL 20 {tool} load {source}"));
        assert_eq!(code, 1, "{what}: {said}");
        assert!(said.starts_with(&format!("{tool}: ")), "{what}: {said}");
        for text in says {
            assert!(said.contains(text), "{what}: {text:?} is not in: {said}");
        }
        assert!(said.lines().count() <= 2, "{what}: {said}");
        assert_eq!(host.ok("runpack images -q"), "", "{what}");
        let kept = "[ ! -d root/images ] || find root/images/blobs root/images/unpacked root/images/tmp -mindepth 1 ! -path '*/sha256'";
        assert_eq!(host.ok(kept), "", "{what}");
    }
}

#[test]
fn a_wrong_layer_is_named_and_nothing_is_kept() {
    let host = room();
    let bad = "oci:bad:two";
    refused(
        &host,
        "a bit flipped",
        "f=$(first bad); printf X | dd of=$f bs=1 seek=60 conv=notrunc status=none",
        bad,
        &[
            "layer 1 of 2",
            "expected sha256:",
            "got sha256:",
            "fetch the image again",
        ],
    );
    refused(
        &host,
        "cut off, with the digest of what is left",
        "head -c 100 $(first bad) > cut; layer bad cut ''",
        bad,
        &["unpacking layer 1 of 2", "cut off"],
    );
    refused(
        &host,
        "another diff ID",
        "config bad '.rootfs.diff_ids[1] = .rootfs.diff_ids[0]'",
        bad,
        &["unpacking layer 2 of 2", "content's digest"],
    );
    refused(
        &host,
        "fewer diff IDs",
        "config bad '.rootfs.diff_ids |= .[:1]'",
        bad,
        &["2 layers and 1 diff IDs"],
    );
    refused(
        &host,
        "no tar",
        "head -c 3000 /dev/zero | tr '\\0' x > text; layer bad text sha256:$(sha256sum < text | cut -c-64)",
        bad,
        &["unpacking layer 1 of 2", "not a tar archive"],
    );
    refused(
        &host,
        "a blob that is missing",
        "rm $(first bad)",
        bad,
        &["No such file or directory"],
    );
    refused(
        &host,
        "a blob that is a pipe",
        "f=$(first bad); rm $f; mkfifo $f",
        bad,
        &["it is no regular file"],
    );
    refused(
        &host,
        "a manifest that is no JSON",
        "echo '{' > $(manifest bad)",
        bad,
        &["its manifest has 2 bytes, and its descriptor says "],
    );
    refused(
        &host,
        "a name of 100,000 letters",
        "mkdir x; n=$(head -c 100000 /dev/zero | tr '\\0' n); touch x/f
         tar --format=pax --transform \"s/^f$/$n/\" -C x -cf long.tar f; layer bad long.tar sha256:$(sha256sum < long.tar | cut -c-64)",
        bad,
        &["unpacking layer 1 of 2", "longer than 4095 bytes"],
    );
}

#[test]
fn an_image_of_another_architecture_runs_nowhere_and_says_both() {
    let host = room();
    host.ok("umoci config --image lay:two --architecture arm64");
    let (code, _, said) = host.outcome("rrun load oci:lay:two -t far");
    assert!(
        code == 1 && said.contains("linux/arm64, and this machine is linux/amd64"),
        "{said}"
    );
    assert!(said.contains("--platform linux/arm64"), "{said}");
    host.ok("rrun load --platform linux/arm64 oci:lay:two -t far");
    let (code, _, said) = host.outcome("rrun run --rm --net none far true");
    assert_eq!(code, 125, "{said}");
    assert!(
        said.contains("it is for arm64, and this machine is amd64"),
        "{said}"
    );
}

#[test]
fn of_several_platforms_ours_is_taken() {
    let host = room();
    // The index has arm64 first, as registries do.
    host.ok(&format!("{BLOB} set -eu
        cp -r lay many; cp -r lay far; umoci config --image far:two --architecture arm64; cp -n far/blobs/sha256/* many/blobs/sha256/
        of() {{ jq -c --arg a $2 '.manifests[0] | del(.annotations) | .platform = {{os: \"linux\", architecture: $a}}' $1/index.json; }}
        printf '{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[%s,%s]}}' \"$(of far arm64)\" \"$(of lay amd64)\" > list
        d=$(blob many list)
        printf '{{\"schemaVersion\":2,\"manifests\":[{{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"%s\",\"size\":%s,\"annotations\":{{\"org.opencontainers.image.ref.name\":\"two\"}}}}]}}' $d $(stat -c %s list) > many/index.json
        runpack load oci:many:two -t ours && runpack load --platform linux/arm64 oci:many:two -t theirs"));
    let of = |name: &str| {
        host.ok(&format!(
            "runpack inspect {name} | jq -r '.[0].Architecture'"
        ))
    };
    assert_eq!(
        (of("ours"), of("theirs")),
        ("amd64\n".into(), "arm64\n".into())
    );
    // As skopeo chooses.
    let id = host.ok("skopeo inspect --config --raw oci:many:two | sha256sum | cut -c-64");
    let ours = host.ok("runpack inspect ours | jq -r '.[0].Id'");
    assert_eq!(ours, format!("sha256:{id}"));
    let (code, _, said) = host.outcome("runpack load --platform linux/riscv64 oci:many:two");
    assert!(
        code == 1
            && said
                .contains("it is for linux/arm64, linux/amd64, and this machine is linux/riscv64"),
        "{said}"
    );
}

#[test]
fn layers_of_each_compression_are_the_same_tree() {
    let host = room();
    host.ok("umoci unpack --image lay:two theirs
        skopeo copy -q --dest-compress --dest-compress-format zstd oci:lay:two dir:z && skopeo copy -q dir:z oci:zstd:two
        skopeo copy -q oci:lay:two docker-archive:plain.tar:two:1");
    let zstd = "for blob in zstd/blobs/sha256/*; do head -c 4 $blob | od -An -tx1; done | grep -c '28 b5 2f fd'";
    assert_eq!(host.ok(zstd), "2\n");
    for source in ["oci:lay:two", "oci:zstd:two", "docker-archive:plain.tar"] {
        host.ok(&format!("rm -rf ours && runpack unpack {source} ours && diff -r theirs/rootfs ours && test ours/b/two -ef ours/b/hard"));
    }
}

#[test]
fn a_layer_that_comes_twice_and_one_that_is_here_are_taken_once() {
    let host = room();
    // The same tar twice, as one that does nothing but touch a directory is in many images; and an archive whose layers are compressed.
    host.ok("tar -C a -cf a.tar . && for i in 1 2; do umoci raw add-layer --image lay:two a.tar; done
        umoci unpack --image lay:two theirs && skopeo copy -q oci:lay:two docker-archive:plain.tar:two:1
        mkdir d && tar -C d -xf plain.tar && cd d && for layer in $(jq -r '.[0].Layers | unique[]' manifest.json); do gzip -n $layer; done
        jq -c '.[0].Layers |= map(. + \".gz\")' manifest.json > m && mv m manifest.json && tar -cf ../packed.tar .");
    for source in ["oci:lay:two", "docker-archive:plain.tar", "packed.tar"] {
        host.ok(&format!("rm -rf root ours; runpack load {source} -t x && runpack unpack x ours && diff -r theirs/rootfs ours"));
        // Each layer is one lower, in an overlay too; each blob is there once, and nothing that the image does not have.
        let lowers = host.ok("runpack inspect x | jq -r '.[0].GraphDriver.Data.LowerDir' | tr : '\\n' | sort -u | wc -l");
        assert_eq!(lowers, "4\n", "{source}");
        assert_eq!(
            host.ok("ls root/images/blobs/sha256 | wc -l && runpack gc"),
            "5\n0 blobs (0B), 0 layers, 0 temporary files\n",
            "{source}"
        );
    }
    // The same image by another way: it is here, and only its name is new.
    let steps = "2>&1 > /dev/null | jq -r .id";
    let again = host.ok(&format!("runpack load --trace oci:lay:two -t y {steps}"));
    assert_eq!(again, "image.name\n");
    assert_eq!(
        host.ok("runpack inspect x y | jq -r '.[].Id' | sort -u | wc -l && runpack gc"),
        "1\n0 blobs (0B), 0 layers, 0 temporary files\n"
    );
    // What was half on the disk when the power failed is unpacked once more.
    host.ok(
        "f=$(echo root/images/unpacked/*/layer.json | cut -d' ' -f1); : > $f; rm -r ${f%/*}/fs/*",
    );
    let again = host.ok(&format!("runpack load --trace packed.tar -t z {steps}"));
    assert_eq!(again, "store.begin\nlayer.take\nlayer.place\nimage.name\n");
    host.ok(
        "runpack gc && l=$(runpack inspect z | jq -r '.[0].GraphDriver.Data.LowerDir') && mkdir m
        unshare -m sh -c \"mount -t overlay -o lowerdir=$l none m && diff -r theirs/rootfs m\"",
    );
}

#[test]
fn of_an_archive_all_is_loaded_or_nothing() {
    let host = room();
    host.ok("runpack load oci:lay:two -t one:1 && umoci insert --image lay:two b /more && runpack load oci:lay:two -t two:2
        runpack save -o both.tar one:1 two:2 && rm -rf root && runpack load both.tar | sort > said && runpack images --jsonl | jq -r .name | sort > names");
    assert_eq!(
        host.ok("cat said names"),
        "Loaded image: one:1\nLoaded image: two:2\none:1\ntwo:2\n"
    );
    // The layer that only the second one has.
    host.ok("b=$(runpack inspect two:2 | jq -r '.[0].RepoDigests[0]' | cut -d: -f2-); b=root/images/blobs/sha256/${b#*:}
        b=$(jq -r '.layers[2].digest[7:]' $b); mkdir both && tar -C both -xf both.tar && printf X | dd of=both/blobs/sha256/$b bs=1 seek=60 conv=notrunc status=none
        tar -C both -cf both.tar . && rm -rf root");
    let (code, _, said) = host.outcome("runpack load both.tar");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("layer 3 of 3: checking blob"), "{said}");
    assert_eq!(
        host.ok("runpack images -q; find root/images/blobs root/images/unpacked root/images/tmp -mindepth 2"),
        ""
    );
}

#[test]
fn a_pipe_is_read_like_standard_input_and_a_device_is_not_read() {
    let host = room();
    host.ok("skopeo copy -q oci:lay:two docker-archive:web.tar:web && gzip -k web.tar && mkfifo pipe
        for file in web.tar web.tar.gz; do rm -rf root; cat $file > pipe & runpack load pipe && wait && runpack inspect web; done");
    let (code, _, said) = host.outcome("timeout -s KILL 20 runpack load /dev/zero");
    assert_eq!(
        (code, said.as_str()),
        (1, "runpack: open \"/dev/zero\": it is no regular file\n")
    );
}

#[test]
fn a_name_that_is_taken_moves_and_the_old_image_has_none() {
    let host = room();
    host.ok(
        "runpack load oci:lay:two -t web && runpack inspect web | jq -r '.[0].Id' > old
        umoci config --image lay:two --config.cmd other && runpack load oci:lay:two -t web",
    );
    let ids = host.ok("runpack inspect web $(cat old) | jq -c 'map([.Id, .RepoTags])' && cat old");
    let (all, old) = ids.trim().rsplit_once('\n').unwrap();
    let all: serde_json::Value = serde_json::from_str(all).unwrap();
    assert_eq!(all[0][1], serde_json::json!(["web:latest"]));
    assert_ne!(all[0][0], old);
    assert_eq!(
        (all[1][0].as_str().unwrap(), &all[1][1]),
        (old, &serde_json::json!([]))
    );
    assert_eq!(host.ok("runpack images | grep -c '<none>'"), "1\n");
}

#[test]
fn a_saved_archive_reads_nothing_but_itself() {
    let host = room();
    let says = |layers: &str| {
        host.ok(&format!("rm -rf root d d.tar; mkdir d; skopeo copy -q oci:lay:two docker-archive:d.tar:web && tar -C d -xf d.tar && rm d.tar
            jq -c '.[0].Layers = {layers}' d/manifest.json > m && mv m d/manifest.json && tar -C d -cf d.tar ."));
        let (code, _, said) = host.outcome("runpack load d.tar");
        assert_eq!(
            (code, said.lines().count()),
            (1, said.lines().count().min(2)),
            "{said}"
        );
        assert_eq!(host.ok("runpack images -q"), "");
        said
    };
    // Layers elsewhere: an absolute path of the host's, one that climbs, one that is not in it.
    assert!(says("[\"/etc/passwd\", \"../../a\"]").contains("it has no \"/etc/passwd\""));
    assert!(says("[\"none\", .[0].Layers[1]]").contains("it has no \"none\""));
    assert!(says("[.[0].Layers[0]]").contains("1 layers and 2 diff IDs"));
    // The same of a directory, which holds no other file than its own.
    says("[\"/etc/passwd\", \"../../a\"]");
    let (_, _, said) = host.outcome("runpack load docker-archive:d");
    assert!(
        said.contains("open \"d/etc/passwd\": No such file"),
        "{said}"
    );
}

#[test]
fn a_full_disk_stops_a_load_and_nothing_stays() {
    let host = room();
    host.ok("mkdir small b/more && head -c 6000000 /dev/urandom > b/more/f && umoci insert --image lay:two b /c");
    // In a mount namespace of its own, which takes the mount along.
    let said = host.ok("unshare -m sh -ec '
        mount -t tmpfs -o size=4m,mode=700 none small; export BOXKIT_ROOT=$PWD/small BOXKIT_RUN=$PWD/srun
        for tool in runpack rrun; do
          $tool load oci:lay:two 2> said && exit 9; cat said; runpack images -q
          find small/images/blobs small/images/unpacked small/images/tmp -type f
        done'");
    assert_eq!(said.matches("No space left on device").count(), 2, "{said}");
    assert_eq!(said.matches("/small is full: ").count(), 2, "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn of_a_layout_that_lists_the_platforms_itself_ours_is_taken() {
    let host = room();
    host.ok(&format!("{BLOB} set -eu
        of() {{ cp -r lay $1; umoci config --image $1:two --architecture $2; cp -n $1/blobs/sha256/* many/blobs/sha256/
            jq -c --argjson p \"$3\" '.manifests[0] | .platform = $p' $1/index.json; }}
        cp -r lay many
        of far arm64 '{{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}}' > list
        of six arm '{{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}}' >> list
        umoci config --image lay:two --config.user 5
        of near amd64 '{{\"os\":\"linux\",\"architecture\":\"amd64\"}}' >> list
        umoci config --image lay:two --config.user 7
        of seven arm '{{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}}' >> list
        jq -s '{{schemaVersion: 2, manifests: .}}' list > many/index.json
        runpack load oci:many:two -t ours; runpack load many -t all; runpack load --platform linux/arm64/v8 many -t far
        runpack load --platform linux/arm/v7 many -t seven; runpack load --platform linux/arm many -t six
        jq 'del(.manifests[].annotations)' many/index.json > i; mv i many/index.json; runpack load many -t nameless"));
    let of = |name: &str| {
        host.ok(&format!(
            "runpack inspect {name} | jq -r '.[0] | \"\\(.Architecture) \\(.Config.User // \"\")\"'"
        ))
    };
    for ours in ["ours", "all", "nameless"] {
        assert_eq!(of(ours), "amd64 5\n", "{ours}");
    }
    assert_eq!(
        (of("far"), of("six"), of("seven")),
        ("arm64 \n".into(), "arm \n".into(), "arm 7\n".into())
    );
    let (code, _, said) = host.outcome("runpack load --platform linux/arm64/v9 many");
    assert!(
        code == 1 && said.contains("it is for linux/arm64"),
        "{said}"
    );
}

#[test]
fn an_image_without_layers_is_one() {
    let host = room();
    host.ok(r#"printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers"}}' > config.json
        printf '[{"Config":"config.json","RepoTags":["none:1"],"Layers":null}]' > manifest.json; tar cf none.tar manifest.json config.json
        skopeo copy -q docker-archive:none.tar oci:none:2
        runpack load none.tar && runpack load oci:none:2 && runpack images && runpack unpack none:1 flat && test -z "$(ls -A flat)"
        runpack save -o saved.tar none:1 && runpack rmi none:1 none:2 && runpack load saved.tar"#);
    let said = host.ok("runpack inspect none:1 | jq -c '.[0] | [.Config.Cmd, .RootFS.Layers]'");
    assert_eq!(said, "[[\"x\"],[]]\n");
}

#[test]
fn a_layout_has_its_name_from_its_file() {
    let host = room();
    host.ok("set -eu; cp -r lay python3.11; cp -r lay Alp; tar -C lay -cf alp.tar .; gzip -k alp.tar; cp alp.tar one.oci; zstd -q alp.tar -o two.oci.zst
        cp alp.tar.gz three.tgz; cp alp.tar v1.2
        for f in python3.11 Alp alp.tar.gz one.oci two.oci.zst three.tgz v1.2; do runpack load $f; done");
    let names = host.ok("runpack inspect alp:two | jq -r '.[0].RepoTags | sort | join(\" \")'");
    assert_eq!(
        names,
        "alp:two one:two python3.11:two three:two two:two v1.2:two\n"
    );
}
