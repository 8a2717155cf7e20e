//! A disk that somebody else has filled.

use kit_test::Host;
use nix::sched::{CloneFlags, unshare};

use super::beside;

#[test]
fn a_full_disk_is_said_and_nothing_is_left() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok("mount --make-rprivate /; mkdir root; mount -t tmpfs -o size=64m tmpfs root; chmod 700 root");
    host.ok(&kit_test::pack());
    host.ok("rrun run --rm tools sh; rrun gc; rrun create --name old -v data:/data tools sh");
    // The first removal of all.
    host.ok("head -c 100m /dev/zero >root/theirs 2>/dev/null; ! echo more >>root/theirs");
    assert_eq!(host.ok("rrun rm old; rrun volume rm data"), "old\ndata\n");
    host.ok("rm root/theirs");
    let before = host.files("root");
    // A file of another's takes what there is.
    host.ok("head -c 100m /dev/zero >root/theirs 2>/dev/null; ! echo more >>root/theirs");
    for verb in [
        "run -d --name box tools sleep 1000",
        "create --name box tools sh",
        "run --rm --name box tools sh",
    ] {
        let (code, _, said) = host.outcome(&format!("rrun {verb}"));
        assert!(code == 125 || code == 1, "{verb}: {code}: {said}");
        let line = said.lines().next().unwrap_or_default();
        assert!(line.contains("No space left on device"), "{verb}: {said}");
    }
    host.ok("rm root/theirs; rrun gc");
    assert_eq!(host.files("root"), before);
    assert_eq!(host.ok("rrun run --rm tools sh -c 'echo again'"), "again\n");
    host.ok("rrun gc");
    assert_eq!(host.ok("umount root; ip -br link | grep -c ."), "1\n");
}

/// Each verb works or says why not, a container that runs goes on, and in the end there is what was there before.
#[test]
fn a_disk_that_fills_and_empties_in_a_loop_breaks_nothing() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let host = Host::bare();
    host.ok("mount --make-rprivate /; mkdir root; mount -t tmpfs -o size=64m tmpfs root; chmod 700 root");
    host.ok(&kit_test::pack());
    host.ok("runpack save tools >tools.tar; rrun run -d --name stays tools sleep 1000; rrun run --rm tools sh; rrun gc");
    let before = host.files("root");
    let fill = "head -c 100m /dev/zero >root/theirs 2>/dev/null || :; sleep 0.02; rm root/theirs; sleep 0.02";
    beside(&host, fill, 10, |round| {
        for verb in [
            "run --rm tools sh -c 'echo up'",
            "run -d --name box tools sleep 1000",
            "stop -t 0 box",
            "rm -f box",
            "load -i tools.tar",
        ] {
            let (code, _, said) = host.outcome(&format!("rrun {verb}"));
            let is_told = ["No space left on device", "No such container"]
                .iter()
                .any(|why| said.contains(why));
            assert!(
                code == 0 || is_told,
                "round {round}: {verb}: {code}: {said}"
            );
        }
        let alive = host.outcome("rrun exec stays sh -c 'echo alive'");
        assert_eq!((alive.0, alive.1.as_str()), (0, "alive\n"), "{}", alive.2);
    });
    host.ok("rrun rm -f box 2>/dev/null || :; rrun gc");
    assert_eq!(host.files("root"), before);
    host.ok("rrun rm -f stays; rrun gc; umount root");
    assert_eq!(host.ok("ip -br link | grep -c ."), "1\n");
}
