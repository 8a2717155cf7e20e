//! A disk that somebody else has filled.

use kit_test::Host;
use nix::sched::{CloneFlags, unshare};

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
