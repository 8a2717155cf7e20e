//! Images: a manifest and its configuration under one ID and any number of names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use oci_spec::image::{
    Descriptor, Digest, ImageConfiguration, ImageManifest, ImageManifestBuilder, MediaType,
};

use super::index::{Entry, to_json};
use super::names::give_names;
use super::{LayerState, Store, sync_dir};
use crate::error::{StoreError, check_depth};
use crate::reference::Reference;
use crate::regular;

/// An image's ID: the digest of its configuration, as docker has it.
pub type ImageId = Digest;

/// As `docker images` shows an ID.
const SHORT: usize = 12;

/// An image in the store.
#[derive(Debug, Clone)]
pub struct Image {
    /// The digest of its configuration.
    pub id: ImageId,
    /// Of the manifest, as the index has it.
    pub descriptor: Descriptor,
    /// Which layers it has.
    pub manifest: ImageManifest,
    /// What a container of it is.
    pub config: ImageConfiguration,
    /// Sorted; none for a dangling image.
    pub names: Vec<Reference>,
    /// Of its files, where its layers have been unpacked, else of its blobs; in bytes.
    pub size: u64,
    /// Seconds since 1970, if the configuration says.
    pub created: Option<i64>,
}

impl Image {
    /// Twelve digits of the ID.
    pub fn short_id(&self) -> &str {
        &self.id.digest()[..SHORT]
    }

    /// Of its layers decompressed, lowest first.
    pub fn diff_ids(&self) -> Result<Vec<Digest>, StoreError> {
        diff_ids(&self.id, &self.config)
    }
}

pub(super) fn diff_ids(
    id: &ImageId,
    config: &ImageConfiguration,
) -> Result<Vec<Digest>, StoreError> {
    let ids = config.rootfs().diff_ids().iter();
    ids.map(|text| {
        Digest::from_str(text).map_err(|error| malformed("configuration", id.as_ref(), &error))
    })
    .collect()
}

/// An image to be published.
pub(crate) struct NewEntry {
    pub manifest: Descriptor,
    pub id: ImageId,
    pub names: Vec<Reference>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.first() {
            Some(name) => name.fmt(f),
            None => self.id.fmt(f),
        }
    }
}

impl Store {
    /// Publishes an image whose layers have been put. A name that another image had moves to this one.
    pub fn commit_image(
        &self,
        config: &ImageConfiguration,
        layers: Vec<Descriptor>,
        names: &[Reference],
    ) -> Result<ImageId, StoreError> {
        check_depth(layers.len())?;
        let bytes = to_json(config).map_err(|e| malformed("configuration", "", &e))?;
        let config = self.put_blob(&bytes[..], MediaType::ImageConfig, None)?;
        let id = config.digest().clone();
        let manifest = manifest_of(config, layers)?;
        let manifest = self.put_blob(&manifest[..], MediaType::ImageManifest, None)?;
        self.commit(vec![NewEntry {
            manifest,
            id: id.clone(),
            names: names.to_vec(),
        }])?;
        Ok(id)
    }

    /// Publishes images whose manifests, configurations and layers have been put, all by one rename.
    pub(crate) fn commit(&self, images: Vec<NewEntry>) -> Result<(), StoreError> {
        sync_dir(&self.dir.join("blobs/sha256"))?;
        self.update_index(|entries| {
            for image in images {
                // An image is one manifest: the same configuration put again keeps the first, if that is still whole.
                let is_it = |e: &Entry| !e.is_index() && e.config().as_ref() == Some(&image.id);
                let known = entries
                    .iter()
                    .find(|e| is_it(e) && self.is_here(&e.descriptor));
                let manifest = known.map_or(image.manifest, |entry| entry.descriptor.clone());
                let mut names = image.names;
                if known.is_none() {
                    let old = entries.iter().filter(|e| is_it(e));
                    names.extend(old.filter_map(Entry::name));
                    entries.retain(|e| !is_it(e));
                }
                give_names(entries, &manifest, &image.id, &names);
            }
            Ok(())
        })?;
        self.release();
        Ok(())
    }

    /// That all of an image's blobs are here.
    fn is_here(&self, manifest: &Descriptor) -> bool {
        self.manifest(manifest).is_ok_and(|manifest| {
            let mut all = manifest.layers().iter().chain([manifest.config()]);
            all.all(|blob| self.has_blob(blob.digest()))
        })
    }

    /// Names an image once more.
    pub fn tag(&self, image: &str, name: &Reference) -> Result<(), StoreError> {
        let image = self.resolve(image)?;
        self.update_index(|entries| {
            let wanted = image.descriptor.digest();
            if !entries.iter().any(|e| e.descriptor.digest() == wanted) {
                return Err(StoreError::Gone {
                    id: image.id.to_string(),
                });
            }
            let names = std::slice::from_ref(name);
            give_names(entries, &image.descriptor, &image.id, names);
            Ok(())
        })
    }

    pub(super) fn size_of(&self, image: &Image) -> Result<u64, StoreError> {
        let states = self.layer_states(image)?;
        let each = states.iter().map(|state| match state {
            LayerState::Unpacked { bytes, .. } => *bytes,
            LayerState::Packed { blob } => packed_size(blob),
        });
        Ok(each.sum())
    }
}

/// What a layer's files will take once they are unpacked, so that the first run does not change an image's size: the
/// sizes in the heads of its tar. Of a compressed blob, which would have to be read whole, its own size.
pub(crate) fn packed_size(blob: &Path) -> u64 {
    let own = || blob.metadata().map_or(0, |meta| meta.len());
    let files = || -> std::io::Result<u64> {
        let mut tar = tar::Archive::new(regular::open(blob)?);
        let mut bytes = 0;
        for entry in tar.entries_with_seek()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                bytes += entry.size();
            }
        }
        Ok(bytes)
    };
    files().unwrap_or_else(|_| own())
}

/// A manifest's bytes.
pub(crate) fn manifest_of(
    config: Descriptor,
    layers: Vec<Descriptor>,
) -> Result<Vec<u8>, StoreError> {
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()
        .map_err(|e| malformed("manifest", "", &e))?;
    to_json(&manifest).map_err(|e| malformed("manifest", "", &e))
}

pub(super) fn seconds(text: &str) -> Option<i64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.as_second())
}

pub(super) fn malformed(what: &'static str, digest: &str, error: &dyn fmt::Display) -> StoreError {
    StoreError::Malformed {
        what,
        digest: digest.to_owned(),
        reason: error.to_string(),
    }
}
