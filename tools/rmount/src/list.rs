//! `rmount list`: what is mounted in our mount namespace, as a person or a program wants it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::MountError;
use crate::mountinfo::{Mount, mounts};
use crate::overlay::layers_of;

/// Which mounts to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Overlay,
    /// See [`Mount::is_bind`].
    Bind,
    Tmpfs,
}

/// One mount. Text that is not UTF-8 has its odd bytes replaced.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub schema: u32,
    pub kind: &'static str,
    /// The mount point.
    pub name: String,
    pub id: u64,
    pub parent_id: u64,
    pub device: String,
    pub fstype: String,
    pub source: String,
    /// Which directory of the filesystem is mounted.
    pub root: String,
    pub options: Vec<String>,
    pub propagation: &'static str,
    /// An overlay's, topmost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lowers: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
}

/// The mounts of `kind`, at or beneath `under`; `None` is all.
pub fn list(kind: Option<Kind>, under: Option<&Path>) -> Result<Vec<Entry>, MountError> {
    let wanted = |mount: &Mount| match kind {
        None => true,
        Some(Kind::Overlay) => mount.fstype == "overlay",
        Some(Kind::Tmpfs) => mount.fstype == "tmpfs",
        Some(Kind::Bind) => mount.is_bind(),
    };
    let beneath = |mount: &Mount| under.is_none_or(|path| mount.target.starts_with(path));
    Ok(mounts()?
        .iter()
        .filter(|mount| wanted(mount) && beneath(mount))
        .map(entry)
        .collect())
}

fn entry(mount: &Mount) -> Entry {
    let (lowers, upper) = layers_of(mount).unwrap_or_default();
    let (upper, work) = upper.map(|parts| (parts.upper, parts.work)).unzip();
    Entry {
        schema: 1,
        kind: "mount",
        name: mount.target.to_string_lossy().into_owned(),
        id: mount.id,
        parent_id: mount.parent,
        device: format!("{}:{}", mount.major, mount.minor),
        fstype: mount.fstype.to_string_lossy().into_owned(),
        source: mount.source.to_string_lossy().into_owned(),
        root: mount.root.to_string_lossy().into_owned(),
        options: mount
            .options
            .to_string_lossy()
            .split(',')
            .map(str::to_owned)
            .collect(),
        propagation: mount.propagation.word(),
        lowers,
        upper,
        work,
    }
}
