//! Many mounts at once, from a pipe.

use super::*;

#[test]
fn what_is_made_goes_by_a_pipe() {
    let room = Room::new();
    for verb in [
        "rmount bind src m",
        "rmount bind -m src/page spot 2>/dev/null",
        "rmount tmpfs m",
        "rmount tmpfs -m 'a $b/c'",
        OVERLAY,
    ] {
        let mounted = "findmnt -rn -o TARGET | grep -F \"$PWD/\" || :";
        assert_ne!(room.ok(&format!("{verb} >&2; {mounted}")), "", "{verb}");
        assert_eq!(
            room.ok(&format!("{verb} | rmount umount -; {mounted}")),
            "",
            "{verb}"
        );
    }
}

/// One process, one watch for signals, and no journal: it only takes away.
#[test]
fn a_pipe_of_many_mounts_is_one_verb() {
    let room = Room::new();
    let mounts = "for n in $(seq 10); do mkdir -p m$n; mount -t tmpfs t m$n; mkdir m$n/in; mount -t tmpfs t m$n/in; printf '%s\\n' \"$PWD/m$n\"; done >names";
    let umount = kit_test::counted(
        "rmount umount --recursive - <names",
        &["signalfd4", "rename"],
    );
    let counts = room.ok(&format!(
        "{mounts}; {umount}; findmnt -rn -o TARGET | grep -cF \"$PWD/\" || :"
    ));
    assert_eq!(counts, "1\n1\n0\n0\n");
}

#[test]
fn a_list_spares_what_others_mounted_unless_told() {
    let room = Room::new();
    for (at, owner) in [
        ("/run/user/7", "systemd"),
        ("/run/docker/netns/x", "docker"),
        ("/run", "the system"),
    ] {
        let made = format!("mount -t tmpfs host /run; mkdir -p {at}; mount -t tmpfs ours {at}");
        let top = format!("findmnt -rn -o SOURCE {at} | tail -1");
        let out = room.sh(&format!(
            "{made}; code=0; echo {at} | rmount umount - || code=$?; {top}; exit $code"
        ));
        assert_eq!(out.status.code(), Some(2), "{at}");
        assert_eq!(
            (text(&out.stdout).as_str(), text(&out.stderr)),
            (
                "ours\n",
                format!(
                    "rmount: unmounting \"{at}\" from a list: it is {owner}'s\n\
                     hint: list with --under DIR, or --all-owners unmounts what others mounted too\n"
                )
            )
        );
        for verb in [
            format!("echo {at} | rmount umount --all-owners -"),
            // Whoever types a mount point means it.
            format!("rmount umount {at}"),
        ] {
            let left = room.ok(&format!("{made}; {verb}; {top}"));
            assert_ne!(left, "ours\n", "{verb}");
        }
    }
}
