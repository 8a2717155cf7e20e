//! Binds and tmpfs.

use super::*;

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
