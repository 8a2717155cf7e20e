//! The store: an OCI image layout that skopeo, umoci and podman read in place, with unpacked layers beside the blobs.
//! Files alone: what is published is published by a rename, what changes the index does so under its lock, and whoever puts blobs
//! holds the content lock shared until an index entry names them, so that nothing is swept away between.

mod blob;
mod find;
mod image;
mod index;
mod names;
mod pin;
mod remove;
mod unpacked;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use kit_home::lock::{Hold, Lock};
use kit_home::{Replace, replace};

pub use blob::{BlobWriter, Compression};
pub(crate) use blob::{CopyError, copy};
pub use find::Unreadable;
pub use image::{Image, ImageId};
pub(crate) use image::{NewEntry, manifest_of, packed_size};
pub(crate) use index::{is_index, to_json};
pub use pin::{Pin, PinPlace};
pub(crate) use remove::is_deletion;
pub use remove::{Gone, Removed, Sweep};
pub use unpacked::LayerState;
pub(crate) use unpacked::layer_error;

use crate::error::StoreError;

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// A handle; nothing is touched before the first call that needs it.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// The content lock, shared, while this handle has put blobs that no index entry names yet.
    holding: Mutex<Option<Lock>>,
}

impl Store {
    /// The store of an instance: `root` is `BOXKIT_ROOT`, the store its `images`.
    pub fn open(root: &Path) -> Self {
        Self {
            dir: root.join("images"),
            holding: Mutex::new(None),
        }
    }

    /// Another handle on the same store.
    pub(crate) fn again(&self) -> Self {
        Self {
            dir: self.dir.clone(),
            holding: Mutex::new(None),
        }
    }

    /// The OCI image layout's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn temporary_dir(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// A name in the temporary directory that nobody else has.
    pub(crate) fn temporary(&self) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.subsec_nanos());
        let name = format!("{}-{number}-{now:08x}", std::process::id());
        self.temporary_dir().join(name)
    }

    /// Makes the layout's directories and `oci-layout`, if missing.
    pub(crate) fn prepare(&self) -> Result<(), StoreError> {
        let marker = self.dir.join("oci-layout");
        let dirs = ["blobs/sha256", "unpacked", "pins", "tmp"].map(|dir| self.dir.join(dir));
        // A layout that another tool made has not all of them.
        let is_layout = marker.exists();
        if is_layout && dirs.iter().all(|dir| dir.is_dir()) {
            return Ok(());
        }
        for dir in dirs {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(&dir);
            made.map_err(StoreError::io("make directory", &dir))?;
        }
        // Two files are written by way of temporary names, which a gc would sweep up.
        let _busy = self.lock_file("content.lock", Hold::Shared)?;
        let index = self.dir.join("index.json");
        if !index.exists() {
            let _lock = self.lock_index()?;
            if !index.exists() {
                let empty = br#"{"schemaVersion":2,"manifests":[]}"#;
                self.write_file(&index, empty)?;
            }
        }
        if is_layout {
            return Ok(());
        }
        // Last: whoever sees it can rely on the rest.
        self.write_file(&marker, LAYOUT.as_bytes())
    }

    /// A whole file, or the old one: written beside, then renamed.
    pub(crate) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = self.temporary();
        let how = Replace {
            temporary: &temporary,
            mode: 0o644,
            sync: true,
        };
        replace(path, bytes, &how).map_err(StoreError::io("write", path))
    }

    fn lock_file(&self, name: &str, hold: Hold) -> Result<Lock, StoreError> {
        let path = self.dir.join(name);
        Lock::wait(&path, hold).map_err(StoreError::io("lock", &path))
    }

    /// Held for the time of a read-change-rename of the index, or of a pin.
    pub(crate) fn lock_index(&self) -> Result<Lock, StoreError> {
        self.lock_file("index.lock", Hold::Alone)
    }

    /// Keeps what is put from being swept away until [`Store::release`].
    pub(crate) fn hold(&self) -> Result<(), StoreError> {
        let mut holding = lock(&self.holding);
        if holding.is_none() {
            self.prepare()?;
            *holding = Some(self.lock_file("content.lock", Hold::Shared)?);
        }
        Ok(())
    }

    /// The same for a plan that has only looked so far: what it saw stays. Without a store, or the right to lock it, there is nothing to do.
    pub(crate) fn hold_if_there(&self) {
        let mut holding = lock(&self.holding);
        if holding.is_none() && self.dir.join("oci-layout").exists() {
            *holding = self.lock_file("content.lock", Hold::Shared).ok();
        }
    }

    pub(crate) fn is_holding(&self) -> bool {
        lock(&self.holding).is_some()
    }

    pub(crate) fn release(&self) {
        lock(&self.holding).take();
    }

    /// The right to remove content, or `None` while somebody puts some: then gc does it another time.
    pub(crate) fn sweep_lock(&self) -> Result<Option<Lock>, StoreError> {
        let path = self.dir.join("content.lock");
        Lock::attempt(&path, Hold::Alone).map_err(StoreError::io("lock", &path))
    }
}

/// Makes renames into a directory last through a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(StoreError::io("sync", dir))
}

/// What a panicking thread left is a lock handle or none: both are fine.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
