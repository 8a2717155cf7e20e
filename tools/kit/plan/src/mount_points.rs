//! What is mounted where, as far as undoing must know: proc(5) on `/proc/PID/mountinfo`.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// What of its filesystem is mounted: of a namespace's file `net:[4026531840]`.
    pub root: PathBuf,
    pub at: PathBuf,
}

/// All mounts in `mountinfo`, the file of a process. Names are bytes: those of strangers are there too.
pub fn mount_points(mountinfo: &Path) -> io::Result<Vec<MountPoint>> {
    let text = std::fs::read(mountinfo)?;
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<MountPoint> {
    let mut fields = line.split(|byte| *byte == b' ').skip(3);
    let mut path = || Some(PathBuf::from(OsString::from_vec(unescape(fields.next()?))));
    Some(MountPoint {
        root: path()?,
        at: path()?,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_read_as_they_are() {
        let line = b"36 35 98:0 /mnt\\0111 /a\\040b\\134c\xe9 rw master:1 - ext3 /dev/root rw";
        let read = parse(line).unwrap();
        assert_eq!(read.root, PathBuf::from("/mnt\t1"));
        assert_eq!(
            read.at,
            PathBuf::from(OsString::from_vec(b"/a b\\c\xe9".to_vec()))
        );
        assert_eq!(parse(b""), None);
    }
}
