//! `/etc/ld.so.conf` and what it includes: the directories ldconfig(8) reads. ld.so itself never looks here, so neither does the search
//! for libraries; it tells a library that does not exist from one that the cache does not have yet.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::host::Host;

const LD_SO_CONF: &str = "/etc/ld.so.conf";

/// The configured directories, in order.
pub fn directories(host: &Host) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    read(host, Path::new(LD_SO_CONF), &mut BTreeSet::new(), &mut dirs);
    dirs
}

fn read(host: &Host, file: &Path, seen: &mut BTreeSet<PathBuf>, dirs: &mut Vec<PathBuf>) {
    let Ok(text) = host.read(file) else { return };
    if !seen.insert(file.to_owned()) {
        return;
    }
    for line in text.split(|b| *b == b'\n') {
        let line = line
            .split(|b| *b == b'#')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        if let Some(pattern) = line.strip_prefix(b"include ") {
            for included in matching(host, Path::new(OsStr::from_bytes(pattern.trim_ascii()))) {
                read(host, &included, seen, dirs);
            }
        } else if line.starts_with(b"/") {
            dirs.push(PathBuf::from(OsStr::from_bytes(line)));
        }
    }
}

/// Files for an include pattern; the one star that real files have is in the last part (`/etc/ld.so.conf.d/*.conf`).
fn matching(host: &Host, pattern: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(last)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let dir = Path::new("/etc").join(dir);
    let Some(star) = last.as_bytes().iter().position(|b| *b == b'*') else {
        return vec![dir.join(last)];
    };
    let (head, tail) = (&last.as_bytes()[..star], &last.as_bytes()[star + 1..]);
    host.names(&dir)
        .into_iter()
        .filter(|name| {
            let name = name.as_bytes();
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        })
        .map(|name| dir.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn includes_are_followed_once_and_comments_dropped() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        fs::create_dir_all(etc.join("ld.so.conf.d")).unwrap();
        fs::write(
            etc.join("ld.so.conf"),
            "include ld.so.conf.d/*.conf\n/opt/lib # ours\n",
        )
        .unwrap();
        fs::write(
            etc.join("ld.so.conf.d/b.conf"),
            "/usr/local/lib\ninclude /etc/ld.so.conf\n",
        )
        .unwrap();
        fs::write(etc.join("ld.so.conf.d/a.conf"), "# none\n/a\n").unwrap();
        fs::write(etc.join("ld.so.conf.d/c.txt"), "/not\n").unwrap();
        let dirs = directories(&Host::new(root.path()));
        assert_eq!(
            dirs,
            ["/a", "/usr/local/lib", "/opt/lib"].map(PathBuf::from)
        );
    }
}
