//! What is mounted: `/proc/PID/mountinfo`, one [`Mount`] a line, its octal escapes undone.
//!
//! See `proc_pid_mountinfo(5)`. Paths and sources are bytes, not text: a mount point may hold anything but NUL.

pub use kit_plan::unescape;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::error::MountError;

/// How mounts and unmounts travel to and from a mount's peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Propagation {
    /// `shared:N`: a member of peer group N.
    pub shared: Option<u32>,
    /// `master:N`: a slave of peer group N.
    pub master: Option<u32>,
    pub unbindable: bool,
}

impl Propagation {
    /// As findmnt(8) says it: `private`, `shared`, `private,slave`, `shared,slave`, `private,unbindable`.
    pub fn word(&self) -> &'static str {
        match (self.shared, self.master, self.unbindable) {
            (Some(_), Some(_), _) => "shared,slave",
            (Some(_), None, _) => "shared",
            (None, Some(_), _) => "private,slave",
            (None, None, true) => "private,unbindable",
            (None, None, false) => "private",
        }
    }
}

/// One line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Reused by the kernel once the mount is gone.
    pub id: u64,
    pub parent: u64,
    pub major: u32,
    pub minor: u32,
    /// Which directory (or file) of the filesystem is mounted: `/` but for bind mounts and subvolumes.
    pub root: PathBuf,
    /// The mount point, as seen from the reading process's root.
    pub target: PathBuf,
    /// Per-mount options: `rw,nosuid,relatime`.
    pub options: OsString,
    pub propagation: Propagation,
    pub fstype: OsString,
    pub source: OsString,
    /// Per-filesystem options, still octal-escaped: see [`Mount::super_options`].
    raw_super_options: Vec<u8>,
}

impl Mount {
    /// Whether the per-mount options hold `word`: `ro`, `nosuid`, `noexec`.
    pub fn has_option(&self, word: &str) -> bool {
        self.options
            .as_bytes()
            .split(|b| *b == b',')
            .any(|o| o == word.as_bytes())
    }

    /// The filesystem's options, split at its commas before the escapes are undone: a comma inside a path is
    /// written as `\054` by the kernel.
    pub fn super_options(&self) -> Vec<OsString> {
        self.raw_super_options
            .split(|b| *b == b',')
            .map(|o| OsString::from_vec(unescape(o)))
            .collect()
    }

    /// The values of the filesystem option `key`, in order.
    pub fn super_values(&self, key: &str) -> Vec<OsString> {
        let prefix = [key.as_bytes(), b"="].concat();
        self.super_options()
            .iter()
            .filter_map(|o| o.as_bytes().strip_prefix(prefix.as_slice()))
            .map(|value| OsString::from_vec(value.to_vec()))
            .collect()
    }

    /// True for a mount of a part of a filesystem, which is what a bind mount looks like afterwards. A bind of
    /// a whole filesystem cannot be told from a second mount of it.
    pub fn is_bind(&self) -> bool {
        self.root != Path::new("/")
    }
}

/// What is mounted in the calling thread's mount namespace, in the kernel's order: a parent before its children.
pub fn mounts() -> Result<Vec<Mount>, MountError> {
    read(Path::new("/proc/thread-self/mountinfo"))
}

/// What is mounted in the mount namespace of process `pid`, as seen from its root.
pub fn mounts_of(pid: i32) -> Result<Vec<Mount>, MountError> {
    read(Path::new(&format!("/proc/{pid}/mountinfo")))
}

fn read(path: &Path) -> Result<Vec<Mount>, MountError> {
    let failed = |error: io::Error| MountError::io("reading", path, &error);
    let text = fs::read(path).map_err(failed)?;
    parse(&text).ok_or_else(|| {
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a mountinfo file",
        ))
    })
}

