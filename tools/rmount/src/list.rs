//! `rmount list`: what is mounted in our mount namespace, as a person or a program wants it.

use std::path::Path;

use kit_plan::os_text::OsText;
use serde::Serialize;

use crate::MountError;
use crate::mountinfo::{Mount, mounts};
use crate::overlay::layers_of;

/// Which mounts to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of kind overlay.
    Overlay,
    /// See [`Mount::is_bind`].
    Bind,
    /// Of kind tmpfs.
    Tmpfs,
}

/// One mount. In JSON a text that is not UTF-8 is an array of its bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The version of this form: 1.
    pub schema: u32,
    /// `mount`
    pub kind: &'static str,
    /// The mount point.
    pub name: OsText,
    /// The mount's ID, as mountinfo has it.
    pub id: u64,
    /// That of the mount which it is on.
    pub parent_id: u64,
    /// Of its file system: `8:1`.
    pub device: String,
    /// The kind of its file system.
    pub fstype: String,
    /// What was mounted, in the file system's own words.
    pub source: OsText,
    /// Which directory of the filesystem is mounted.
    pub root: OsText,
    /// Of the mount, and of its file system.
    pub options: Vec<String>,
    /// Which way mounts beneath it travel.
    pub propagation: &'static str,
    /// An overlay's, topmost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lowers: Vec<OsText>,
    /// Where what is changed goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<OsText>,
    /// The kernel's own directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<OsText>,
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
        name: mount.target.clone().into(),
        id: mount.id,
        parent_id: mount.parent,
        device: format!("{}:{}", mount.major, mount.minor),
        fstype: mount.fstype.to_string_lossy().into_owned(),
        source: mount.source.clone().into(),
        root: mount.root.clone().into(),
        options: mount
            .options
            .to_string_lossy()
            .split(',')
            .map(str::to_owned)
            .collect(),
        propagation: mount.propagation.word(),
        lowers: lowers.into_iter().map(Into::into).collect(),
        upper: upper.map(Into::into),
        work: work.map(Into::into),
    }
}
