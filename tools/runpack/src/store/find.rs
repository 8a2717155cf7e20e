//! Images found: by name, ID or digest, by docker's rules, and all of them. Which one is meant needs the index alone: an image that
//! cannot be read is in nobody's way, and goes by its name.

use std::str::FromStr;

use oci_spec::image::{Descriptor, Digest, ImageConfiguration, ImageManifest};

use super::image::{malformed, seconds};
use super::index::Entry;
use super::names::nearest;
use super::{Image, ImageId, Store};
use crate::config::read_config;
use crate::error::StoreError;
use crate::reference::Reference;

/// An entry of the index that is not an image, or no longer.
#[derive(Debug)]
pub struct Unreadable {
    /// Its name, or its digest if it has none.
    pub name: String,
    /// Why.
    pub error: StoreError,
}

/// What somebody asked for, as the index has it.
pub(super) struct Found {
    pub entry: Entry,
    /// The manifest's digest where no ID is to be had.
    pub id: ImageId,
    /// Sorted.
    pub names: Vec<Reference>,
}

impl Store {
    /// Every image that can be read, the newest first.
    pub fn images(&self) -> Result<Vec<Image>, StoreError> {
        Ok(self.list()?.0)
    }

    /// The same, and what cannot be read.
    pub fn list(&self) -> Result<(Vec<Image>, Vec<Unreadable>), StoreError> {
        let mut images: Vec<Image> = Vec::new();
        let mut unreadable = Vec::new();
        for entry in self.images_of_index()? {
            let id = self.key_of(&entry);
            if let Some(image) = images.iter_mut().find(|image| image.id == id) {
                image.names.extend(entry.name());
                continue;
            }
            match self.image(&entry, entry.name().into_iter().collect()) {
                Ok(image) => images.push(image),
                Err(error) => {
                    let name = entry.name().map(|name| name.to_string());
                    let name = name.unwrap_or_else(|| id.to_string());
                    unreadable.push(Unreadable { name, error });
                }
            }
        }
        for image in &mut images {
            image.names.sort();
        }
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        Ok((images, unreadable))
    }

    /// By name, by ID or its beginning, by digest of its manifest, in docker's order: a name wins over an ID.
    pub fn resolve(&self, wanted: &str) -> Result<Image, StoreError> {
        let found = self.find(wanted)?;
        self.image(&found.entry, found.names)
    }

    /// The ID alone, which is in the index where this store wrote it; `None` for what is not here, or not one image.
    pub fn id_of(&self, wanted: &str) -> Option<ImageId> {
        self.find(wanted).ok().map(|found| found.id)
    }

    /// By its whole ID, past every rule of names.
    pub(crate) fn by_exact_id(&self, id: &ImageId) -> Result<Option<Image>, StoreError> {
        let mut entries = self.images_of_index()?.into_iter();
        let entry = entries.find(|entry| self.key_of(entry) == *id);
        entry
            .map(|entry| self.image(&entry, Vec::new()))
            .transpose()
    }

    pub(super) fn find(&self, wanted: &str) -> Result<Found, StoreError> {
        let entries = self.images_of_index()?;
        let name = Reference::parse(wanted);
        let by_name = name.as_ref().ok();
        let named = by_name.and_then(|name| entries.iter().find(|e| e.is_named(name)));
        let found = match (named, wanted.split_once('@')) {
            (Some(entry), _) => Some(entry),
            (None, Some((name, digest))) => self.by_digest(&entries, name, digest)?,
            (None, None) => self.by_id(&entries, wanted)?,
        };
        if let Some(entry) = found {
            let id = self.key_of(entry);
            let same = entries.iter().filter(|other| self.key_of(other) == id);
            let mut names: Vec<Reference> = same.filter_map(Entry::name).collect();
            names.sort();
            return Ok(Found {
                entry: entry.clone(),
                id,
                names,
            });
        }
        // A text that can be neither says why; one that can is just not here.
        let digest_like =
            wanted.contains('@') || wanted.starts_with("sha256:") || as_id(wanted).is_some();
        if let Err(error) = name
            && !digest_like
        {
            return Err(error.into());
        }
        Err(StoreError::Unknown {
            name: wanted.to_owned(),
            near: nearest(wanted, &entries),
        })
    }

