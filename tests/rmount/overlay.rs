//! Overlays: what is on top, what reaches the kernel, what cannot be and why.

use super::*;

#[test]
fn an_overlay_stacks_topmost_first_and_writes_to_the_upper() {
    let room = Room::new();
    let out = room.ok(&format!(
        "{OVERLAY}; cat m/both m/below; echo new >m/file; rm m/below; stat -c %F up/below"
    ));
    assert_eq!(
        out,
        format!(
            "{}\nonetwocharacter special file\n",
            room.path("m").display()
        )
    );
    assert_eq!(
        std::fs::read_to_string(room.path("up/file")).unwrap(),
        "new\n"
    );
    assert_eq!(
        std::fs::read_to_string(room.path("l2/below")).unwrap(),
        "two",
        "the lower is untouched"
    );
}

#[test]
fn options_reach_the_kernel() {
    let room = Room::new();
    let found = room.mounts(
        &format!(
            "{} --redirect-dir on --metacopy on --volatile --nosuid m",
            OVERLAY.trim_end_matches(" m")
        ),
        "m",
    );
    let options = |key: &str| first(&found)[key].as_str().unwrap().to_owned();
    assert!(options("vfs-options").contains("nosuid"), "{found}");
    for wanted in ["redirect_dir=on", "metacopy=on", "volatile"] {
        assert!(options("fs-options").contains(wanted), "{wanted}: {found}");
    }
}

#[test]
fn any_character_may_be_in_a_path() {
    let room = Room::new();
    for odd in [
        "a:b", "a,b", "a\\b", "a b", "a\"b", "a'b", "$(x)", "-l", "é\n",
    ] {
        let (lower, upper, work) = (
            format!("{odd}/lo"),
            format!("{odd}/up"),
            format!("{odd}/wk"),
        );
        for dir in [&lower, &upper, &work] {
            std::fs::create_dir_all(room.path(dir)).unwrap();
        }
        room.write(&format!("{lower}/seen"), odd);
        let quoted = format!("'{}'", odd.replace('\'', r"'\''"));
        let verb = format!(
            "rmount overlay -l ./{quoted}/lo -l l1 --upper ./{quoted}/up --work ./{quoted}/wk m"
        );
        let check = "cat m/seen; : >m/written";
        assert_eq!(room.ok(&format!("{verb} >/dev/null; {check}")), odd);
        assert!(room.path(&upper).join("written").exists());
        let replayed = room.ok(&format!(
            "{} >script; sh script >/dev/null; {check}",
            dry_run(&verb)
        ));
        assert_eq!(replayed, odd);
        let diff = room.ok(&format!("{verb} >/dev/null; rmount diff m"));
        assert_eq!(diff, "A /written\n", "{odd}");
    }
}

#[test]
fn more_layers_than_fit_a_page() {
    let room = Room::new();
    let many: Vec<String> = (0..200)
        .map(|n| format!("-l layers/of-a-rather-long-name-number-{n}"))
        .collect();
    let many = many.join(" ");
    for n in 0..200 {
        room.write(&format!("layers/of-a-rather-long-name-number-{n}/f{n}"), "");
    }
    let verb = format!("rmount overlay {many} m");
    assert_eq!(
        room.ok(&format!(
            "{verb} >/dev/null; ls m | wc -l; findmnt -no FSTYPE m"
        )),
        "200\noverlay\n"
    );
    assert!(
        room.ok(&dry_run(&verb))
            .contains("\nrmount overlay --lower ")
    );
    assert_eq!(
        room.ok(&format!(
            "{} >script; sh script >/dev/null; ls m | wc -l",
            dry_run(&verb)
        )),
        "200\n"
    );
    let listed = room.ok(&format!(
        "{verb} >/dev/null; rmount list --kind overlay --under m --json"
    ));
    assert_eq!(
        serde_json::from_str::<Value>(&listed).unwrap()[0]["lowers"]
            .as_array()
            .unwrap()
            .len(),
        200
    );
}