/// Parses a whole mountinfo file; `None` when a line lacks a field.
pub fn parse(text: &[u8]) -> Option<Vec<Mount>> {
    text.split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|b| *b == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let mut device = fields.next()?.splitn(2, |b| *b == b':');
    let (major, minor) = (number(device.next()?)?, number(device.next()?)?);
    let root = PathBuf::from(text(fields.next()?));
    let target = PathBuf::from(text(fields.next()?));
    let options = text(fields.next()?);
    let mut propagation = Propagation::default();
    // Zero or more tagged fields, ended by a lone hyphen; unknown tags are to be skipped.
    for tag in fields.by_ref().take_while(|f| *f != b"-") {
        let mut parts = tag.splitn(2, |b| *b == b':');
        match (parts.next()?, parts.next()) {
            (b"shared", Some(group)) => propagation.shared = number(group),
            (b"master", Some(group)) => propagation.master = number(group),
            (b"unbindable", None) => propagation.unbindable = true,
            _ => {}
        }
    }
    let fstype = text(fields.next()?);
    let source = text(fields.next()?);
    let raw_super_options = fields.next()?.to_vec();
    #[rustfmt::skip]
    let mount = Mount { id, parent, major, minor, root, target, options, propagation, fstype, source, raw_super_options };
    Some(mount)
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn text(field: &[u8]) -> OsString {
    OsString::from_vec(unescape(field))
}

/// The mount that is on top at exactly `target` (an absolute path without `.`, `..` or symlinks): of several
/// stacked there, the one last mounted.
pub fn at<'a>(mounts: &'a [Mount], target: &Path) -> Option<&'a Mount> {
    let here: Vec<&Mount> = mounts.iter().filter(|m| m.target == target).collect();
    // The top of a stack is the one that no other mount at the same place has as its parent.
    here.iter().copied().find(|m| {
        !here
            .iter()
            .any(|other| other.parent == m.id && other.id != m.id)
    })
}

/// `top` and every mount below it in the mount tree, parents first.
pub fn tree<'a>(mounts: &'a [Mount], top: &'a Mount) -> Vec<&'a Mount> {
    let mut found = vec![top];
    let mut next = 0;
    while next < found.len() {
        let id = found[next].id;
        found.extend(mounts.iter().filter(|m| m.parent == id && m.id != id));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAY: &[u8] = b"66 43 0:39 / /t/m\\040b rw,relatime shared:7 master:2 - overlay ov \
        rw,lowerdir=l1:a\\134\\054b,upperdir=u\\134\\134x,workdir=w\n";

    #[test]
    fn a_line_with_escapes_and_tags() {
        let mounts = parse(OVERLAY).unwrap();
        let m = &mounts[0];
        assert_eq!((m.id, m.parent, m.major, m.minor), (66, 43, 0, 39));
        assert_eq!(m.target, Path::new("/t/m b"));
        assert_eq!(m.propagation.word(), "shared,slave");
        assert_eq!(m.super_values("lowerdir"), ["l1:a\\,b"]);
        assert_eq!(m.super_values("upperdir"), ["u\\\\x"]);
        assert!(m.has_option("relatime") && !m.has_option("rel"));
    }

    #[test]
    fn a_line_without_tags_and_an_unknown_tag() {
        let plain = parse(b"1 0 8:1 /sub / ro - ext4 /dev/sda1 rw\n").unwrap();
        assert!(plain[0].is_bind() && plain[0].propagation == Propagation::default());
        let odd =
            parse(b"1 0 8:1 / / ro propagate_from:3 unbindable - ext4 /dev/sda1 rw\n").unwrap();
        assert_eq!(odd[0].propagation.word(), "private,unbindable");
    }

    #[test]
    fn a_short_line_is_refused() {
        assert_eq!(parse(b"1 0 8:1 / / ro\n"), None);
    }

    #[test]
    fn only_whole_octal_escapes_are_undone() {
        assert_eq!(unescape(b"a\\040b\\9\\04"), b"a b\\9\\04");
        assert_eq!(unescape(b"\\777"), b"\\777");
    }

    #[test]
    fn the_top_of_a_stack_is_the_last_mounted() {
        let text = b"10 1 0:1 / /m rw - tmpfs a rw\n11 10 0:2 / /m rw - tmpfs b rw\n12 11 0:3 / /m/s rw - tmpfs c rw\n";
        let mounts = parse(text).unwrap();
        assert_eq!(at(&mounts, Path::new("/m")).map(|m| m.id), Some(11));
        assert_eq!(at(&mounts, Path::new("/m/s")).map(|m| m.id), Some(12));
        assert!(at(&mounts, Path::new("/")).is_none());
        let ids: Vec<u64> = tree(&mounts, &mounts[0]).iter().map(|m| m.id).collect();
        assert_eq!(ids, [10, 11, 12]);
    }

    #[test]
    fn our_own_namespace_has_a_root() {
        assert!(at(&mounts().unwrap(), Path::new("/")).is_some());
    }
}
