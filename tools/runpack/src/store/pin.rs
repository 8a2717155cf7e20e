//! Pins: who uses an image says so by a file, `pins/OWNER`, with the image's ID in it. One unlink(2) ends it, so it fits a journal.
//!
//! A pin that a reboot may end lies in a run root, `images/pins/OWNER` there, so that it costs no write to the disk. Whoever removes an
//! image must see it, of whichever instance that has this store: a link of each in the store's `pins` leads to that directory.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kit_home::{Replace, replace};
use kit_plan::Roots;
use kit_sys::calls;
use oci_spec::image::Digest;

use super::remove::list;
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

/// Where a pin lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinPlace<'a> {
    /// In the store: it lasts until it is ended.
    Store,
    /// In the run root of this instance: a reboot ends it.
    Run(&'a Roots),
}

impl Store {
    /// Where an owner's pin is.
    pub fn pin_path(&self, owner: &str, place: PinPlace<'_>) -> PathBuf {
        self.pins_in(place).join(owner)
    }

    fn pins_in(&self, place: PinPlace<'_>) -> PathBuf {
        match place {
            PinPlace::Store => self.dir.join("pins"),
            PinPlace::Run(roots) => roots.run.join("images/pins"),
        }
    }

    /// The link by which the pins of an instance's run root are found. No owner's name begins with a dot.
    pub fn pins_link(&self, roots: &Roots) -> PathBuf {
        let name = format!(".{}", roots.instance.name());
        self.dir.join("pins").join(name)
    }

    /// Whether that link is there.
    pub fn has_pins_link(&self, roots: &Roots) -> bool {
        let to = std::fs::read_link(self.pins_link(roots));
        to.is_ok_and(|to| to == self.pins_in(PinPlace::Run(roots)))
    }

    /// Keeps an image from being removed; refused if it has just been.
    pub fn pin(
        &self,
        image: &ImageId,
        owner: &str,
        place: PinPlace<'_>,
    ) -> Result<PathBuf, StoreError> {
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
        let path = self.pin_path(owner, place);
        let text = format!("{image}\n");
        let written = match place {
            PinPlace::Store => {
                let temporary = self.temporary();
                replace(&path, text.as_bytes(), &Replace::beside(&temporary))
            }
            PinPlace::Run(roots) => {
                self.link_pins(roots)?;
                // Whoever decides by a pin does so under the same lock, so nobody is misled by half of one.
                calls::told(
                    || calls::fs::written(&path, text.as_bytes(), "O_WRONLY|O_CREAT|O_TRUNC"),
                    || write_whole(&path, text.as_bytes()),
                )
            }
        };
        written.map_err(StoreError::io("write", &path))?;
        Ok(path)
    }

    /// Makes the directory of an instance's own pins, and the link to it, once.
    fn link_pins(&self, roots: &Roots) -> Result<(), StoreError> {
        let dir = self.pins_in(PinPlace::Run(roots));
        if !dir.exists() {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(&dir);
            made.map_err(StoreError::io("make directory", &dir))?;
        }
        if self.has_pins_link(roots) {
            return Ok(());
        }
        let (link, temporary) = (self.pins_link(roots), self.temporary());
        let linked = symlink(&dir, &temporary).and_then(|()| std::fs::rename(&temporary, &link));
        linked.map_err(StoreError::io("make symbolic link", &link))
    }

    /// Ends a pin; one that is not there is fine.
    pub fn unpin(&self, owner: &str, place: PinPlace<'_>) -> Result<(), StoreError> {
        let path = self.pin_path(owner, place);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// What people call the owner of a pin, if that is a container of this root, or of a run root whose pins are here too.
    pub(super) fn container_name(&self, owner: &str) -> Option<String> {
        let root = self.dir.parent()?.to_owned();
        let run = |pins: &PathBuf| Some(pins.parent()?.parent()?.join("transient"));
        let runs = self.linked().unwrap_or_default();
        let mut homes = std::iter::once(root).chain(runs.iter().filter_map(run));
        homes.find_map(|home| {
            let file = home.join("containers").join(owner).join("container.json");
            let facts = regular::read(&file).ok()?;
            let facts: serde_json::Value = serde_json::from_slice(&facts).ok()?;
            facts.get("name")?.as_str().map(str::to_owned)
        })
    }

    /// The directories of pins in the run roots of the instances that have this store.
    fn linked(&self) -> Result<Vec<PathBuf>, StoreError> {
        let links = list(&self.dir.join("pins"))?.into_iter();
        let links = links.filter(|path| is_hidden(path));
        Ok(links
            .filter_map(|link| std::fs::read_link(link).ok())
            .collect())
    }

    /// All pins. One that does not parse was cut off by a crash: its owner is not committed either.
    pub fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        let mut pins = read_pins(&self.pins_in(PinPlace::Store))?;
        for dir in self.linked()? {
            pins.extend(read_pins(&dir)?);
        }
        pins.sort_by(|a, b| a.owner.cmp(&b.owner));
        Ok(pins)
    }

    /// Those that lie in one place.
    pub fn pins_of(&self, place: PinPlace<'_>) -> Result<Vec<Pin>, StoreError> {
        read_pins(&self.pins_in(place))
    }
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn read_pins(dir: &Path) -> Result<Vec<Pin>, StoreError> {
    let mut pins = Vec::new();
    for path in list(dir)?.into_iter().filter(|path| !is_hidden(path)) {
        let owner = path.file_name().unwrap_or_default().to_string_lossy();
        // It may go at any moment.
        let text = regular::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if let Ok(image) = Digest::from_str(text.trim()) {
            let owner = owner.into_owned();
            pins.push(Pin { owner, image });
        }
    }
    Ok(pins)
}
