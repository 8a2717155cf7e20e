//! Names of containers: `names/NAME` holds an ID. A name is taken by link(2), which decides a race, under a lock on the
//! run directory, since an ordinary container and a transient one must not have the same name. A name whose container no
//! longer exists may be taken by any. A name is freed under a lock on the directory: without it, of two
//! processes that find the same orphan, the slower would delete the name that the quicker has just taken.

use std::io;

use kit_home::lock::{self, Hold};
use kit_sys::calls;

use super::create::is_abandoned;
use super::files::write_new;
use super::{Containers, StateError};

impl Containers {
    /// Takes a name for a container.
    ///
    /// # Errors
    /// [`StateError::NameTaken`] with the ID of the container that has it; [`StateError::Io`].
    pub fn take_name(&self, name: &str, id: &str) -> Result<(), StateError> {
        let names = self.names();
        let path = names.join(name);
        let io = |source| StateError::Io {
            doing: "taking name",
            path: path.clone(),
            source,
        };
        let run = std::fs::File::open(&self.roots.run).map_err(io)?;
        lock::wait(&run, Hold::Alone).map_err(io)?;
        self.is_nobody_elses(name)?;
        calls::fs::create_dir_all(&names).map_err(io)?;
        let temporary = names.join(format!(".{id}.new"));
        write_new(&temporary, format!("{id}\n").as_bytes(), false)?;
        let linked = loop {
            match calls::fs::hard_link(&temporary, &path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let holder = self.holder(name).unwrap_or_default();
                    // Left by a kill between two steps of a removal: nobody has it.
                    let orphan = holder != id && self.is_nobodys(&holder);
                    if orphan && self.free_orphan(name, &holder).map_err(io)? {
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
        let _ = calls::fs::remove_file(&temporary);
        linked
    }

    /// A name is one container's, be that an ordinary or a transient one.
    fn is_nobody_elses(&self, name: &str) -> Result<(), StateError> {
        let both = self.both();
        let other = both.iter().find(|of| of.is_transient != self.is_transient);
        match other.and_then(|other| other.holder(name)) {
            Some(holder) if !self.is_nobodys(&holder) => Err(StateError::NameTaken {
                name: name.to_owned(),
                holder,
            }),
            _ => Ok(()),
        }
    }

    /// Frees a name if container `id` has it. An error is ignored: gc frees what is left.
    pub fn free_name(&self, name: &str, id: &str) {
        let _ = self.free_if(name, |holder| holder == id);
    }

    /// Frees a name whose container `id` no longer exists; `false` if another container has taken the name meanwhile, or
    /// container `id` exists after all.
    pub fn free_orphan(&self, name: &str, id: &str) -> io::Result<bool> {
        // The file that a name is linked from may be empty yet.
        self.free_if(name, |holder| {
            (holder.is_empty() || holder == id) && self.is_nobodys(id)
        })
    }

    /// Deletes the file of a name if `is_to_go` says so of the ID in it; returns whether the name is free now. Without a file
    /// nothing is done: a process that takes a free name does so without the lock.
    fn free_if(&self, name: &str, is_to_go: impl FnOnce(&str) -> bool) -> io::Result<bool> {
        let names = std::fs::File::open(self.names())?;
        lock::wait(&names, Hold::Alone)?;
        match self.holder(name) {
            None => Ok(true),
            Some(holder) if is_to_go(&holder) => {
                calls::fs::remove_file(self.names().join(name)).map(|()| true)
            }
            Some(_) => Ok(false),
        }
    }

    /// Whether neither an ordinary container nor a transient one has this name.
    pub fn is_free(&self, name: &str) -> bool {
        self.both().iter().all(|of| !of.names().join(name).exists())
    }

    pub(super) fn has_name(&self, name: &str, id: &str) -> bool {
        self.holder(name).is_some_and(|holder| holder == id)
    }

    /// The ID that a name's file holds; `None` without a file. The container may no longer exist.
    pub fn holder(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.names().join(name)).ok()?;
        Some(text.trim_end().to_owned())
    }

    /// Names that a killed `rename` has left, each with the ID of its container, whose container.json has another name.
    pub fn stale_names(&self) -> Vec<(String, String)> {
        let is_stale = |(name, id): &(String, String)| {
            let other = self.load(id).is_ok_and(|container| container.name != *name);
            other && is_abandoned(&self.dir(id))
        };
        self.held_names().filter(is_stale).collect()
    }

    /// The names that lead to a container: one, or two in the middle of a rename.
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

    /// The names whose container neither exists nor is being made, each with its ID.
    pub fn orphaned_names(&self) -> Vec<(String, String)> {
        self.held_names()
            .filter(|(_, id)| !id.is_empty() && self.is_nobodys(id))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_plan::Roots;

    fn containers() -> (tempfile::TempDir, Containers) {
        let dir = tempfile::tempdir().unwrap();
        let containers =
            Containers::new(Roots::at(dir.path().join("root"), dir.path().join("run")));
        for of in containers.both() {
            std::fs::create_dir_all(of.names()).unwrap();
        }
        (dir, containers)
    }

    /// The name of a container that is gone, which many want at once.
    #[test]
    fn an_orphaned_name_is_taken_once() {
        let (_dir, containers) = containers();
        for round in 0..200 {
            let name = format!("web{round}");
            std::fs::write(containers.names().join(&name), "gone\n").unwrap();
            let ids: Vec<String> = (0..4).map(|nth| format!("id{round}-{nth}")).collect();
            for id in &ids {
                std::fs::create_dir_all(containers.making(id)).unwrap();
            }
            let got: Vec<bool> = std::thread::scope(|scope| {
                let (containers, name) = (&containers, &name);
                let threads: Vec<_> = ids
                    .iter()
                    .map(|id| scope.spawn(move || containers.take_name(name, id).is_ok()))
                    .collect();
                threads.into_iter().map(|it| it.join().unwrap()).collect()
            });
            assert_eq!(
                got.iter().filter(|taken| **taken).count(),
                1,
                "round {round}"
            );
            let winner = &ids[got.iter().position(|taken| *taken).unwrap()];
            assert!(containers.has_name(&name, winner), "round {round}");
        }
    }

    #[test]
    fn an_ordinary_container_and_a_transient_one_do_not_get_the_same_name() {
        let (_dir, containers) = containers();
        let both = containers.both();
        for round in 0..200 {
            let name = format!("web{round}");
            let ids = [0, 1].map(|nth| format!("id{round}-{nth}"));
            for (of, id) in both.iter().zip(&ids) {
                std::fs::create_dir_all(of.making(id)).unwrap();
            }
            let got: Vec<bool> = std::thread::scope(|scope| {
                let name = &name;
                let threads: Vec<_> = both
                    .iter()
                    .zip(&ids)
                    .map(|(of, id)| scope.spawn(move || of.take_name(name, id).is_ok()))
                    .collect();
                threads.into_iter().map(|it| it.join().unwrap()).collect()
            });
            let count = got.iter().filter(|taken| **taken).count();
            assert_eq!(count, 1, "round {round}");
        }
    }

    #[test]
    fn a_name_that_another_has_taken_is_not_freed() {
        let (_dir, containers) = containers();
        let path = containers.names().join("web");
        std::fs::create_dir_all(containers.making("new")).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        assert!(!containers.free_orphan("web", "old").unwrap());
        assert!(!containers.free_orphan("web", "new").unwrap());
        containers.free_name("web", "old");
        assert!(path.exists());
        containers.free_name("web", "new");
        assert!(!path.exists());
    }
}
