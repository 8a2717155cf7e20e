//! rmount against the running kernel, each test in a mount namespace of its own. What it did is read by
//! findmnt(8), stat(1) and cat(1); a dry-run is replayed by sh and must leave the same mounts.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    /// A scratch directory with two lowers, an upper, a work directory and a mount point.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["l1", "l2", "up", "wk", "m", "src/sub"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let room = Self { dir };
        room.write("l1/both", "one");
        room.write("l2/both", "two");
        room.write("l2/below", "two");
        room.write("src/page", "hello");
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        // tempfile may give a path through a symlink; rmount prints real ones.
        std::fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs a script of sh in the directory, in a private mount namespace that ends with it.
    fn sh(&self, script: &str) -> Output {
        let bin = Path::new(env!("CARGO_BIN_EXE_rmount")).parent().unwrap();
        let path = std::env::join_paths([
            bin,
            "/usr/sbin".as_ref(),
            "/usr/bin".as_ref(),
            "/sbin".as_ref(),
            "/bin".as_ref(),
        ]);
        Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-euc", script])
            .current_dir(self.path(""))
            .env("PATH", path.unwrap())
            .env("BOXKIT_ROOT", self.path("root"))
            .env("BOXKIT_RUN", self.path("run"))
            .output()
            .unwrap()
    }

    /// The standard output of a script that must succeed.
    fn ok(&self, script: &str) -> String {
        let out = self.sh(script);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert!(out.status.success(), "{script}\n{stdout}\n{stderr}");
        stdout
    }

    /// The standard error, with the room's own path as ROOM, of a command that must fail with `code`.
    fn fails(&self, code: i32, script: &str) -> String {
        let out = self.sh(script);
        let stderr = text(&out.stderr);
        assert_eq!(
            out.status.code(),
            Some(code),
            "{script}\n{}\n{stderr}",
            text(&out.stdout)
        );
        stderr.replace(
            self.path("").to_str().unwrap().trim_end_matches('/'),
            "ROOM",
        )
    }

    /// What findmnt shows at and beneath `at` after the script: everything but IDs.
    fn mounts(&self, script: &str, at: &str) -> Value {
        let columns = "TARGET,SOURCE,FSTYPE,VFS-OPTIONS,FS-OPTIONS,FSROOT,PROPAGATION";
        let all = self.ok(&format!(
            "{{ {script}\n}} >/dev/null; findmnt -J -R -o {columns} {at}"
        ));
        serde_json::from_str(&all).unwrap()
    }
}

