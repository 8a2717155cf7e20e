//! A container in the making: `containers/.ID.new`, locked by who makes it, until a rename publishes it.
//!
//! That directory is there before anything else of the container's: what a killed one leaves (a pin, a volume
//! without a name, a name) is known by it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use kit_home::lock::{self, Hold};
use kit_sys::calls;
use oci_spec::runtime::Spec;

use super::files::{to_json, write_new};
use super::{Container, Containers, RunState, StateError};

/// Its files, in the order in which they are written: name and text.
pub type Files = [(&'static str, Vec<u8>); 3];

/// Held while somebody is at work on a container's directory: a gc leaves it alone.
pub struct AtWork(File);

/// Held while nobody else is: a gc deletes under this.
pub struct Alone(#[allow(dead_code)] File);

/// Says that somebody is at work on a container's directory; several may be.
pub fn at_work(path: &Path) -> io::Result<AtWork> {
    let dir = File::open(path)?;
    lock::wait(&dir, Hold::Shared)?;
    Ok(AtWork(dir))
}

/// That nobody is, and nobody begins.
pub fn alone(path: &Path) -> io::Result<Alone> {
    let dir = File::open(path)?;
    if lock::attempt(&dir, Hold::Alone)? {
        Ok(Alone(dir))
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Whether nobody is at work on a directory that was begun.
pub fn is_abandoned(path: &Path) -> bool {
    alone(path).is_ok()
}

fn fail(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io {
        doing,
        path,
        source,
    }
}

impl Containers {
    /// Where a container is made.
    pub fn making(&self, id: &str) -> PathBuf {
        self.dir(id).with_file_name(format!(".{id}.new"))
    }

    pub fn is_being_made(&self, id: &str) -> bool {
        self.making(id).exists()
    }

    /// Whether there is no such container and nobody makes it. In this order: it is published by a rename, and
    /// whoever looks for the old name last finds neither.
    pub fn is_nobodys(&self, id: &str) -> bool {
        !self.is_being_made(id) && !self.dir(id).exists()
    }

    /// The IDs of those that were begun, and that nobody is at work on.
    pub fn half_made(&self) -> Vec<String> {
        let mut ids = self.all_in_the_making();
        ids.retain(|id| is_abandoned(&self.making(id)));
        ids
    }

    /// The IDs of those that were begun.
    pub fn all_in_the_making(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.roots.root.join("containers"));
        let names = files.into_iter().flatten().flatten();
        let names = names.filter_map(|file| file.file_name().into_string().ok());
        let ids = names.filter_map(|name| {
            let id = name.strip_prefix('.')?.strip_suffix(".new")?;
            Some(id.to_owned())
        });
        ids.collect()
    }

    /// Makes the directories of a new container; the lock tells a gc that somebody is at work.
    pub fn begin(&self, id: &str) -> Result<AtWork, StateError> {
        let making = self.making(id);
        let mkdir = |path: &Path| {
            calls::told(
                || format!("mkdir({path:?}, 0755)"),
                || DirBuilder::new().mode(0o755).create(path),
            )
        };
        let work = loop {
            match mkdir(&making) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    let parent = making.parent().unwrap_or(&making);
                    calls::fs::create_dir_all(parent).map_err(fail("making", parent))?;
                    continue;
                }
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(fail("making", &making)(e));
                }
                _ => {}
            }
            match at_work(&making) {
                Ok(work) if work.0.metadata().is_ok_and(|meta| meta.nlink() > 0) => break work,
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(fail("locking", &making)(e));
                }
                // A gc that came between has removed it: make another.
                _ => {}
            }
        };
        for sub in ["upper", "work"] {
            let path = making.join(sub);
            mkdir(&path).map_err(fail("making", &path))?;
        }
        Ok(work)
    }

    /// What a new container's files say. `starting`: a run made it, and nobody else will start it.
    pub fn new_files(
        &self,
        container: &Container,
        spec: &Spec,
        starting: bool,
    ) -> Result<Files, StateError> {
        let at = self.making(&container.id);
        let state = RunState {
            starting,
            ..RunState::default()
        };
        Ok([
            ("config.json", to_json(spec, &at)?),
            ("container.json", to_json(container, &at)?),
            ("state.json", to_json(&state, &at)?),
        ])
    }

    /// Writes them; with `sync` a power cut cannot lose them.
    pub fn write_new(&self, id: &str, files: &Files, sync: bool) -> Result<(), StateError> {
        let making = self.making(id);
        for (name, text) in files {
            write_new(&making.join(name), text, sync)?;
        }
        Ok(())
    }

    /// From here on it is there, for everybody.
    pub fn publish(&self, id: &str) -> Result<(), StateError> {
        let dir = self.dir(id);
        calls::fs::rename(self.making(id), &dir).map_err(fail("publishing", &dir))
    }
}
