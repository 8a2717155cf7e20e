//! The machine whose programs are packed: a root directory, `/` but in tests, read only.
//! A path is walked component by component, so that every directory and every symbolic link on the way is known: the image gets them all.
//! Links are followed beneath the root, as path_resolution(7) has it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::error::{Call, PackError};

/// As many links in one path as the kernel follows.
const MAX_LINKS: usize = 40;

/// The root directory programs are taken from.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
}

/// What a path led through, in order; none of these paths has a link in its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    Dir(PathBuf),
    Link { path: PathBuf, target: PathBuf },
}

/// Where a path ended.
#[derive(Debug)]
pub struct Walk {
    /// The directories and symbolic links on the way.
    pub passed: Vec<Passed>,
    /// The file itself; all links on the way are resolved.
    pub real: PathBuf,
    /// Of what is at the end.
    pub metadata: Metadata,
}

impl Host {
    /// A host whose files are beneath `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path to hand to the kernel for an absolute path of the host without links in it.
    pub fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Follows an absolute path to its file.
    pub fn walk(&self, path: &Path) -> io::Result<Walk> {
        let mut todo: VecDeque<OsString> = words(path);
        let mut passed = Vec::new();
        let mut links = 0;
        let mut real = PathBuf::from("/");
        let mut metadata = fs::symlink_metadata(self.at(&real))?;
        while let Some(word) = todo.pop_front() {
            if !metadata.is_dir() {
                return Err(io::Error::from_raw_os_error(nix::libc::ENOTDIR));
            }
            if word == ".." {
                real.pop();
                metadata = fs::symlink_metadata(self.at(&real))?;
                continue;
            }
            let next = real.join(&word);
            let found = fs::symlink_metadata(self.at(&next))?;
            if found.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                }
                let target = fs::read_link(self.at(&next))?;
                if target.is_absolute() {
                    real = PathBuf::from("/");
                    metadata = fs::symlink_metadata(self.at(&real))?;
                }
                for word in words(&target).into_iter().rev() {
                    todo.push_front(word);
                }
                passed.push(Passed::Link { path: next, target });
                continue;
            }
            if found.is_dir() {
                passed.push(Passed::Dir(next.clone()));
            }
            real = next;
            metadata = found;
        }
        Ok(Walk {
            passed,
            real,
            metadata,
        })
    }

    /// Reads a file given by any absolute path.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, PackError> {
        self.walk(path)
            .and_then(|walk| fs::read(self.at(&walk.real)))
            .map_err(|source| PackError::io(Call::Read, path, source))
    }

    /// The file names in a directory, sorted; nothing if it cannot be read.
    pub fn names(&self, dir: &Path) -> Vec<OsString> {
        let Ok(walk) = self.walk(dir) else {
            return Vec::new();
        };
        let mut names: Vec<_> = fs::read_dir(self.at(&walk.real))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        names
    }

    /// Whether the path leads to a regular file that somebody may execute.
    pub fn is_program(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        self.walk(path)
            .is_ok_and(|w| w.metadata.is_file() && w.metadata.permissions().mode() & 0o111 != 0)
    }
}

fn words(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|c| match c {
            Component::Normal(word) => Some(word.to_owned()),
            Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_chain_of_links_is_told_link_by_link_and_stays_beneath_the_root() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        fs::create_dir_all(dir.path().join("etc/alternatives")).unwrap();
        symlink("usr/bin", dir.path().join("bin")).unwrap();
        symlink("/etc/alternatives/vi", dir.path().join("usr/bin/vi")).unwrap();
        symlink("../../usr/bin/vim", dir.path().join("etc/alternatives/vi")).unwrap();
        fs::write(dir.path().join("usr/bin/vim"), "x").unwrap();
        let walk = Host::new(dir.path()).walk(Path::new("/bin/vi")).unwrap();
        assert_eq!(walk.real, Path::new("/usr/bin/vim"));
        let links: Vec<_> = walk
            .passed
            .iter()
            .filter_map(|p| match p {
                Passed::Link { path, target } => Some((path.to_str()?, target.to_str()?)),
                Passed::Dir(_) => None,
            })
            .collect();
        assert_eq!(
            links,
            [
                ("/bin", "usr/bin"),
                ("/usr/bin/vi", "/etc/alternatives/vi"),
                ("/etc/alternatives/vi", "../../usr/bin/vim"),
            ]
        );
    }

    #[test]
    fn a_loop_of_links_is_eloop() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        let error = Host::new(dir.path()).walk(Path::new("/a")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
    }

    #[test]
    fn a_file_is_no_directory_even_before_dot_dot() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "").unwrap();
        let error = Host::new(dir.path())
            .walk(Path::new("/f/../f"))
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ENOTDIR));
    }
}
