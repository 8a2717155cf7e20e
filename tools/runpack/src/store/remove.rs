//! Names and images taken away, by docker's rules, and what nobody names any more swept up.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest, ImageIndex};

use super::image::diff_ids;
use super::index::{Entry, is_index};
use super::names::take_name;
use super::{Image, Store};
use crate::digest::chain_ids;
use crate::error::StoreError;
use crate::reference::Reference;

/// One thing that a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name.
    Untagged(Reference),
    /// An image, by its ID.
    Deleted(Digest),
}

/// What a sweep took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// How many.
    pub blobs: u64,
    /// How many unpacked ones.
    pub layers: u64,
    /// Left by somebody who was killed.
    pub temporaries: u64,
    /// Of the blobs.
    pub bytes: u64,
    /// Somebody was putting content: nothing was swept.
    pub busy: bool,
}

/// What a sweep looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// Blobs that no image has.
    Blobs,
    /// Unpacked layers that no image has.
    Layers,
    /// What commands that are gone had not published.
    Temporaries,
}

impl Sweep {
    /// In the order in which they are swept.
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Layers, Self::Temporaries];
}

impl Store {
    /// What `remove` would do now, changing nothing.
    pub fn removal(&self, wanted: &str, force: bool) -> Result<Vec<Removed>, StoreError> {
        let image = self.find(wanted)?;
        let by_name = Reference::parse(wanted)
            .ok()
            .filter(|name| image.names.contains(name));
        let untag = |names: &[Reference]| names.iter().cloned().map(Removed::Untagged).collect();
        if let Some(name) = &by_name
            && image.names.len() > 1
        {
            return Ok(untag(std::slice::from_ref(name)));
        }
        let pins = self.pins()?;
        let pinned = pins.into_iter().find(|pin| pin.image == image.id);
        if let Some(pin) = &pinned
            && (!force || image.names.is_empty())
        {
            return Err(StoreError::Pinned {
                name: wanted.to_owned(),
                owner: pin.owner.clone(),
                container: self.container_name(&pin.owner),
            });
        }
        if by_name.is_none() && image.names.len() > 1 && !force {
            return Err(StoreError::ManyNames {
                name: wanted.to_owned(),
                count: image.names.len(),
            });
        }
        let mut removed: Vec<Removed> = untag(&image.names);
        if pinned.is_none() {
            removed.push(Removed::Deleted(image.id));
        }
        Ok(removed)
    }

    /// docker's rmi: a name goes; with the last one the image and all that only it had. One that is in use stays, unless `force`d,
    /// which takes its names and leaves the image to whoever uses it.
    pub fn remove(&self, wanted: &str, force: bool) -> Result<Vec<Removed>, StoreError> {
        let removed = self.forget(wanted, force)?;
        if is_deletion(&removed) {
            self.gc()?;
        }
        Ok(removed)
    }

    /// The part of it that the index is told; what no image has any more is left to a sweep.
    pub(crate) fn forget(&self, wanted: &str, force: bool) -> Result<Vec<Removed>, StoreError> {
        self.update_index(|entries| {
            // Under the lock, so that no pin can come between the look and the removal.
            let removed = self.removal(wanted, force)?;
            for what in &removed {
                match what {
                    Removed::Untagged(name) => {
                        take_name(entries, name);
                    }
                    Removed::Deleted(id) => {
                        entries.retain(|entry| entry.is_index() || self.key_of(entry) != *id);
                    }
                }
            }
            Ok(removed)
        })
    }

    /// Sweeps up: blobs and unpacked layers that no image has, and temporary files whose makers are gone.
    pub fn gc(&self) -> Result<Gone, StoreError> {
        self.sweep(&Sweep::ALL)
    }

    /// Of these kinds.
    pub fn sweep(&self, kinds: &[Sweep]) -> Result<Gone, StoreError> {
        if !self.dir.exists() {
            return Ok(Gone::default());
        }
        self.prepare()?;
        let Some(_sweep) = self.sweep_lock()? else {
            return Ok(Gone {
                busy: true,
                ..Gone::default()
            });
        };
        let _lock = self.lock_index()?;
        let mut gone = Gone::default();
        for kind in kinds {
            for path in self.garbage(*kind)? {
                match kind {
                    Sweep::Blobs => {
                        gone.bytes += path.metadata().map_or(0, |meta| meta.len());
                        remove(&path)?;
                        gone.blobs += 1;
                    }
                    Sweep::Layers => {
                        // Away by one rename first: a layer that is half removed must not look like one.
                        let aside = self.temporary();
                        std::fs::rename(&path, &aside).map_err(StoreError::io("rename", &path))?;
                        remove(&aside)?;
                        gone.layers += 1;
                    }
                    Sweep::Temporaries => {
                        remove(&path)?;
                        gone.temporaries += 1;
                    }
                }
            }
        }
        Ok(gone)
    }

