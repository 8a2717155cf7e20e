//! `umount`, `diff`, `list`, and what a dry run, `--explain` and `--trace` show.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn unmounting_is_exact() {
    let room = Room::new();
    assert_eq!(
        room.fails(1, "rmount umount m"),
        "rmount: unmounting \"ROOM/m\": nothing is mounted there\n"
    );
    assert_eq!(
        room.fails(1, "rmount umount mm"),
        "rmount: unmounting \"ROOM/mm\": no such file or directory\nhint: did you mean \"ROOM/m\"?\n"
    );
    room.ok("rmount umount --force m nowhere");
    room.ok("mount -t tmpfs a m; mount -t tmpfs b m; rmount umount m; test $(findmnt -no SOURCE m) = a; rmount umount m; ! findmnt m");
    let both = room.fails(1, "mount -t tmpfs a m; rmount umount nowhere m; ");
    assert_eq!(
        both,
        "rmount: unmounting \"ROOM/nowhere\": no such file or directory\n"
    );
    room.ok("mount -t tmpfs a m; mkdir m/n; mount -t tmpfs b m/n; rmount list --under m -q | tac | rmount umount -; ! findmnt m");
    room.ok("mount -t tmpfs a m; rmount list --under m --jsonl | rmount umount -; ! findmnt m");
    assert_eq!(
        room.fails(
            2,
            "echo '{\"kind\":\"netns\",\"name\":\"m\"}' | rmount umount -"
        ),
        "rmount: reading \"m\" from standard input: it is a netns, not a mount\n"
    );
}