#[test]
fn many_layers_and_a_backslash_in_the_upper() {
    let room = Room::new();
    for dir in ["up\\1", "wk\\,1", "up\\\\1", "wk\\\\,1"] {
        std::fs::create_dir_all(room.path(dir)).unwrap();
    }
    room.write("up1/theirs", "");
    std::fs::create_dir_all(room.path("wk,1")).unwrap();
    let many: Vec<String> = (0..60)
        .map(|n| {
            let name = format!("layers/{n}-{}", "of-a-rather-long-name-".repeat(4));
            std::fs::create_dir_all(room.path(&name)).unwrap();
            format!("-l {name}")
        })
        .collect();
    let verb = format!(
        "rmount overlay {} --upper 'up\\1' --work 'wk\\,1' m >/dev/null",
        many.join(" ")
    );
    let shown = room.ok(&format!(
        "{verb}; ls m; echo new >m/written; rmount diff m; rmount list --under m --jsonl"
    ));
    let (diff, listed) = shown.split_once('\n').unwrap();
    assert_eq!(diff, "A /written");
    let listed: Value = serde_json::from_str(listed).unwrap();
    assert_eq!(listed["upper"], room.path("up\\1").to_str().unwrap());
    assert!(room.path("up\\1/written").exists());
    assert!(room.path("up1/theirs").exists() && !room.path("up1/written").exists());
}

#[test]
fn the_true_cause_of_an_overlay_that_cannot_be() {
    let room = Room::new();
    room.write("wk2/left", "");
    room.write("file", "");
    std::fs::create_dir_all(room.path("l1/in/up")).unwrap();
    std::fs::create_dir_all(room.path("up2")).unwrap();
    let on = |args: &str| format!("rmount overlay {args} m");
    let at = "rmount: mounting an overlay at \"ROOM/m\": ";
    for (args, said) in [
        (
            "-l l1 -l l3",
            "lower \"ROOM/l3\" does not exist\nhint: did you mean \"ROOM/l1\"?\n",
        ),
        ("-l l1 -l file", "lower \"ROOM/file\" is not a directory\n"),
        (
            "-l l1",
            "one lower and no upper: the kernel wants at least two lowers then\nhint: rmount bind --ro \"ROOM/l1\" TARGET does that, or add --upper and --work\n",
        ),
        (
            "-l l1 -l l2 -l l1",
            "the same directory is there twice: \"ROOM/l1\" as lower and as lower\nhint: give each layer a directory tree of its own\n",
        ),
        (
            "-l l1 --upper l1/in/up --work wk",
            "upper \"ROOM/l1/in/up\" lies inside lower \"ROOM/l1\"\nhint: give each layer a directory tree of its own\n",
        ),
        (
            "-l l1 --upper up --work up/../l1/in",
            "work directory \"ROOM/l1/in\" lies inside lower \"ROOM/l1\"\nhint: give each layer a directory tree of its own\n",
        ),
        (
            "-l l1 --upper up --work wk2",
            "work directory \"ROOM/wk2\" is not empty: it holds \"left\"\nhint: the kernel wants an empty directory, and keeps its own things there\n",
        ),
    ] {
        assert_eq!(room.fails(1, &on(args)), format!("{at}{said}"), "{args}");
        assert_eq!(
            room.fails(1, &on(&format!("--dry-run {args}"))),
            format!("{at}{said}"),
            "--dry-run {args}"
        );
    }
    let busy = room.fails(
        1,
        &format!("mkdir m2; {OVERLAY} >/dev/null; rmount overlay -l l1 --upper up --work wk m2"),
    );
    assert_eq!(
        busy,
        "rmount: mounting an overlay at \"ROOM/m2\": upper \"ROOM/up\" is in use by the overlay at \"ROOM/m\"\nhint: two overlays writing to one upper corrupt it: use another upper and work\n"
    );
}

