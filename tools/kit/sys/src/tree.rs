//! A directory removed with all in it: without recursion, and with as many descriptors for a thousand levels as for one, since whoever
//! filled it (an image, a container) may have wanted neither to be enough. No link is followed, and no mount is entered.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat,
    unlinkat,
};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory on the way down.
struct Level {
    /// In the one above.
    name: CString,
    /// Device and inode, by which it is known on the way back up.
    id: (u64, u64),
    /// Still to be entered.
    inside: Vec<CString>,
    /// Nothing stays in it.
    is_empty: bool,
}

/// As [`std::fs::remove_dir_all`]: a symbolic link is removed, and not what it leads to. A mount inside is `EXDEV`, and stays.
pub fn remove(path: &Path) -> io::Result<()> {
    crate::calls::note(|| format!("unlinkat(AT_FDCWD, {path:?}, AT_REMOVEDIR) and all below"));
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Ok(unlinkat(CWD, path, AtFlags::empty())?);
    }
    sweep(CWD, path.as_os_str(), &mut |_| true)?;
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Removes a directory as [`remove`] does, or anything else. What is not there is removed already.
pub fn remove_any(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => remove(path),
        _ => std::fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what is in a directory, where `gone` says so; it gets each path relative to the directory, and of a directory only if
/// nothing in it stays. Returns whether the directory is empty afterwards.
pub fn sweep(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    gone: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<bool, Errno> {
    let mut dir = openat(parent, name, DIRECTORY, Mode::empty())?;
    let mut path = Vec::new();
    let mut levels = vec![files(&dir, CString::default(), &mut path, gone)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.inside.pop() {
            match enter(&dir, &name) {
                Ok(inside) => dir = inside,
                // Somebody else removes it too.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            }
            push(&mut path, name.to_bytes());
            levels.push(files(&dir, name, &mut path, gone)?);
            continue;
        }
        let Some(done) = levels.pop() else { break };
        let Some(above) = levels.last_mut() else {
            return Ok(done.is_empty);
        };
        dir = openat(&dir, c"..", DIRECTORY, Mode::empty())?;
        // It was moved to elsewhere meanwhile: what is there is not to be removed.
        if id(&dir)? != above.id {
            return Err(Errno::STALE);
        }
        if done.is_empty && gone(&path) {
            absent_is_fine(unlinkat(&dir, &done.name, AtFlags::REMOVEDIR))?;
        } else {
            above.is_empty = false;
        }
        pop(&mut path, done.name.to_bytes());
    }
    Ok(true)
}

/// Removes what is no directory, and lists what is.
fn files(
    dir: &OwnedFd,
    name: CString,
    path: &mut Vec<u8>,
    gone: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Level, Errno> {
    let mut level = Level {
        name,
        id: id(dir)?,
        inside: Vec::new(),
        is_empty: true,
    };
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        if kind == FileType::Directory {
            level.inside.push(name.to_owned());
            continue;
        }
        push(path, name.to_bytes());
        if gone(path) {
            absent_is_fine(unlinkat(dir, name, AtFlags::empty()))?;
        } else {
            level.is_empty = false;
        }
        pop(path, name.to_bytes());
    }
    Ok(level)
}

fn enter(dir: &OwnedFd, name: &CString) -> Result<OwnedFd, Errno> {
    let stay = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    openat2(dir, name, DIRECTORY, Mode::empty(), stay)
}

fn id(dir: &OwnedFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(dir.as_fd())?;
    Ok((stat.st_dev, stat.st_ino))
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

fn pop(path: &mut Vec<u8>, name: &[u8]) {
    path.truncate((path.len() - name.len()).saturating_sub(1));
}

fn absent_is_fine(removed: Result<(), Errno>) -> Result<(), Errno> {
    match removed {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Deeper than a process has descriptors, and than a path may be long.
    const DEEP: usize = 3000;

    fn deep(at: &Path) {
        std::fs::create_dir(at).expect("the first directory");
        let mut dir = openat(CWD, at, DIRECTORY, Mode::empty()).expect("it opens");
        for _ in 0..DEEP {
            rustix::fs::mkdirat(&dir, "a", Mode::RWXU).expect("a directory");
            rustix::fs::symlinkat("..", &dir, "l").expect("a link");
            dir = openat(&dir, "a", DIRECTORY, Mode::empty()).expect("it opens");
        }
    }

    #[test]
    fn a_tree_deeper_than_descriptors_and_paths_go() {
        let room = tempfile::tempdir().expect("a directory");
        let (tree, kept) = (room.path().join("tree"), room.path().join("kept"));
        std::fs::write(&kept, "kept").expect("a file");
        deep(&tree);
        symlink(room.path(), tree.join("out")).expect("a link");
        remove(&tree).expect("it goes");
        let left = std::fs::read_dir(room.path()).expect("a list").count();
        assert_eq!((left, kept.exists()), (1, true));
        assert_eq!(
            remove(&tree).map_err(|e| e.kind()),
            Err(io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn what_is_to_stay_stays_with_what_it_is_in() {
        let room = tempfile::tempdir().expect("a directory");
        for dir in ["a/b/kept", "a/c/d", "e"] {
            std::fs::create_dir_all(room.path().join(dir)).expect("directories");
        }
        std::fs::write(room.path().join("a/b/f"), "").expect("a file");
        let mut seen = Vec::new();
        let mut gone = |path: &[u8]| {
            seen.push(String::from_utf8_lossy(path).into_owned());
            path != b"a/b/kept"
        };
        let empty = sweep(CWD, room.path().as_os_str(), &mut gone);
        assert_eq!(empty, Ok(false));
        seen.sort();
        assert_eq!(seen, ["a/b/f", "a/b/kept", "a/c", "a/c/d", "e"]);
        assert!(room.path().join("a/b/kept").exists() && !room.path().join("a/c").exists());
    }
}