#[test]
fn an_odd_name_goes_through_a_pipe_as_it_is() {
    let room = Room::new();
    room.ok("mkdir 'm '; mount -t tmpfs a m; mount -t tmpfs b 'm '; printf '%s\\n' \"$PWD/m \" | rmount umount -
         findmnt m; ! findmnt 'm '");
    room.ok("t=\"$PWD/$(printf 'm/t\\tab ')\"; mount -t tmpfs a m; mkdir \"$t\"; mount -t tmpfs b \"$t\"
         rmount list --under m -q | tac | rmount umount -; ! findmnt m");
}

/// Two lines would be two names, and escaped it would be another mount's, which would be unmounted.
#[test]
fn a_name_with_a_line_break_is_no_line() {
    let room = Room::new();
    let two = "t=$(printf 'x\\ny'); mkdir \"$t\" 'x\\ny'; rmount tmpfs \"$t\" >named; mount -t tmpfs b 'x\\ny'";
    let said = room.fails(1, &format!("{two}; [ ! -s named ]; code=0; rmount list --under $PWD -q >list || code=$?; rmount umount - <list; findmnt -rno TARGET | grep -c \"^$PWD/x\" >left; exit $code"));
    let line = "rmount: listing \"ROOM/x\\ny\": the name has a line break\n";
    let hint = "--jsonl prints it, as - of other verbs reads it\n";
    assert_eq!(
        said,
        format!("{line}hint: rmount list {hint}{line}hint: {hint}")
    );
    let left = std::fs::read_to_string(room.path("left")).unwrap();
    let list = std::fs::read_to_string(room.path("list")).unwrap();
    assert_eq!((left.as_str(), list.lines().count()), ("1\n", 1), "{list}");
    room.ok(&format!("rmdir x*; {two} 2>/dev/null; rmount list --under $PWD --jsonl | rmount umount -; ! findmnt -rno TARGET | grep \"^$PWD/x\""));
}

#[test]
fn a_busy_mount_names_who_holds_it() {
    let room = Room::new();
    let script = format!(
        "mount -t tmpfs a m; sleep 60 <m & trap 'kill '$! EXIT; {ASLEEP}; echo $! >pid; rmount umount m"
    );
    let said = room.fails(1, &script);
    let pid = std::fs::read_to_string(room.path("pid")).unwrap();
    let expected = format!(
        "rmount: unmounting \"ROOM/m\": it is in use by process {} \"sleep\" (fd 0)\nhint: end them, or --lazy detaches it now and lets it go when the last of them leaves\n",
        pid.trim()
    );
    assert_eq!(said, expected);
    let cwd = room.fails(1, "mount -t tmpfs a m; cd m; rmount umount .");
    assert!(cwd.contains("\"sh\" (cwd)"), "{cwd}");
    let nested = room.fails(
        1,
        "mount -t tmpfs a m; mkdir m/n; mount -t tmpfs b m/n; rmount umount m",
    );
    assert_eq!(
        nested,
        "rmount: unmounting \"ROOM/m\": it is in use by a mount at \"ROOM/m/n\"\nhint: --recursive unmounts what is mounted beneath it first\n"
    );
    room.ok("mount -t tmpfs a m; mkdir m/n; mount -t tmpfs b m/n; rmount umount -R m; ! findmnt m");
    room.ok("mount -t tmpfs a m; cd m; rmount umount --lazy .; cd ..; ! findmnt m");
}

#[test]
fn diff_is_what_changed() {
    let room = Room::new();
    room.write("l1/dir/a", "a");
    room.write("l1/dir/b", "b");
    room.write("l2/dir/c", "c");
    room.write("l2/gone/x", "x");
    let changes = "echo x >m/new; echo more >>m/below; rm -r m/gone; rm -r m/dir; mkdir m/dir; echo B >m/dir/b; ln -s to m/link; \
                   mkdir m/d; mv m/both m/d/moved; rm m/new; echo x >m/new";
    let out = room.ok(&format!("{OVERLAY} >/dev/null; {changes}; rmount diff m"));
    let expected = "C /below\nD /both\nA /d\nA /d/moved\nC /dir\nD /dir/a\nD /dir/c\nC /dir/b\nD /gone\nA /link\nA /new\n";
    assert_eq!(out, expected);
    assert_eq!(
        room.ok("rmount diff up l1 l2"),
        expected,
        "the same from the directories alone"
    );
    let alone = room.ok("rmount diff up");
    assert!(
        alone.contains("C /below\n") && alone.contains("A /new\n") && alone.contains("D /gone\n"),
        "{alone}"
    );
    let json: Value = serde_json::from_str(&room.ok("rmount diff up l1 l2 --json")).unwrap();
    assert_eq!(json[0]["kind"], "change");
    assert_eq!(json[0]["change"], "changed");
}

#[test]
fn diff_follows_a_renamed_directory() {
    let room = Room::new();
    room.write("l1/old/x", "x");
    room.write("l2/old/deep/y", "y");
    let verb = format!("{OVERLAY} --redirect-dir on --metacopy on >/dev/null");
    let out = room.ok(&format!(
        "{verb}; mv m/old m/new; rm m/new/x; echo z >m/new/z; chmod 600 m/below; rmount diff m"
    ));
    assert_eq!(
        out,
        "C /below\nA /new\nA /new/deep\nA /new/deep/y\nA /new/z\nD /old\n"
    );
    let json: Value = serde_json::from_str(&room.ok("rmount diff up l1 l2 --json")).unwrap();
    assert_eq!(json[0]["metadata_only"], true);
    assert_eq!(json[1]["redirect"], "/old");
    let plain = room.ok("rmount diff --jsonl up l1 l2 | head -n 1");
    assert!(plain.contains("\"schema\":1"), "{plain}");
}

#[test]
fn a_directory_renamed_and_renamed_back_has_not_changed_inside() {
    let room = Room::new();
    room.write("l1/dir/x", "x");
    room.write("l1/dir/y", "y");
    let verb = format!("{OVERLAY} --redirect-dir on >/dev/null");
    let out = room.ok(&format!(
        "{verb}; mv m/dir m/other; mv m/other m/dir; rm m/dir/y; touch m/dir/z; rmount diff m"
    ));
    assert_eq!(out, "C /dir\nD /dir/y\nA /dir/z\n");
}

#[test]
fn diff_reads_a_mount_point_from_standard_input() {
    let room = Room::new();
    let out = room.ok(&format!(
        "{OVERLAY} >/dev/null; touch m/new; rmount list --kind overlay --under m --jsonl | rmount diff -"
    ));
    assert_eq!(out, "A /new\n");
    assert_eq!(room.ok("rmount diff - </dev/null"), "");
    let two = room.fails(2, "printf '%s\\n' up l1 | rmount diff -");
    assert_eq!(
        two,
        "rmount: reading changes: 2 mounts are named\nhint: name one\n"
    );
}

#[test]
fn a_mount_point_that_is_not_utf_8_is_listed_and_goes_through_a_pipe() {
    let room = Room::new();
    let odd = "odd=$(printf 'm/\\351'); mkdir -p \"$odd\"; mount -t tmpfs t \"$odd\"";
    let lower = "low=$(printf 'l\\377'); mkdir -p \"$low\"; \
        rmount overlay -l \"$low\" -l l2 -m n >/dev/null; rmount umount n; \
        mkdir -p n; rmount overlay -l \"$low\" -l l2 n >/dev/null";
    room.ok(&format!(
        "mkdir n; {odd}; {lower}; rmount list --json | jq -e length >/dev/null
        for form in -q --jsonl --json; do
            [ -d /proc/self ] && findmnt \"$odd\" >/dev/null
            rmount list $form --under m | rmount umount -
            ! findmnt \"$odd\" >/dev/null
            mount -t tmpfs t \"$odd\"
        done"
    ));
    let names = room.ok(&format!(
        "{odd}; rmount list --jsonl --under m | jq -c '.name[-3:]'"
    ));
    assert_eq!(names, "[109,47,233]\n");
}

#[test]
fn a_busy_mount_does_not_count_the_command_that_unmounts_it() {
    let room = Room::new();
    let said = room.fails(1, "mount -t tmpfs t m; cd m; rmount umount .");
    assert!(
        !said.contains("\"rmount\"") && said.contains("\"sh\" (cwd)"),
        "{said}"
    );
}

#[test]
fn a_link_to_nothing_is_said_to_be_one() {
    let room = Room::new();
    let reason = "it is a symbolic link to \"nowhere\", which does not exist";
    for (verb, doing) in [
        ("bind src link", "binding at"),
        ("tmpfs link", "mounting a tmpfs at"),
        ("tmpfs -m link", "making directory"),
        ("bind -m src/page link", "making"),
        ("bind --create=dir link m", "making directory"),
        (
            "overlay -l l1 -l l2 link",
            "mounting an overlay at \"ROOM/link\": mount point",
        ),
        (
            "overlay -l l1 -l link m",
            "mounting an overlay at \"ROOM/m\": lower",
        ),
        (
            "overlay -l l1 --upper link --work wk m",
            "mounting an overlay at \"ROOM/m\": upper",
        ),
        ("overlay -m -l l1 -l l2 link", "making directory"),
    ] {
        let said = room.fails(1, &format!("ln -sfn nowhere link; rmount {verb}"));
        // No hint: neither is another name meant, nor can anything be made there.
        assert_eq!(said, format!("rmount: {doing} \"ROOM/link\": {reason}\n"));
    }
}

#[test]
fn a_list_of_all_mounts_does_not_take_the_system_down() {
    let room = Room::new();
    let said = room.fails(2, "rmount list -q | rmount umount -");
    assert!(said.contains("from a list: it is the system's"), "{said}");
    assert!(said.contains("--all-owners"), "{said}");
    room.ok("mount -t tmpfs t m; rmount ls -q --under m | rmount unmount -; ! findmnt m");
}

#[test]
fn an_upper_becomes_a_lower_and_its_marks_still_count() {
    let room = Room::new();
    room.write("l1/old/x", "x");
    let first =
        format!("{OVERLAY} --redirect-dir on >/dev/null; mv m/old m/new; rm m/both; umount m");
    let second = "mkdir u2 w2; rmount overlay -l up -l l1 -l l2 --upper u2 --work w2 --redirect-dir on m >/dev/null; \
                  echo y >m/both; rm m/new/x; rmount diff m";
    assert_eq!(
        room.ok(&format!("{first}; {second}")),
        "A /both\nC /new\nD /new/x\n"
    );
}

#[test]
fn list_is_what_findmnt_shows() {
    let room = Room::new();
    let script = format!(
        "{OVERLAY} >/dev/null; mkdir t; rmount tmpfs --noexec t >/dev/null; rmount list --under . --json"
    );
    let listed: Value = serde_json::from_str(&room.ok(&script)).unwrap();
    let list = listed.as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["upper"], room.path("up").to_str().unwrap());
    assert_eq!(list[0]["lowers"][1], room.path("l2").to_str().unwrap());
    assert_eq!(
        (&list[1]["fstype"], &list[1]["kind"]),
        (&"tmpfs".into(), &"mount".into())
    );
    room.ok("rmount list -q >ours; findmnt -l -n -o TARGET >theirs; cmp ours theirs");
    let table = room
        .ok("mkdir 'a b'; rmount tmpfs 'a b' >/dev/null; rmount list --kind tmpfs --under 'a b'");
    assert!(
        table.starts_with("TARGET") && table.contains("/a b"),
        "{table}"
    );
}

#[test]
fn a_dry_run_changes_nothing_and_replayed_leaves_the_same() {
    let room = Room::new();
    let reset = "rm -rf up wk n c root run script; mkdir up wk";
    for (verb, at) in [
        (OVERLAY, "m"),
        (
            "rmount overlay -m -l l1 -l l2 --upper up --work wk --redirect-dir off --metacopy off --nosuid --ro n/m",
            "n/m",
        ),
        ("rmount overlay -l l1 -l l2 m", "m"),
        ("rmount bind src m", "m"),
        ("rmount bind --ro --nosuid --nodev src m", "m"),
        (
            "mount -t tmpfs s src/sub; rmount bind --rbind --ro --noexec src m",
            "m",
        ),
        ("rmount bind --propagation shared src m", "m"),
        ("rmount bind -m --create=file c/f n/f", "n/f"),
        ("rmount tmpfs --size 1m --mode 711 --noexec m", "m"),
        ("rmount tmpfs m", "m"),
        (
            "mount -t tmpfs a m; mount -t tmpfs b m; rmount umount m",
            "m",
        ),
        (
            "mount -t tmpfs k m; mkdir m/n; mount -t tmpfs a m/n; mkdir m/n/o; mount -t tmpfs b m/n/o; rmount umount -R m/n",
            "m",
        ),
    ] {
        let seen = |script: &str| {
            let columns = "TARGET,SOURCE,FSTYPE,VFS-OPTIONS,FS-OPTIONS,FSROOT,PROPAGATION";
            let seen = room.ok(&format!(
                "{{ :; {script}\n}} >/dev/null 2>&1; findmnt -n -R -o {columns} {at} || :; find . | sort"
            ));
            room.ok(reset);
            seen
        };
        let made_first = &verb[..verb.rfind("rmount ").unwrap()];
        assert_eq!(seen(made_first), seen(&dry_run(verb)), "{verb}");
        let ours = room.mounts(&format!("{verb} 2>/dev/null"), at);
        room.ok(reset);
        let dry = room.mounts(
            &format!("{} 2>/dev/null >script; sh script", dry_run(verb)),
            at,
        );
        room.ok(reset);
        assert_eq!(ours, dry, "{verb}");
    }
}

#[test]
fn explain_and_trace_tell_each_step() {
    let room = Room::new();
    let out = room.sh("rmount tmpfs -m --explain=sh n/m");
    let said = text(&out.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let begin = |line: usize, text: &str| assert!(lines[line].starts_with(text), "{said}");
    begin(0, "the root");
    begin(1, "  1  Make directory ");
    assert!(lines[1].ends_with(" ms"), "{said}");
    begin(2, "         mkdir -p ");
    begin(3, "  2  Mount a tmpfs on ");
    begin(4, "         mount -t tmpfs tmpfs ");
    begin(5, "2 steps, ");
    assert_eq!(lines.len(), 6, "{said}");
    let out = room.sh("rmount tmpfs --trace m");
    let line: Value = serde_json::from_slice(&out.stderr).unwrap();
    assert_eq!(
        (&line["id"], &line["ok"]),
        (&"tmpfs.mount".into(), &true.into())
    );
}

#[test]
fn a_symlink_as_mount_point_is_where_it_leads() {
    let room = Room::new();
    symlink("m", room.path("link")).unwrap();
    let out = room.ok("rmount tmpfs link; rmount umount link; ! findmnt m >/dev/null");
    assert_eq!(out, format!("{}\n", room.path("m").display()));
}

#[test]
fn without_root_it_says_so_before_anything() {
    let room = Room::new();
    let out = room.sh("chmod 755 .; cp $(command -v rmount) ./rmount; setpriv --reuid 65534 --regid 65534 --clear-groups ./rmount tmpfs m");
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(
        text(&out.stderr),
        "rmount: mounting a tmpfs: root is needed, and we are user 65534\nhint: run it with sudo\n"
    );
}

#[test]
fn a_table_that_is_piped_into_umount_is_refused() {
    let room = Room::new();
    let said = room.fails(
        2,
        "rmount tmpfs m >&2; rmount list --under . | rmount umount -",
    );
    assert!(
        said.contains(
            "is the head of a table, not a name\nhint: rmount list -q prints the names alone\n"
        ),
        "{said}"
    );
}

#[test]
fn an_empty_word_is_called_that() {
    let said = Room::new().fails(2, "rmount tmpfs ''");
    assert!(said.starts_with("rmount: TARGET is empty\n"), "{said}");
}
