//! Many names at once: from a pipe, from a table, from an array.

use super::*;

#[test]
fn nothing_on_standard_input_does_nothing() {
    let room = Room::new();
    assert_eq!(
        room.ok("rnetns add - </dev/null; rnetns del - </dev/null; ip netns list"),
        ""
    );
}

#[test]
fn an_array_is_a_list_of_names() {
    let room = Room::new();
    assert_eq!(
        room.ok("rnetns add a b >&2; rnetns list --json >list; rnetns del -- - <list; rnetns add - <list; ip netns list | sort"),
        "a\nb\na\nb\n"
    );
}

/// Many names are one process, one journal, one watch for signals.
#[test]
fn a_pipe_of_many_names_is_one_verb() {
    let room = Room::new();
    let counted = |verb: &str| {
        let command = format!("rnetns {verb} - <names >&2");
        kit_test::counted(&command, &["signalfd4", "rename", "socket"])
    };
    let (add, del) = (counted("add"), counted("del"));
    let count = "ip netns list | grep -c ^n || :";
    let text = room.ok(&format!(
        "seq 30 | sed 's/^/n/' >names; {add}; {count}; {del}; {count}"
    ));
    let counts: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    // A socket in each namespace brings its lo up; one tells the journal which namespace it is written in.
    assert_eq!(counts[..5], [1, 1, 1, 31, 30]);
    let [process, deleting @ .., left] = &counts[5..] else {
        panic!("{counts:?}");
    };
    assert_eq!((process, left), (&1, &0), "{counts:?}");
    assert!(deleting.iter().all(|calls| *calls <= 1), "{counts:?}");
}

#[test]
fn a_pasted_table_deletes_nothing() {
    let room = Room::new();
    for list in [
        "$(rnetns list)",
        "$(rnetns list | awk '{print $1}')",
        "- <list",
    ] {
        assert_eq!(
            room.0.fails(2, &format!("rnetns add a b >&2; rnetns list >list; rnetns del {list} 2>said && exit 9; code=$?; cat said >&2; ip netns del a; ip netns del b; exit $code")).lines().last(),
            Some("hint: rnetns list -q prints the names alone"),
            "{list}"
        );
    }
}

/// Neither deleted nor made of each row.
#[test]
fn a_table_that_is_piped_into_a_verb_is_refused() {
    let room = Room::new();
    for verb in ["add", "del"] {
        let said = room.0.fails(
            2,
            &format!("rnetns add a b >&2; rnetns list | rnetns {verb} -"),
        );
        assert!(
            said.ends_with(
                "is the head of a table, not a name\nhint: rnetns list -q prints the names alone\n"
            ),
            "{verb}: {said}"
        );
    }
    assert_eq!(room.ok("rnetns add NAME"), "NAME\n");
}

/// The names of ip(8) are everybody's; those that a container engine drew are its own.
#[test]
fn a_list_of_all_names_spares_those_of_container_engines() {
    let room = Room::new();
    let uuid = "0b2ad1f0-1c2d-4e5f-8a9b-0123456789ab";
    for (theirs, owner) in [
        (format!("cni-{uuid}"), "CNI"),
        (format!("netns-{uuid}"), "podman"),
        (uuid.to_owned(), "CRI-O"),
    ] {
        let made = format!("ip netns add {theirs}; ip netns add of-ip; rnetns add ours >/dev/null");
        let left = "ip netns list | sed 's/ .*//'";
        let out = room.sh(&format!(
            "{made}; code=0; rnetns list -q | rnetns del - || code=$?; {left} | wc -l; exit $code"
        ));
        assert_eq!(out.status.code(), Some(2), "{theirs}");
        assert_eq!(out.stdout, b"3\n", "nothing is deleted: {theirs}");
        assert_eq!(
            String::from_utf8(out.stderr).unwrap(),
            format!(
                "rnetns: deleting network namespace \"{theirs}\" from a list: it is {owner}'s\n\
                 hint: leave it out of the list, or --all-owners deletes what others made too\n"
            )
        );
        for (verb, stays) in [
            (
                format!("rnetns list -q | grep -v {uuid} | rnetns del -"),
                format!("{theirs}\n"),
            ),
            (
                "rnetns list --json | rnetns del --all-owners -".to_owned(),
                String::new(),
            ),
            // Whoever types a name means it.
            (format!("rnetns del of-ip ours {theirs}"), String::new()),
        ] {
            assert_eq!(room.ok(&format!("{made}; {verb}; {left}")), stays, "{verb}");
        }
    }
}

#[test]
fn what_is_made_goes_by_a_pipe() {
    let room = Room::new();
    assert_eq!(
        room.ok("ip netns add there; rnetns add a 'b c' | rnetns del -; ip netns list"),
        "there\n"
    );
}
