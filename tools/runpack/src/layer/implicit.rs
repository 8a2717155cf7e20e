//! Directories that a layer has only as parts of paths. In an overlay they would show, with whatever owner and mode we gave them, in place of
//! the same directories below; so they take on what those have.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    flistxattr, fsetxattr, fstat, futimens,
};
use rustix::io::Errno;

use super::LayerError;
use super::tree::{open_dir, open_root};

/// `below`: the layers underneath, topmost first.
pub fn adopt_implicit(
    fs: &Path,
    implicit: &[PathBuf],
    below: &[PathBuf],
) -> Result<(), LayerError> {
    if implicit.is_empty() || below.is_empty() {
        return Ok(());
    }
    let root = open_root(fs)?;
    let below: Result<Vec<OwnedFd>, _> = below.iter().map(|layer| open_root(layer)).collect();
    let below = below?;
    for path in implicit {
        let bytes = path.as_os_str().as_encoded_bytes();
        let Some(from) = below
            .iter()
            .find_map(|layer| open_dir(layer.as_fd(), bytes).ok())
        else {
            continue;
        };
        let to = open_dir(root.as_fd(), bytes).map_err(LayerError::errno("openat2", path))?;
        copy(&from, &to).map_err(LayerError::errno("copy attributes of", path))?;
    }
    Ok(())
}

fn copy(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let stat = fstat(from)?;
    debug_assert_eq!(FileType::from_raw_mode(stat.st_mode), FileType::Directory);
    fchown(
        to,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    copy_attributes(from, to)?;
    let time = |seconds, nanos| Timespec {
        tv_sec: seconds,
        tv_nsec: nanos,
    };
    futimens(
        to,
        &Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec as i64),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec as i64),
        },
    )
}

fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = vec![0; 64 * 1024];
    let length = match flistxattr(from, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    for name in names[..length]
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
    {
        // Opaqueness is of the layer, not of the directory.
        if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
            continue;
        }
        let mut value = vec![0; 64 * 1024];
        let length = fgetxattr(from, name, &mut value)?;
        fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}
