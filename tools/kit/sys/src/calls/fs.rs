//! Files and directories.
#![allow(missing_docs)] // each is that of rustix or std, by its name

use std::io::Result;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{self as call, FileType, Mode};
use rustix::path::Arg;

use super::{fd, noted, told};

pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    told(
        || format!("mkdir({path:?}, 0777)"),
        || std::fs::create_dir(path),
    )
}

pub fn create_dir_all(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    told(
        || format!("mkdir({path:?}, 0777), and those above it"),
        || std::fs::create_dir_all(path),
    )
}

/// With those above it that are missing, of mode 0700 each.
pub fn create_private(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let mut make = std::fs::DirBuilder::new();
    make.recursive(true).mode(0o700);
    told(
        || format!("mkdir({path:?}, 0700), and those above it"),
        || make.create(path),
    )
}

pub fn remove_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    told(|| format!("rmdir({path:?})"), || std::fs::remove_dir(path))
}

pub fn remove_file(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    told(
        || format!("unlink({path:?})"),
        || std::fs::remove_file(path),
    )
}

pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    told(
        || format!("rename({from:?}, {to:?})"),
        || std::fs::rename(from, to),
    )
}

pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    told(
        || format!("link({from:?}, {to:?})"),
        || std::fs::hard_link(from, to),
    )
}

/// A new file, or all of one that is there.
pub fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> Result<()> {
    let (path, text) = (path.as_ref(), text.as_ref());
    told(
        || written(path, text, "O_WRONLY|O_CREAT|O_TRUNC"),
        || std::fs::write(path, text),
    )
}

/// What writing a file is: what it says, where that is a line, else how long it is.
pub fn written(path: &Path, text: &[u8], flags: &str) -> String {
    const SHORT: usize = 60;
    let said = match std::str::from_utf8(text) {
        Ok(text) if text.len() <= SHORT && !text.trim_end().contains('\n') => format!("{text:?}"),
        _ => format!("{} bytes", text.len()),
    };
    format!("open({path:?}, {flags}), write({said})")
}

pub fn mkdirat(dir: impl AsFd, path: impl Arg, mode: Mode) -> rustix::io::Result<()> {
    let text = || {
        let (dir, path) = (fd(&dir), path.to_string_lossy());
        format!("mkdirat({dir}, {path:?}, {:04o})", mode.bits())
    };
    let text = super::is_recorded().then(text);
    noted(text, || call::mkdirat(dir, path, mode))
}

pub fn mknodat(
    dir: impl AsFd,
    path: impl Arg,
    kind: FileType,
    mode: Mode,
    device: u64,
) -> rustix::io::Result<()> {
    let text = || {
        let (dir, path, mode) = (fd(&dir), path.to_string_lossy(), mode.bits());
        let kind = match kind {
            FileType::CharacterDevice => "S_IFCHR",
            FileType::BlockDevice => "S_IFBLK",
            FileType::Fifo => "S_IFIFO",
            _ => "S_IFREG",
        };
        let (major, minor) = (call::major(device), call::minor(device));
        format!("mknodat({dir}, {path:?}, {kind}|{mode:04o}, makedev({major}, {minor}))")
    };
    let text = super::is_recorded().then(text);
    noted(text, || call::mknodat(dir, path, kind, mode, device))
}

pub fn symlinkat(to: impl Arg, dir: impl AsFd, path: impl Arg) -> rustix::io::Result<()> {
    let text = || {
        let (to, dir, path) = (to.to_string_lossy(), fd(&dir), path.to_string_lossy());
        format!("symlinkat({to:?}, {dir}, {path:?})")
    };
    let text = super::is_recorded().then(text);
    noted(text, || call::symlinkat(to, dir, path))
}
