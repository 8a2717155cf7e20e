//! A store in which something is damaged: what that is, is said; a load mends it, its name goes, and nothing else is kept from working.

use super::*;

const NOTE: &str = "org.opencontainers.image.ref.name";

/// `one:1` and `two:1`, each in an archive of both forms and in one of docker's alone. `blob WHAT` prints where that blob of `one:1` is.
fn two() -> Room {
    let room = Room::new();
    room.sh("for n in one two; do mkdir $n; head -c 5000 /dev/urandom > $n/f; tar -C $n -c . | runpack import - $n:1 > $n.id
        runpack save -o $n.tar $n:1; skopeo copy -q docker-archive:$n.tar docker-archive:$n.docker:$n:1; done; cp -a root good");
    let script = format!(
        r#"manifest=$(jq -r '.manifests[] | select(.annotations["{NOTE}"] == "one:1").digest' root/images/index.json | cut -d: -f2)
at=root/images/blobs/sha256
case $1 in
manifest) echo $at/$manifest;;
config) echo $at/$(jq -r .config.digest $at/$manifest | cut -d: -f2);;
layer) echo $at/$(jq -r '.layers[0].digest' $at/$manifest | cut -d: -f2);;
esac
"#
    );
    fs::write(room.path("blob"), script).unwrap();
    room
}

const HARMS: [&str; 3] = [
    "rm $f",
    "truncate -s 100 $f",
    "printf XXXX | dd of=$f bs=1 seek=30 conv=notrunc status=none",
];

#[test]
fn a_damaged_image_is_mended_by_a_load() {
    let room = two();
    for blob in ["manifest", "config", "layer"] {
        for harm in HARMS {
            for from in ["one.tar", "one.docker"] {
                room.sh(&format!(
                    "rm -rf root && cp -a good root && f=$(sh blob {blob}) && {harm} && runpack load {from}"
                ));
                room.sh("rm -rf root/images/unpacked/* out; runpack unpack one:1 out && diff -r one out && runpack gc && skopeo inspect oci:root/images:one:1");
                assert_eq!(
                    room.sh("runpack images 2>&1 | awk 'NR > 1 {print $1}' | sort"),
                    "one\ntwo\n",
                    "{blob} {harm} {from}"
                );
            }
        }
    }
}

#[test]
fn a_layer_that_a_later_boxkit_unpacked_is_refused_in_words_and_stays() {
    let room = two();
    room.sh("for f in root/images/unpacked/*/layer.json; do jq '.version = 99' $f >$f.99; mv $f.99 $f; done");
    let before = room.sh("cat root/images/unpacked/*/layer.json");
    for verb in ["inspect one:1", "history one:1", "load one.tar"] {
        let out = room.try_sh(&format!("runpack {verb}"));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let wanted = "layer.json\": it is of version 99, and this boxkit knows 1\nhint: a later boxkit wrote it";
        assert!(
            verb.starts_with("load") || said.contains(wanted),
            "{verb}: {said}"
        );
        assert_eq!(
            room.sh("cat root/images/unpacked/*/layer.json"),
            before,
            "{verb}"
        );
    }
    room.sh("for f in root/images/unpacked/*/layer.json; do jq 'del(.version)' $f >$f.0; mv $f.0 $f; done; runpack history one:1");
}

#[test]
fn a_damaged_image_is_in_nobodys_way_and_goes_by_its_name() {
    let room = two();
    for blob in ["manifest", "config"] {
        for harm in HARMS {
            room.sh(&format!(
                "rm -rf root && cp -a good root && f=$(sh blob {blob}) && {harm}"
            ));
            let listed = room.sh("runpack images 2> said | awk 'NR > 1 {print $1}'");
            let said = room.sh("cat said");
            assert_eq!(listed, "two\n", "{blob} {harm}: {said}");
            assert!(
                said.starts_with("runpack: passing over image \"one:1\": ")
                    && said.lines().count() == 1,
                "{said}"
            );
            // A container may have its layers mounted.
            let count = "ls root/images/unpacked | wc -l";
            let before = room.sh(count);
            room.sh("runpack gc && rm -rf out && runpack unpack two:1 out && diff -r two out && runpack tag two:1 more");
            if harm != HARMS[0] {
                assert_eq!(room.sh(count), before, "{blob} {harm}");
            }
            let gone = room.sh("runpack rmi one:1");
            assert!(
                gone.starts_with("Untagged: one:1\nDeleted: "),
                "{blob} {harm}: {gone}"
            );
            assert_eq!(
                room.sh("runpack images -q 2>&1 | sort -u | wc -l").trim(),
                "1"
            );
            assert_eq!(room.sh(count).trim(), "1");
            assert_eq!(room.sh("ls root/images/blobs/sha256 | wc -l").trim(), "3");
        }
    }
}

#[test]
fn an_artifact_beside_is_passed_over() {
    let room = two();
    let script = format!(
        r#"cd root/images
h=$(printf '{{}}' | sha256sum | cut -c-64); printf '{{}}' > blobs/sha256/$h; t=application/vnd.oci
printf '{{"schemaVersion":2,"mediaType":"%s.image.manifest.v1+json","config":{{"mediaType":"%s.empty.v1+json","digest":"sha256:%s","size":2}},"layers":[]}}' $t $t $h > m
h=$(sha256sum < m | cut -c-64); s=$(stat -c %s m); mv m blobs/sha256/$h
jq -c ".manifests += [{{mediaType: \"$t.image.manifest.v1+json\", digest: \"sha256:$h\", size: $s, annotations: {{\"{NOTE}\": \"sbom\"}}}}]" index.json > new
mv new index.json"#
    );
    room.sh(&script);
    let names = "runpack images 2> said | awk 'NR > 1 {print $1}' | sort";
    assert_eq!(room.sh(names), "one\ntwo\n");
    assert!(room.sh("cat said").contains("image \"sbom:latest\""));
    room.sh("runpack rmi one:1; runpack load two.tar; runpack gc");
    assert_eq!(room.sh("ls root/images/blobs/sha256 | wc -l").trim(), "5");
    room.sh("runpack rmi sbom");
    assert_eq!(room.sh(names), "two\n");
    assert_eq!(
        room.sh("cat said; ls root/images/blobs/sha256 | wc -l")
            .trim(),
        "3"
    );
}

#[test]
fn the_way_out_of_a_damaged_index_works() {
    let room = two();
    room.sh("cp one.id root/images/pins/box; truncate -s 40 root/images/index.json");
    for verb in ["images", "load one.tar", "gc"] {
        let (code, said) = room.fails(&format!("runpack {verb}"));
        assert_eq!((code, said.lines().count()), (1, 2), "{said}");
        assert!(said.starts_with("runpack: reading index "), "{said}");
        let hint = said
            .split_once("hint: the file is damaged: ")
            .expect(&said)
            .1;
        fs::write(room.path("way"), hint.split(", then").next().unwrap()).unwrap();
    }
    // What somebody uses stays meanwhile.
    room.sh("sh way && runpack gc");
    assert_eq!(room.sh("ls root/images/unpacked | wc -l").trim(), "1");
    room.sh("runpack load one.tar && runpack load two.tar && runpack unpack one:1 out && diff -r one out");
    assert_eq!(room.sh("runpack images -q | wc -l").trim(), "2");
}
