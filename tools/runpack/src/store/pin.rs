//! Pins: who uses an image says so by a file, `pins/OWNER`, with the image's ID in it. One unlink(2) ends it, so it fits a journal.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use kit_home::{Replace, replace};
use oci_spec::image::Digest;

use super::{ImageId, Store};
use crate::error::StoreError;
use crate::regular;

/// Somebody uses an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// A container's ID.
    pub owner: String,
    /// What it uses.
    pub image: ImageId,
}

impl Store {
    /// Where an owner's pin is.
    pub fn pin_path(&self, owner: &str) -> PathBuf {
        self.dir.join("pins").join(owner)
    }

    /// Keeps an image from being removed; refused if it has just been.
    pub fn pin(&self, image: &ImageId, owner: &str) -> Result<PathBuf, StoreError> {
        if owner.is_empty() || owner.starts_with('.') || owner.contains('/') {
            return Err(StoreError::Owner {
                name: owner.to_owned(),
            });
        }
        self.prepare()?;
        // Under the index lock, as a removal is: it either sees the pin or has been seen.
        let _lock = self.lock_index()?;
        let entries = self.entries()?;
        let mut images = entries.iter().filter(|entry| !entry.is_index());
        if !images.any(|entry| self.key_of(entry) == *image) {
            return Err(StoreError::Gone {
                id: image.to_string(),
            });
        }
        let path = self.pin_path(owner);
        let temporary = self.temporary();
        let text = format!("{image}\n");
        let written = replace(&path, text.as_bytes(), &Replace::beside(&temporary));
        written.map_err(StoreError::io("write", &path))?;
        Ok(path)
    }

    /// Ends a pin; one that is not there is fine.
    pub fn unpin(&self, owner: &str) -> Result<(), StoreError> {
        let path = self.pin_path(owner);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("unlink", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Ends a pin by moving its file into a directory that is to be deleted: nobody waits for the disk.
    pub fn unpin_into(&self, owner: &str, trash: &std::path::Path) -> Result<(), StoreError> {
        match std::fs::rename(self.pin_path(owner), trash.join("pin")) {
            Ok(()) => Ok(()),
            Err(_) => self.unpin(owner),
        }
    }

    /// What people call the owner of a pin, if that is a container of this root.
    pub(super) fn container_name(&self, owner: &str) -> Option<String> {
        let root = self.dir.parent()?;
        let file = root.join("containers").join(owner).join("container.json");
        let facts: serde_json::Value = serde_json::from_slice(&regular::read(&file).ok()?).ok()?;
        facts.get("name")?.as_str().map(str::to_owned)
    }

    /// All pins. One that does not parse was cut off by a crash: its owner is not committed either.
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        let dir = self.dir.join("pins");
        let list = match std::fs::read_dir(&dir) {
            Ok(list) => list,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("list", &dir)(error)),
        };
        let mut pins = Vec::new();
        for file in list {
            let file = file.map_err(StoreError::io("list", &dir))?;
            let owner = file.file_name().to_string_lossy().into_owned();
            // It may go at any moment.
            let text = regular::read(&file.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            if let Ok(image) = Digest::from_str(text.trim()) {
                pins.push(Pin { owner, image });
            }
        }
        pins.sort_by(|a, b| a.owner.cmp(&b.owner));
        Ok(pins)
    }
}