/// The last command of the line, with --dry-run.
fn dry_run(verb: &str) -> String {
    let at = verb.rfind("rmount ").unwrap() + "rmount ".len();
    let word = verb[at..].split(' ').next().unwrap();
    let end = at + word.len();
    format!("{} --dry-run{}", &verb[..end], &verb[end..])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn first(mounts: &Value) -> &Value {
    &mounts["filesystems"][0]
}

const OVERLAY: &str = "rmount overlay -l l1 -l l2 --upper up --work wk m";

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
fn a_bind_is_the_same_inode_and_read_only_if_asked() {
    let room = Room::new();
    let out = room.ok("rmount bind src m >/dev/null; stat -c %i src/page m/page; echo w >m/new");
    let inodes: Vec<&str> = out.lines().collect();
    assert_eq!(inodes[0], inodes[1]);
    let refused = room.fails(
        1,
        "rmount bind --ro src m >/dev/null; echo w >m/new || exit 1",
    );
    assert!(refused.contains("Read-only file system"), "{refused}");
}

#[test]
fn read_only_holds_for_the_whole_tree_with_rbind_only() {
    let room = Room::new();
    let mounts = "mount -t tmpfs s src/sub; ";
    let found = room.mounts(
        &format!("{mounts} rmount bind --rbind --ro --nosuid src m"),
        "m",
    );
    let child = &first(&found)["children"][0];
    for mount in [first(&found), child] {
        let options = mount["vfs-options"].as_str().unwrap();
        assert!(options.starts_with("ro,nosuid"), "{found}");
    }
    assert!(
        room.ok(&format!(
            "{mounts} rmount bind --rbind --ro src m >/dev/null; findmnt -no VFS-OPTIONS src/sub"
        ))
        .starts_with("rw")
    );
    let single = room.mounts(&format!("{mounts} rmount bind src m"), "m");
    assert!(first(&single)["children"].is_null(), "{single}");
}

#[test]
fn propagation_is_as_asked() {
    let room = Room::new();
    for word in ["private", "shared", "slave", "unbindable"] {
        let found = room.mounts(&format!("rmount bind --propagation {word} src m"), "m");
        let seen = match word {
            // Being a slave of nobody is being private.
            "slave" => "private",
            "unbindable" => "private,unbindable",
            word => word,
        };
        assert_eq!(first(&found)["propagation"], seen, "{word}");
    }
    let script =
        "mount --bind src src; mount --make-shared src; rmount bind --propagation slave src m";
    assert_eq!(
        first(&room.mounts(script, "m"))["propagation"],
        "private,slave"
    );
}

#[test]
fn a_missing_source_is_an_error_with_the_near_miss_unless_asked_for() {
    let room = Room::new();
    assert_eq!(
        room.fails(1, "rmount bind scr m"),
        "rmount: binding \"ROOM/scr\": no such file or directory\nhint: did you mean \"ROOM/src\"?\n"
    );
    assert!(!room.path("scr").exists(), "nothing was made");
    assert_eq!(
        room.fails(1, "rmount bind src n"),
        "rmount: binding at \"ROOM/n\": no such file or directory\nhint: did you mean \"ROOM/m\"?\n"
    );
    room.ok("rmount bind --create=dir a/dir m >/dev/null; test -d a/dir; findmnt m");
    room.ok("rmount bind --create=file -m b/file c/file >/dev/null 2>&1; test -f b/file; findmnt c/file");
    assert_eq!(
        room.fails(1, "rmount bind src/page m"),
        "rmount: binding at \"ROOM/m\": the source is a file, this is a directory\n"
    );
}

#[test]
fn a_single_file_comes_with_a_warning() {
    let room = Room::new();
    room.write("spot", "");
    let out = room.sh("rmount bind src/page spot; cat spot");
    assert_eq!(
        text(&out.stdout),
        format!("{}\nhello", room.path("spot").display())
    );
    let said = format!(
        "rmount: note: an editor that replaces \"{}\" leaves this bind with the old file; binding \"{}\" does not\n",
        room.path("src/page").display(),
        room.path("src").display()
    );
    assert_eq!(text(&out.stderr), said);
}

#[test]
fn a_tmpfs_has_its_size_and_mode() {
    let room = Room::new();
    let found = room.mounts(
        "rmount tmpfs --size 2m --mode 0750 --inodes 100 --noexec --nodev m",
        "m",
    );
    let options = first(&found)["fs-options"].as_str().unwrap().to_owned();
    for wanted in ["size=2048k", "mode=750", "nr_inodes=100"] {
        assert!(options.contains(wanted), "{wanted}: {found}");
    }
    let flags = first(&found)["vfs-options"].as_str().unwrap();
    assert!(
        flags.contains("noexec") && flags.contains("nodev"),
        "{found}"
    );
    let full = room.fails(
        1,
        "rmount tmpfs --size 64k m >/dev/null; head -c 100k /dev/zero >m/big || exit 1",
    );
    assert!(full.contains("No space left on device"), "{full}");
    assert!(
        room.fails(2, "rmount tmpfs --size much m")
            .starts_with("rmount: ")
    );
}

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
fn a_busy_mount_names_who_holds_it() {
    let room = Room::new();
    let script = "mount -t tmpfs a m; sleep 60 <m & sleep 0.3; trap 'kill '$! EXIT; echo $! >pid; rmount umount m";
    let said = room.fails(1, script);
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
        room.ok(&format!(
            "findmnt -R . >before || :; {} >/dev/null 2>&1; ! findmnt m/nothing",
            dry_run(verb)
        ));
        assert!(!room.path("n").exists(), "{verb}");
        room.ok(reset);
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
    let out = room.sh("rmount tmpfs -m --explain n/m");
    let said = text(&out.stderr);
    assert!(
        said.starts_with("1/2 a directory, since there is none\n      mkdir -p "),
        "{said}"
    );
    assert!(
        said.contains("2/2 files in memory, gone with the mount\n      mount -t tmpfs tmpfs "),
        "{said}"
    );
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
