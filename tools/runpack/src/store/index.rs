//! `index.json`: which manifests the store has and what they are called. Changed under the index lock, by a rename.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use oci_spec::image::{Descriptor, Digest, ImageIndex, ImageIndexBuilder, MediaType};

use super::{Store, sync_dir};
use crate::error::StoreError;
use crate::reference::Reference;
use crate::regular;

pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The configuration's digest, so that a lookup by ID need not read every manifest.
const CONFIG: &str = "boxkit.image.id";

/// What the spare file has at least.
const SPARE: usize = 64 << 10;

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// One entry of the index.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub descriptor: Descriptor,
}

impl Entry {
    pub fn new(mut manifest: Descriptor, config: &Digest, name: Option<&Reference>) -> Self {
        let mut notes = HashMap::from([(CONFIG.to_owned(), config.to_string())]);
        if let Some(name) = name {
            notes.insert(REF_NAME.to_owned(), name.to_string());
        }
        manifest.set_annotations(Some(notes));
        Self {
            descriptor: manifest,
        }
    }

    fn note(&self, key: &str) -> Option<&str> {
        let notes = self.descriptor.annotations().as_ref()?;
        notes.get(key).map(String::as_str)
    }

    /// Another tool put an index of several platforms here: kept, but no image of ours.
    pub fn is_index(&self) -> bool {
        is_index(self.descriptor.media_type())
    }

    /// The name, if it has one that is a name by our rules.
    pub fn name(&self) -> Option<Reference> {
        Reference::parse(self.note(REF_NAME)?).ok()
    }

    pub fn config(&self) -> Option<Digest> {
        Digest::from_str(self.note(CONFIG)?).ok()
    }

    pub fn is_named(&self, name: &Reference) -> bool {
        self.name().as_ref() == Some(name)
    }
}

impl Store {
    /// Empty if there is no store yet.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let path = self.dir.join("index.json");
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let index: ImageIndex =
            serde_json::from_slice(&bytes).map_err(|error| StoreError::Index {
                path,
                reason: error.to_string(),
            })?;
        let entries = index.manifests().iter().cloned();
        Ok(entries.map(|descriptor| Entry { descriptor }).collect())
    }

    /// Changes the index under its lock; `change` sees it as it is now.
    pub(crate) fn update_index<T>(
        &self,
        change: impl FnOnce(&mut Vec<Entry>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.prepare()?;
        let _lock = self.lock_index()?;
        let mut entries = self.entries()?;
        let result = change(&mut entries)?;
        let manifests: Vec<Descriptor> = entries.into_iter().map(|e| e.descriptor).collect();
        let path = self.dir.join("index.json");
        let malformed = |reason: String| StoreError::Index {
            path: path.clone(),
            reason,
        };
        let index = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .manifests(manifests)
            .build()
            .map_err(|e| malformed(e.to_string()))?;
        let bytes = to_json(&index).map_err(|e| malformed(e.to_string()))?;
        self.write_index(&path, &bytes)?;
        sync_dir(&self.dir)?;
        Ok(result)
    }

    /// Where the disk is full it goes into the spare file's place on it: an image must be removable then of all times.
    fn write_index(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let spare = self.dir.join("spare");
        match self.write_file(path, bytes) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                let replaced = over(&spare, bytes).and_then(|()| std::fs::rename(&spare, path));
                return replaced.map_err(|_| StoreError::io("write", path)(source));
            }
            written => written?,
        }
        let size = spare.metadata().map_or(0, |meta| meta.len());
        if size < 2 * bytes.len() as u64 {
            let zeros = vec![0; (4 * bytes.len()).next_multiple_of(SPARE)];
            // Without it everything works but that.
            let _ = self.write_file(&spare, &zeros);
        }
        Ok(())
    }
}

/// Writes over the beginning of a file that is long enough, and ends it there.
fn over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() < bytes.len() as u64 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_data()
}

pub(crate) fn is_index(media_type: &MediaType) -> bool {
    *media_type == MediaType::ImageIndex || media_type.to_string() == DOCKER_LIST
}

/// With sorted keys: the same content has the same digest.
pub(crate) fn to_json(value: &impl serde::Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&serde_json::to_value(value)?)
}