    /// `NAME@DIGEST`: the whole digest, of the manifest or the ID, and an image of that repository; docker ignores a tag too.
    fn by_digest<'a>(
        &self,
        entries: &'a [Entry],
        name: &str,
        digest: &str,
    ) -> Result<Option<&'a Entry>, StoreError> {
        let repository = Reference::parse(name)?.repository();
        let Ok(digest) = Digest::from_str(digest) else {
            return Ok(None);
        };
        let is_it = |entry: &&Entry| {
            let named = entry
                .name()
                .is_some_and(|name| name.repository() == repository);
            named && (*entry.descriptor.digest() == digest || self.key_of(entry) == digest)
        };
        Ok(entries.iter().find(is_it))
    }

    fn by_id<'a>(
        &self,
        entries: &'a [Entry],
        wanted: &str,
    ) -> Result<Option<&'a Entry>, StoreError> {
        let Some(prefix) = as_id(wanted) else {
            return Ok(None);
        };
        let mut found: Vec<(ImageId, &Entry)> = Vec::new();
        for entry in entries {
            let id = self.key_of(entry);
            let manifest = entry.descriptor.digest().digest();
            if (id.digest().starts_with(prefix) || manifest == prefix)
                && !found.iter().any(|(known, _)| *known == id)
            {
                found.push((id, entry));
            }
        }
        if found.len() > 1 {
            return Err(StoreError::Ambiguous {
                name: wanted.to_owned(),
                count: found.len(),
            });
        }
        Ok(found.pop().map(|(_, entry)| entry))
    }

    pub(super) fn images_of_index(&self) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.entries()?;
        entries.retain(|entry| !entry.is_index());
        Ok(entries)
    }

    /// The image's ID: from our own note, or, where another tool wrote the entry, from the manifest; without either what the index has.
    pub(super) fn key_of(&self, entry: &Entry) -> ImageId {
        let noted = entry.config();
        let read = || {
            Some(
                self.manifest(&entry.descriptor)
                    .ok()?
                    .config()
                    .digest()
                    .clone(),
            )
        };
        noted
            .or_else(read)
            .unwrap_or_else(|| entry.descriptor.digest().clone())
    }

    pub(crate) fn manifest(&self, descriptor: &Descriptor) -> Result<ImageManifest, StoreError> {
        let bytes = self.read_blob("manifest", descriptor.digest())?;
        serde_json::from_slice(&bytes)
            .map_err(|e| malformed("manifest", descriptor.digest().as_ref(), &e))
    }

    pub(super) fn config(&self, id: &ImageId) -> Result<ImageConfiguration, StoreError> {
        let bytes = self.read_blob("configuration", id)?;
        read_config(&bytes).map_err(|e| malformed("configuration", id.as_ref(), &e))
    }

    fn image(&self, entry: &Entry, names: Vec<Reference>) -> Result<Image, StoreError> {
        let manifest = self.manifest(&entry.descriptor)?;
        let id = manifest.config().digest().clone();
        let config = self.config(&id)?;
        let created = config.created().as_deref().and_then(seconds);
        let mut image = Image {
            id,
            descriptor: entry.descriptor.clone(),
            manifest,
            config,
            names,
            size: 0,
            created,
        };
        image.size = self.size_of(&image)?;
        Ok(image)
    }
}

/// The digits, if it may be an ID or the beginning of one.
fn as_id(wanted: &str) -> Option<&str> {
    let digits = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let hex = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex && !digits.is_empty()).then_some(digits)
}
