//! Binds and tmpfs.

use std::os::unix::fs::symlink;

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
        "rmount: binding at \"ROOM/m\": the source is a file and this is a directory: are you trying to mount a file onto a directory?\n"
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
fn a_directory_is_not_mounted_on_a_file_nor_a_file_on_a_directory() {
    let room = Room::new();
    for (verb, reason) in [
        (
            "bind src l1/both",
            "the source is a directory and this is a file: are you trying to mount a directory onto a file?",
        ),
        (
            "bind --dry-run l1/both src",
            "the source is a file and this is a directory: are you trying to mount a file onto a directory?",
        ),
    ] {
        let said = room.fails(1, &format!("rmount {verb}"));
        assert!(said.ends_with(&format!("\": {reason}\n")), "{said}");
    }
    for (verb, said) in [
        (
            "tmpfs l1/both",
            "mounting a tmpfs at \"ROOM/l1/both\": a tmpfs is a directory and this is a file",
        ),
        (
            "tmpfs --mkdir --dry-run l1/both",
            "mounting a tmpfs at \"ROOM/l1/both\": a tmpfs is a directory and this is a file",
        ),
        (
            "overlay -l l1 -l l2 src/page",
            "mounting an overlay at \"ROOM/src/page\": mount point \"ROOM/src/page\" is not a directory",
        ),
        (
            "overlay --mkdir -l l1 -l l2 src/page",
            "mounting an overlay at \"ROOM/src/page\": mount point \"ROOM/src/page\" is not a directory",
        ),
    ] {
        assert_eq!(
            room.fails(1, &format!("rmount {verb}")),
            format!("rmount: {said}\n"),
            "{verb}"
        );
    }
}

#[test]
fn a_file_or_a_link_to_nothing_on_the_way_is_named() {
    let room = Room::new();
    symlink("nowhere", room.path("link")).unwrap();
    let link = "\"ROOM/link\" is a symbolic link to \"nowhere\", which does not exist";
    let file = "\"ROOM/src/page\" is a file";
    for (verb, doing, reason) in [
        ("bind src link/x", "binding at \"ROOM/link/x\"", link),
        ("tmpfs link/x", "mounting a tmpfs at \"ROOM/link/x\"", link),
        (
            "tmpfs src/page/x",
            "mounting a tmpfs at \"ROOM/src/page/x\"",
            file,
        ),
        (
            "tmpfs -m src/page/x",
            "making directory \"ROOM/src/page/x\"",
            file,
        ),
        (
            "overlay -l l1 -l l2 link/x",
            "mounting an overlay at \"ROOM/link/x\": mount point \"ROOM/link/x\"",
            link,
        ),
        (
            "overlay -l l1 -l src/page/x m",
            "mounting an overlay at \"ROOM/m\": lower \"ROOM/src/page/x\"",
            file,
        ),
    ] {
        let said = room.fails(1, &format!("rmount {verb}"));
        assert_eq!(said, format!("rmount: {doing}: {reason}\n"), "{verb}");
    }
}

#[test]
fn an_unbindable_mount_is_said_to_be_one() {
    let room = Room::new();
    let said = room.fails(
        1,
        "mount -t tmpfs t src; mount --make-unbindable src; rmount bind src m",
    );
    let (line, hint) = said.trim_end().split_once('\n').unwrap();
    assert_eq!(
        line,
        "rmount: binding \"ROOM/src\": it is on the mount at \"ROOM/src\", which is unbindable"
    );
    let command = hint
        .strip_prefix("hint: ")
        .unwrap()
        .split(" lets")
        .next()
        .unwrap();
    let command = command.replace(
        "ROOM",
        room.path("").to_str().unwrap().trim_end_matches('/'),
    );
    room.ok(&format!(
        "mount -t tmpfs t src; mount --make-unbindable src; {command}; rmount bind src m"
    ));
}

#[test]
fn a_tmpfs_takes_a_part_of_the_memory() {
    let room = Room::new();
    let size = |verb: &str| {
        room.ok(&format!(
            "{verb} >/dev/null; stat -f -c '%b %S' m; umount m"
        ))
    };
    assert_eq!(
        size("rmount tmpfs --size 50% m"),
        size("mount -t tmpfs -o size=50% t m")
    );
    let said = room.fails(2, "rmount tmpfs --size 0% m");
    assert!(
        said.contains("a part of the memory is 1% to 100%"),
        "{said}"
    );
}

#[test]
fn a_missing_source_without_a_likeness_can_be_made() {
    let room = Room::new();
    let said = room.fails(1, "rmount bind nothing-like-it m");
    assert_eq!(
        said,
        "rmount: binding \"ROOM/nothing-like-it\": no such file or directory\nhint: --create=dir or --create=file makes it\n"
    );
}
