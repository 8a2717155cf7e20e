//! Symbolic links that lead to nothing: the kernel says of such a path that it does not exist, or, to who would make it,
//! that it does.

use std::fmt;
use std::path::{Path, PathBuf};

/// A symbolic link on the way of a path that leads to nothing. Prints as one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// Where it is.
    pub link: PathBuf,
    /// What it says.
    pub target: PathBuf,
}

impl Dangling {
    /// The one on the way of `path`; `None` if no link is why the path does not exist.
    #[must_use]
    pub fn on(path: &Path) -> Option<Self> {
        // Without a slash at the end, by which the link itself would be followed.
        let plain: PathBuf = path.components().collect();
        let link = plain.ancestors().find(|part| part.is_symlink())?;
        let target = std::fs::read_link(link).ok()?;
        let link = link.to_owned();
        (!link.exists()).then_some(Self { link, target })
    }

    /// What it is, without its own path.
    pub(crate) fn what(&self) -> String {
        format!("a symbolic link to {:?}, which does not exist", self.target)
    }
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is {}", self.link, self.what())
    }
}
