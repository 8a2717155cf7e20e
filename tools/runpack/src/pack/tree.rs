//! The files an image will have: what is at each path, before any of it is written. Sorted by path, so that the same files make the same
//! archive, and a directory comes before what is in it.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::error::PackError;
use super::host::{Passed, Walk};

/// A directory that was not asked for by name: anybody may pass, as with a directory COPY makes.
const DIR_MODE: u32 = 0o755;
const MAX_LINKS: usize = 40;

/// One file of the host, to be read when the layer is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// On the host, without links.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// In bytes.
    pub len: u64,
    /// Device and inode, where more than one name has them: hard links stay hard links.
    pub linked: Option<(u64, u64)>,
}

/// One name of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, as it is written.
        target: PathBuf,
    },
    /// A file of the host's.
    File(Source),
    /// A file that exists in the image only.
    Text {
        /// All of it.
        bytes: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
}

/// Everything in the image, by its absolute path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Source {
    /// Of the file at `path`, which has this metadata.
    pub fn new(path: PathBuf, metadata: &Metadata) -> Self {
        Self {
            path,
            mode: mode(metadata),
            len: metadata.len(),
            linked: (metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino())),
        }
    }
}

/// The permission bits. All files become root's, so a set-uid bit that gave somebody else's rights would now give root's: dropped.
pub fn mode(metadata: &Metadata) -> u32 {
    let mut mode = metadata.mode() & 0o7777;
    if metadata.uid() != 0 {
        mode &= !0o4000;
    }
    if metadata.gid() != 0 && metadata.is_file() {
        mode &= !0o2000;
    }
    mode
}

impl Tree {
    /// All of them, each directory before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_path(), entry))
    }

    /// What is at `path`.
    pub fn get(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Puts an entry at a path whose parent has no links in it; directories on the way are made.
    pub fn put(&mut self, path: &Path, entry: Entry) -> Result<(), PackError> {
        if path == Path::new("/") {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.dir(parent)?;
        }
        let conflict = |there| PackError::Conflict {
            path: path.to_owned(),
            there,
        };
        match (self.entries.get(path), &entry) {
            (Some(Entry::Dir { .. }), Entry::Dir { .. }) | (None, _) => {}
            (Some(Entry::Dir { .. }), _) => return Err(conflict("a directory")),
            (Some(Entry::Link { .. }), Entry::Dir { .. }) => {
                return Err(conflict("a symbolic link"));
            }
            (Some(_), Entry::Dir { .. }) => return Err(conflict("a file")),
            (Some(_), _) => {}
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// A directory, if there is none yet; one that is there keeps its mode.
    pub fn dir(&mut self, path: &Path) -> Result<(), PackError> {
        match self.entries.get(path) {
            Some(Entry::Dir { .. }) => Ok(()),
            _ => self.put(path, Entry::Dir { mode: DIR_MODE }),
        }
    }

    /// All that a walk on the host came through, and the file it ended at.
    pub fn add_walk(&mut self, walk: &Walk) -> Result<(), PackError> {
        for passed in &walk.passed {
            match passed {
                Passed::Dir(path) => self.dir(path)?,
                Passed::Link { path, target } => {
                    let target = target.clone();
                    self.put(path, Entry::Link { target })?;
                }
            }
        }
        if walk.metadata.is_file() {
            let source = Source::new(walk.real.clone(), &walk.metadata);
            self.put(&walk.real, Entry::File(source))?;
        }
        Ok(())
    }

    /// Where an absolute path leads in the image: links that the image has are followed, what it lacks is taken as written.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, PackError> {
        let mut todo = words(path);
        let mut real = PathBuf::from("/");
        let mut links = 0;
        while let Some(word) = todo.pop_front() {
            if word == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&word);
            let Some(Entry::Link { target }) = self.entries.get(&next) else {
                real = next;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(PackError::Conflict {
                    path: path.to_owned(),
                    there: "a loop of symbolic links",
                });
            }
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for word in words(target).into_iter().rev() {
                todo.push_front(word);
            }
        }
        Ok(real)
    }
}

/// The components of a path that move: names and `..`.
pub(super) fn words(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir))
        .map(|c| c.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Entry {
        Entry::Text {
            bytes: b"x".to_vec(),
            mode: 0o644,
        }
    }

    #[test]
    fn parents_are_made_and_come_first() {
        let mut tree = Tree::default();
        tree.put(Path::new("/a-b"), text()).unwrap();
        tree.put(Path::new("/a/c/d"), text()).unwrap();
        let paths: Vec<_> = tree.entries().map(|(p, _)| p.to_str().unwrap()).collect();
        assert_eq!(paths, ["/a", "/a/c", "/a/c/d", "/a-b"]);
    }

    #[test]
    fn a_file_never_replaces_a_directory_nor_a_directory_a_file() {
        let mut tree = Tree::default();
        tree.put(Path::new("/a/f"), text()).unwrap();
        let said = tree.put(Path::new("/a"), text()).unwrap_err().to_string();
        assert_eq!(said, "add to \"/a\": the image has a directory there");
        let said = tree
            .put(Path::new("/a/f/x"), text())
            .unwrap_err()
            .to_string();
        assert_eq!(said, "add to \"/a/f\": the image has a file there");
    }

    #[test]
    fn a_destination_follows_the_images_own_links() {
        let mut tree = Tree::default();
        let target = PathBuf::from("usr/bin");
        tree.put(Path::new("/bin"), Entry::Link { target }).unwrap();
        assert_eq!(
            tree.resolve(Path::new("/bin/x/../y")).unwrap(),
            Path::new("/usr/bin/y")
        );
        assert_eq!(
            tree.resolve(Path::new("/../../x")).unwrap(),
            Path::new("/x")
        );
        let target = PathBuf::from("/loop");
        tree.put(Path::new("/loop"), Entry::Link { target })
            .unwrap();
        assert!(tree.resolve(Path::new("/loop/x")).is_err());
    }
}
