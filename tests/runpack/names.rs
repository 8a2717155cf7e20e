//! Which image a text means, and which texts mean none.

use super::*;

/// Two images of one file each, `one:1` and `two:1`; their IDs.
fn two(room: &Room) -> [String; 2] {
    ["one", "two"].map(|name| {
        let import = format!(
            "mkdir {name} && echo {name} > {name}/f && tar -C {name} -c . | runpack import - {name}:1"
        );
        room.sh(&import).trim().to_owned()
    })
}

#[test]
fn a_digest_after_a_name_is_that_names_and_whole() {
    let room = Room::new();
    let [one, other] = two(&room);
    let digest = room.sh("skopeo inspect --raw oci:root/images:two:1 | sha256sum | cut -c-64");
    let digest = format!("sha256:{}", digest.trim());
    let first = &other[7..8];
    for wanted in [
        format!("typo@{first}"),
        format!("two@{first}"),
        format!("two@{}", &other[..20]),
        format!("one:99@{digest}"),
        format!("typo@{other}"),
        format!("two@{one}"),
    ] {
        for line in [
            format!("rmi {wanted}"),
            format!("inspect {wanted}"),
            format!("tag {wanted} x"),
        ] {
            let (code, said) = room.fails(&format!("runpack {line}"));
            assert_eq!(code, 1, "{line}: {said}");
            assert!(said.contains("not in the store"), "{line}: {said}");
        }
    }
    for wanted in [
        format!("two@{digest}"),
        format!("two:9@{digest}"),
        format!("docker.io/library/two@{other}"),
    ] {
        let found = room.json(&format!("runpack inspect {wanted}"));
        assert_eq!(found[0]["Id"], other.as_str(), "{wanted}");
    }
    room.sh(&format!("runpack rmi two@{digest}"));
    assert_eq!(room.sh("runpack images | awk 'NR > 1 {print $1}'"), "one\n");
}

#[test]
fn an_id_is_nobodys_name() {
    let room = Room::new();
    let [one, other] = two(&room);
    for name in [
        "sha256:abc",
        &one,
        &one[7..],
        &format!("docker.io/library/{one}"),
    ] {
        let (code, said) = room.fails(&format!("runpack tag two:1 {name}"));
        assert_eq!(code, 2, "{name}: {said}");
        assert!(
            said.contains("ambiguous tag") || said.contains("64-byte hexadecimal"),
            "{name}: {said}"
        );
    }
    // An archive that says so all the same gets no name, and the good one can be loaded after it.
    room.sh("runpack save -o good.tar one:1; runpack save -o bad.tar two:1; mkdir x; tar -C x -xf bad.tar; rm x/index.json");
    room.sh(&format!(
        "jq -c '.[0].RepoTags = [\"{one}\"]' x/manifest.json > m && mv m x/manifest.json && tar -C x -cf bad.tar . && runpack rmi one:1 two:1"
    ));
    assert_eq!(
        room.sh("runpack load bad.tar"),
        format!("Loaded image ID: {other}\n")
    );
    assert_eq!(room.fails(&format!("runpack inspect {one}")).0, 1);
    room.sh("runpack load good.tar && runpack unpack one:1 out && diff -r one out");
    let found = room.json(&format!("runpack inspect {one}"));
    assert_eq!(found[0]["Id"], one.as_str());
}

#[test]
fn a_table_that_is_piped_into_rmi_deletes_nothing() {
    let room = Room::new();
    two(&room);
    let (code, said) = room.fails("runpack images | runpack rmi -");
    assert_eq!(code, 2, "{said}");
    assert!(
        said.ends_with(
            "is the head of a table, not a name\nhint: runpack images -q prints the names alone\n"
        ),
        "{said}"
    );
    assert_eq!(room.sh("runpack images -q").lines().count(), 2);
}

#[test]
fn what_images_prints_for_programs_is_a_list_of_names() {
    let room = Room::new();
    for flag in ["--json", "--jsonl"] {
        let [one, other] = two(&room);
        room.sh("runpack tag one:1 more && rm -r one two");
        assert_eq!(
            room.sh(&format!("runpack images {flag} two | runpack rmi -")),
            format!("Untagged: two:1\nDeleted: {other}\n"),
            "{flag}"
        );
        // By its names: an ID that has two would be refused.
        assert_eq!(
            room.sh(&format!("runpack images {flag} | runpack rmi -")),
            format!("Untagged: more:latest\nUntagged: one:1\nDeleted: {one}\n"),
            "{flag}"
        );
        assert_eq!(room.sh("runpack images -q"), "", "{flag}");
        let none = format!("runpack images {flag} | runpack rmi -");
        assert_eq!(room.sh(&none), "", "{flag}");
    }
}
