//! What every root has, whatever programs are in it: the directories a runtime mounts on, a place for temporary files, the merged-/usr
//! links of this machine, and the few files under /etc by which a C library finds root, nobody and localhost.

use std::path::Path;

use super::error::PackError;
use super::host::Host;
use super::tree::{Entry, Tree};

pub const PASSWD: &str = "/etc/passwd";
pub const GROUP: &str = "/etc/group";

/// A runtime mounts on the first three: were they not there, a read-only root could not be started.
const DIRS: [(&str, u32); 9] = [
    ("/dev", 0o755),
    ("/proc", 0o755),
    ("/sys", 0o755),
    ("/etc", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/var/tmp", 0o1777),
];

const FILES: [(&str, &str); 6] = [
    (
        PASSWD,
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (GROUP, "root:x:0:\nnogroup:x:65534:\n"),
    // No modules but those that are packed: the host's file may name systemd, winbind, sss.
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
    ),
    // A runtime mounts on these too, and would have to make them for each container.
    (
        "/etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
    ("/etc/hostname", ""),
    ("/etc/resolv.conf", ""),
];

/// What a merged /usr moves: `/bin` is a link to `usr/bin`, and so on (file-hierarchy(7)).
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Fills an empty tree.
pub fn base(host: &Host) -> Result<Tree, PackError> {
    let mut tree = Tree::default();
    for (path, mode) in DIRS {
        tree.put(Path::new(path), Entry::Dir { mode })?;
    }
    for (path, text) in FILES {
        let bytes = text.as_bytes().to_vec();
        tree.put(Path::new(path), Entry::Text { bytes, mode: 0o644 })?;
    }
    for path in MERGED.map(Path::new) {
        let is_link = host.at(path).is_symlink();
        if let (true, Ok(walk)) = (is_link, host.walk(path)) {
            tree.add_walk(&walk)?;
        }
    }
    Ok(tree)
}
