//! Names of containers: `names/NAME` holds an ID. A name is taken by link(2), which decides a race; one whose
//! container is gone is anybody's.

use std::io;

use super::create::is_abandoned;
use super::files::write_new;
use super::{Containers, StateError};

impl Containers {
    /// Takes a name for a container, or says whose it is.
    pub fn take_name(&self, name: &str, id: &str) -> Result<(), StateError> {
        let names = self.names();
        let path = names.join(name);
        let io = |source| StateError::Io {
            doing: "taking name",
            path: path.clone(),
            source,
        };
        self.is_nobody_elses(name)?;
        std::fs::create_dir_all(&names).map_err(io)?;
        let temporary = names.join(format!(".{id}.new"));
        write_new(&temporary, format!("{id}\n").as_bytes(), false)?;
        let linked = loop {
            match std::fs::hard_link(&temporary, &path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let holder = self.holder(name).unwrap_or_default();
                    // Left by a kill between two steps of a removal: nobody has it.
                    let orphan = holder != id && self.is_nobodys(&holder);
                    if orphan && std::fs::remove_file(&path).is_ok() {
                        continue;
                    }
                    break Err(StateError::NameTaken {
                        name: name.to_owned(),
                        holder,
                    });
                }
                other => break other.map_err(io),
            }
        };
        let _ = std::fs::remove_file(&temporary);
        linked
    }

    /// A name is one container's, be that an ordinary one or one of `--rootfs`.
    fn is_nobody_elses(&self, name: &str) -> Result<(), StateError> {
        let mut both = self.both().into_iter();
        let Some(other) = both.find(|other| other.roots.root != self.roots.root) else {
            return Ok(());
        };
        match other.holder(name) {
            Some(holder) if other.dir(&holder).exists() => Err(StateError::NameTaken {
                name: name.to_owned(),
                holder,
            }),
            _ => Ok(()),
        }
    }

    /// Frees a name, if it is that container's.
    pub fn free_name(&self, name: &str, id: &str) {
        if self.has_name(name, id) {
            let _ = std::fs::remove_file(self.names().join(name));
        }
    }

    /// Whether nobody has taken a name yet.
    pub fn is_free(&self, name: &str) -> bool {
        !self.names().join(name).exists()
    }

    pub(super) fn has_name(&self, name: &str, id: &str) -> bool {
        self.holder(name).is_some_and(|holder| holder == id)
    }

    /// The ID of the container that has a name, or had it.
    pub fn holder(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.names().join(name)).ok()?;
        Some(text.trim_end().to_owned())
    }

    /// Names that a killed `rename` has left: their container has another. With its ID.
    pub fn stale_names(&self) -> Vec<(String, String)> {
        let is_stale = |(name, id): &(String, String)| {
            let other = self.load(id).is_ok_and(|container| container.name != *name);
            other && is_abandoned(&self.dir(id))
        };
        self.held_names().filter(is_stale).collect()
    }

    /// What a container is called: a name, or two in the middle of a rename.
    pub fn names_of(&self, id: &str) -> Vec<String> {
        let its = self.held_names().filter(|(_, holder)| holder == id);
        its.map(|(name, _)| name).collect()
    }

    fn held_names(&self) -> impl Iterator<Item = (String, String)> {
        let files = std::fs::read_dir(self.names());
        let names = files.into_iter().flatten().flatten();
        let names = names.filter_map(|file| file.file_name().into_string().ok());
        names.filter_map(|name| {
            // The one that a name is linked from may be empty yet.
            let linked_from = name.strip_prefix('.').and_then(|n| n.strip_suffix(".new"));
            let id = linked_from
                .map(str::to_owned)
                .or_else(|| self.holder(&name));
            id.map(|id| (name, id))
        })
    }

    /// The names whose container is gone and not being made, with its ID.
    pub fn orphaned_names(&self) -> Vec<(String, String)> {
        self.held_names()
            .filter(|(_, id)| !id.is_empty() && self.is_nobodys(id))
            .collect()
    }
}
