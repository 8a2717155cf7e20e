//! What is mounted: `/proc/PID/mountinfo`, one [`Mount`] a line, its octal escapes undone.
//!
//! [`lines`] reads without copying, for who looks for a few mounts on the way of something else.
//! See `proc_pid_mountinfo(5)`. Paths and sources are bytes, not text: a mount point may hold anything but NUL.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How mounts and unmounts travel to and from a mount's peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Propagation {
    /// `shared:N`: a member of peer group N.
    pub shared: Option<u32>,
    /// `master:N`: a slave of peer group N.
    pub master: Option<u32>,
    /// Cannot be bound elsewhere.
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
    /// The ID of the mount that it is on.
    pub parent: u64,
    /// The device of its file system: the major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
    /// Which directory (or file) of the filesystem is mounted: `/` but for bind mounts and subvolumes.
    pub root: PathBuf,
    /// The mount point, as seen from the reading process's root.
    pub target: PathBuf,
    /// Per-mount options: `rw,nosuid,relatime`.
    pub options: OsString,
    /// Whether mounts beneath it travel to others.
    pub propagation: Propagation,
    /// The kind of its file system: `ext4`, `overlay`.
    pub fstype: OsString,
    /// What was mounted, in the file system's own words: a device, `tmpfs`.
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
pub fn mounts() -> io::Result<Vec<Mount>> {
    read(Path::new(OWN))
}

/// What is mounted in the mount namespace of process `pid`, as seen from its root.
pub fn mounts_of(pid: i32) -> io::Result<Vec<Mount>> {
    read(Path::new(&format!("/proc/{pid}/mountinfo")))
}

/// The file of the calling thread.
pub const OWN: &str = "/proc/thread-self/mountinfo";

/// All mounts in `path`, the mountinfo file of a process.
pub fn read(path: &Path) -> io::Result<Vec<Mount>> {
    parse(&fs::read(path)?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a mountinfo file"))
}

/// Parses a whole mountinfo file; `None` when a line lacks a field.
pub fn parse(text: &[u8]) -> Option<Vec<Mount>> {
    lines(text).map(|line| Mount::of(&line?)).collect()
}

/// A line as it stands, its fields still escaped.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    fields: [&'a [u8]; 6],
    tags: &'a [u8],
    /// The kind of its file system.
    pub fstype: &'a [u8],
    source: &'a [u8],
    /// See [`Mount::super_options`].
    pub super_options: &'a [u8],
}

/// Each line of a mountinfo file; `None` for one that lacks a field.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Option<Line<'_>>> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty()).map(Line::of)
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let mut rest = line;
        let mut field = || {
            let end = rest.iter().position(|byte| *byte == b' ')?;
            let field = &rest[..end];
            rest = &rest[end + 1..];
            Some(field)
        };
        let fields = [field()?, field()?, field()?, field()?, field()?, field()?];
        // Zero or more tagged fields, ended by a lone hyphen.
        let tags = rest;
        let end = if tags.starts_with(b"- ") {
            0
        } else {
            tags.windows(3).position(|three| three == b" - ")? + 1
        };
        let mut after = tags[end + 2..].splitn(3, |byte| *byte == b' ');
        Some(Self {
            fields,
            tags: &tags[..end],
            fstype: after.next()?,
            source: after.next()?,
            super_options: after.next()?,
        })
    }

    /// The mount point.
    pub fn target(&self) -> PathBuf {
        PathBuf::from(text(self.fields[4]))
    }
}

impl Mount {
    fn of(line: &Line<'_>) -> Option<Self> {
        let [id, parent, device, root, target, options] = line.fields;
        let mut device = device.splitn(2, |b| *b == b':');
        Some(Self {
            id: number(id)?,
            parent: number(parent)?,
            major: number(device.next()?)?,
            minor: number(device.next()?)?,
            root: text(root).into(),
            target: text(target).into(),
            options: text(options),
            propagation: Propagation::of(line.tags),
            fstype: text(line.fstype),
            source: text(line.source),
            raw_super_options: line.super_options.to_vec(),
        })
    }
}

impl Propagation {
    /// Unknown tags are to be skipped.
    fn of(tags: &[u8]) -> Self {
        let mut propagation = Self::default();
        for tag in tags.split(|b| *b == b' ') {
            let mut parts = tag.splitn(2, |b| *b == b':');
            match (parts.next().unwrap_or_default(), parts.next()) {
                (b"shared", Some(group)) => propagation.shared = number(group),
                (b"master", Some(group)) => propagation.master = number(group),
                (b"unbindable", None) => propagation.unbindable = true,
                _ => {}
            }
        }
        propagation
    }
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn text(field: &[u8]) -> OsString {
    OsString::from_vec(unescape(field))
}

/// Undoes the kernel's `\ooo`: space, tab, newline, backslash, `#`, and in options comma and equals.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'\\' && tail.len() >= 3 {
            let octal = tail[..3].iter().try_fold(0u16, |sum, d| {
                matches!(d, b'0'..=b'7').then(|| sum * 8 + u16::from(d - b'0'))
            });
            if let Some(value) = octal.and_then(|v| u8::try_from(v).ok()) {
                out.push(value);
                rest = &tail[3..];
                continue;
            }
        }
        out.push(byte);
        rest = tail;
    }
    out
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
    fn names_that_are_not_utf_8_are_read_as_they_are() {
        let line = b"36 35 98:0 /mnt\\0111 /a\\040b\\134c\xe9 rw master:1 - ext3 /dev/root rw\n";
        let mounts = parse(line).unwrap();
        assert_eq!(mounts[0].root, Path::new("/mnt\t1"));
        assert_eq!(mounts[0].target.as_os_str().as_bytes(), b"/a b\\c\xe9");
        let netns = parse(b"1 0 0:4 net:[4026531840] /run/netns/a rw - nsfs nsfs rw\n").unwrap();
        assert_eq!(netns[0].root, Path::new("net:[4026531840]"));
        let no_source = parse(b"1 0 0:4 / /m rw -  - tmpfs  rw\n");
        assert!(no_source.is_some());
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