#[test]
fn an_upper_where_none_can_be() {
    let room = Room::new();
    let nested = room.fails(
        1,
        &format!(
            "{OVERLAY} >/dev/null; mkdir m/u m/w m2; rmount overlay -l l1 --upper m/u --work m/w m2"
        ),
    );
    assert_eq!(
        nested,
        "rmount: mounting an overlay at \"ROOM/m2\": upper \"ROOM/m/u\" is on overlay, which cannot hold an upper\nhint: put upper and work on a disk's filesystem or on a tmpfs: rmount tmpfs DIR\n"
    );
    let apart = room.fails(
        1,
        "mkdir t; mount -t tmpfs t t; mkdir t/u; rmount overlay -l l1 --upper t/u --work wk m",
    );
    assert_eq!(
        apart,
        "rmount: mounting an overlay at \"ROOM/m\": upper \"ROOM/t/u\" and work directory \"ROOM/wk\" are on different mounts\nhint: make the work directory beside the upper: \"ROOM/t/work\"\n"
    );
    let ro = room.fails(1, "mount -t tmpfs t t; mkdir t/u t/w; mount -o remount,ro t; rmount overlay -l l1 --upper t/u --work t/w m");
    assert_eq!(
        ro,
        "rmount: mounting an overlay at \"ROOM/m\": upper \"ROOM/t/u\" is on a read-only mount\nhint: remount it read-write, or leave --upper out\n"
    );
    let volatile = room.fails(
        1,
        &format!("{OVERLAY} --volatile >/dev/null; umount m; {OVERLAY}"),
    );
    assert_eq!(
        volatile,
        "rmount: mounting an overlay at \"ROOM/m\": upper \"ROOM/up\" was last mounted volatile, and may have lost data since\nhint: if you trust its content, remove \"ROOM/wk/work/incompat\"; else begin with a new upper\n"
    );
}

#[test]
fn a_stack_too_deep() {
    let room = Room::new();
    let said = room.fails(1, "mkdir a b c x; rmount overlay -l l1 -l l2 a >/dev/null; rmount overlay -l a -l x b >/dev/null; rmount overlay -l b -l src c");
    assert_eq!(
        said,
        "rmount: mounting an overlay at \"ROOM/c\": lower \"ROOM/b\" is on an overlay whose layers are on an overlay: the kernel stacks two, not more\n"
    );
}

#[test]
fn mkdir_makes_what_is_missing_and_a_failure_takes_it_away() {
    let room = Room::new();
    room.ok("rmount overlay -m -l l1 --upper n/up --work n/wk n/deep/m >/dev/null; test -d n/up; findmnt n/deep/m; umount n/deep/m; rm -r n");
    room.fails(
        1,
        "rmount overlay -m -l l1 -l l1 --upper n/up --work n/wk n/deep/m",
    );
    assert!(
        !room.path("n").exists(),
        "the directories that were made are gone"
    );
}

#[test]
fn a_path_in_a_hint_can_be_pasted() {
    let room = Room::new();
    for dir in ["l $x", "u $x", "w $x"] {
        std::fs::create_dir_all(room.path(dir)).unwrap();
    }
    let root = room.path("");
    // What the hint says between these two, or from the first to its end.
    let word = |said: &str, before: &str, after: &str| {
        let hint = said.lines().last().unwrap();
        let (_, rest) = hint.split_once(before).unwrap();
        let word = rest.split_once(after).map_or(rest, |(word, _)| word);
        word.replace("ROOM", root.to_str().unwrap().trim_end_matches('/'))
    };
    let said = room.fails(1, "rmount overlay -l 'l $x' m");
    let command = word(&said, "hint: ", " TARGET does that");
    room.ok(&format!("{command} m; findmnt m"));
    for verb in ["bind 'l $y' m", "overlay -l l1 -l 'l $y' m"] {
        let said = room.fails(1, &format!("rmount {verb}"));
        let near = word(&said, "hint: did you mean ", "?");
        room.ok(&format!("test -d {near}"));
    }
    let volatile = "rmount overlay -l l1 --upper 'u $x' --work 'w $x' --volatile m";
    let said = room.fails(1, &format!("{volatile} >&2; umount m; {volatile}"));
    let mark = word(&said, "content, remove ", "; else");
    room.ok(&format!("rm -r {mark}; {volatile}"));
    let said = room.fails(
        1,
        "mkdir 'u $x/t'; mount -t tmpfs t 'u $x/t'; mkdir 'u $x/t/u'; rmount overlay -l l1 --upper 'u $x/t/u' --work wk m",
    );
    let work = word(&said, "beside the upper: ", "\n");
    assert_eq!(
        room.ok(&format!("printf %s {work}")),
        root.join("u $x/t/work").to_str().unwrap()
    );
}