    /// What a sweep would take now, changing nothing.
    pub fn garbage(&self, kind: Sweep) -> Result<Vec<PathBuf>, StoreError> {
        let dir = match kind {
            Sweep::Blobs => "blobs/sha256",
            Sweep::Layers => "unpacked",
            Sweep::Temporaries => "tmp",
        };
        let mut paths = list(&self.dir.join(dir))?;
        if kind != Sweep::Temporaries && !paths.is_empty() {
            let used = match kind {
                Sweep::Blobs => self.blobs_in_use()?,
                _ => self.chains_in_use()?,
            };
            // What an image that cannot be read has is not known: nothing goes until it is loaded again, or removed.
            let Some(used) = used else {
                return Ok(Vec::new());
            };
            paths.retain(|path| !is_named(path, &used));
        }
        paths.sort();
        Ok(paths)
    }

    /// After a failure: what was put for an image that will not be goes at once, unless somebody else is putting content too.
    pub fn give_up(&self) {
        self.release();
        // The failure is what is reported; a later gc has another chance.
        let _ = self.gc();
    }

    /// The digests, in hexadecimal, of the blobs that the index leads to; `None` if a manifest cannot be read.
    fn blobs_in_use(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let mut blobs = HashSet::new();
        let hex = |digest: &Digest| digest.digest().to_owned();
        let entries = self.entries()?;
        blobs.extend(entries.iter().filter_map(Entry::config).map(|id| hex(&id)));
        // An image that is in use has its configuration, which says what its layers are, even where the index was lost.
        blobs.extend(self.pins()?.iter().map(|pin| hex(&pin.image)));
        let mut todo: Vec<Descriptor> = entries.into_iter().map(|e| e.descriptor).collect();
        while let Some(descriptor) = todo.pop() {
            let new = blobs.insert(hex(descriptor.digest()));
            // An index is another tool's, which need not have fetched every platform.
            if !self.has_blob(descriptor.digest()) {
                continue;
            }
            if is_index(descriptor.media_type()) {
                let index = self.read_blob("index", descriptor.digest());
                let index = index.ok().map(|bytes| serde_json::from_slice(&bytes));
                let Some(Ok(index)): Option<Result<ImageIndex, _>> = index else {
                    return Ok(None);
                };
                if new {
                    todo.extend(index.manifests().clone());
                }
                continue;
            }
            let Ok(manifest) = self.manifest(&descriptor) else {
                return Ok(None);
            };
            blobs.insert(hex(manifest.config().digest()));
            blobs.extend(manifest.layers().iter().map(|layer| hex(layer.digest())));
        }
        Ok(Some(blobs))
    }

    /// The chains of all images, and of those that somebody uses, in hexadecimal; `None` if a configuration that is here cannot be read.
    fn chains_in_use(&self) -> Result<Option<HashSet<String>>, StoreError> {
        let mut chains = HashSet::new();
        let entries = self.images_of_index()?;
        let indexed = entries.iter().map(|entry| self.key_of(entry));
        let pinned = self.pins()?.into_iter().map(|pin| pin.image);
        let ids: HashSet<Digest> = indexed.chain(pinned).collect();
        for id in ids.iter().filter(|id| self.has_blob(id)) {
            let Ok(bytes) = self.read_blob("configuration", id) else {
                return Ok(None);
            };
            // What is no image's configuration has no layers unpacked.
            let diff_ids = serde_json::from_slice(&bytes)
                .ok()
                .map(|config| diff_ids(id, &config));
            let chain = chain_ids(&diff_ids.transpose().ok().flatten().unwrap_or_default());
            chains.extend(chain.iter().map(|digest| digest.digest().to_owned()));
        }
        Ok(Some(chains))
    }
}

/// That an image goes, and not a name alone.
pub(crate) fn is_deletion(removed: &[Removed]) -> bool {
    removed
        .iter()
        .any(|what| matches!(what, Removed::Deleted(_)))
}

pub(super) fn image_chain(image: &Image) -> Result<Vec<Digest>, StoreError> {
    Ok(chain_ids(&image.diff_ids()?))
}

fn is_named(path: &Path, names: &HashSet<String>) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| names.contains(name))
}

/// What is in a directory; nothing if it is not there.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("list", dir)(error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.map_err(StoreError::io("list", dir))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    kit_sys::tree::remove_any(path).map_err(StoreError::io("remove", path))
}
