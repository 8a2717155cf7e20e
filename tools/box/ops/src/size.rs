//! How much a container wrote: the bytes of the files in its writable layer, as docker counts them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use rustix::io::Errno;

/// The bytes of all files in `layer`; each inode counts once, a directory nothing. What is removed meanwhile, and what lies
/// deeper than a path reaches, is not counted.
///
/// The container may change the tree as it is read, so no link is followed and no file is opened.
///
/// # Errors
/// `layer` cannot be opened.
pub fn written(layer: &Path) -> Result<u64, Errno> {
    let root = open(CWD, layer, ResolveFlags::empty())?;
    let (mut bytes, mut seen, mut ahead) = (0, BTreeSet::new(), vec![PathBuf::from(".")]);
    while let Some(path) = ahead.pop() {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let Ok(dir) = open(&root, &path, beneath) else {
            continue;
        };
        let Ok(entries) = Dir::read_from(&dir) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let Ok(stat) = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode).is_dir() {
                ahead.push(path.join(name));
            } else if seen.insert((stat.st_dev, stat.st_ino)) {
                bytes += u64::try_from(stat.st_size).unwrap_or(0);
            }
        }
    }
    Ok(bytes)
}

fn open(at: impl std::os::fd::AsFd, path: &Path, how: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(at, path, flags, Mode::empty(), how)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_counts_once_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/file"), [0; 1000]).unwrap();
        std::fs::hard_link(at("d/file"), at("again")).unwrap();
        std::os::unix::fs::symlink("/usr", at("link")).unwrap();
        assert_eq!(written(dir.path()).unwrap(), 1004);
    }
}
