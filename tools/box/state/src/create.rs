//! A container in the making: `containers/.ID.new`, locked by the process that makes it, until a rename publishes it.
//!
//! That directory is made before anything else of the container's, so that gc knows by it to whom a pin, an anonymous
//! volume or a name belongs that a killed command has left.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use kit_home::lock::{self, Hold};
use kit_sys::calls;
use oci_spec::runtime::Spec;

use super::files::{to_json, write_new};
use super::{Container, Containers, RunState, StateError};

/// The files of a new container, each as name and text, in the order in which they are written.
pub type Files = [(&'static str, Vec<u8>); 3];

/// A shared flock(2) on a container's directory, held until dropped: while any process has one, gc leaves the directory
/// alone.
pub struct AtWork(File);

/// An exclusive flock(2) on a container's directory, held until dropped: gc deletes under it.
pub struct Alone(#[allow(dead_code)] File);

/// Takes the shared lock on a container's directory, and waits for a gc that has the exclusive one.
///
/// # Errors
/// The errno of open(2), such as ENOENT if the directory is not there, or of flock(2).
pub fn at_work(path: &Path) -> io::Result<AtWork> {
    let dir = File::open(path)?;
    lock::wait(&dir, Hold::Shared)?;
    Ok(AtWork(dir))
}

/// Takes the exclusive lock on a container's directory: no other process is at work on it, and none begins.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if some process is at work on it; the errno of open(2) or flock(2).
pub fn alone(path: &Path) -> io::Result<Alone> {
    let dir = File::open(path)?;
    if lock::attempt(&dir, Hold::Alone)? {
        Ok(Alone(dir))
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Whether a container's directory exists and no process is at work on it.
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

/// Makes a directory with mode 0755, and those above it if they are missing; one that is there already is fine.
fn make(path: &Path) -> Result<(), StateError> {
    let mkdir = || {
        calls::told(
            || format!("mkdir({path:?}, 0755)"),
            || DirBuilder::new().mode(0o755).create(path),
        )
    };
    loop {
        match mkdir() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().unwrap_or(path);
                calls::fs::create_dir_all(parent).map_err(fail("making", parent))?;
            }
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fail("making", path)(e));
            }
            _ => return Ok(()),
        }
    }
}

impl Containers {
    /// The directory in which a container is made before it is published.
    pub fn making(&self, id: &str) -> PathBuf {
        self.all().join(format!(".{id}.new"))
    }

    /// The directory of its layer before it is published. A transient container's layer has its place from the beginning:
    /// no command looks for one but by its container.
    pub fn making_layer(&self, id: &str) -> PathBuf {
        if self.is_transient {
            self.layer(id)
        } else {
            self.making(id)
        }
    }

    /// Whether a container of this ID was begun and is not published.
    pub(crate) fn is_being_made(&self, id: &str) -> bool {
        self.making(id).exists()
    }

    /// Whether there is no container of this ID, of either kind, and none is being made. The unpublished directories are
    /// looked for first: a rename publishes a container, and in the other order one published in between would be seen
    /// under neither name.
    pub fn is_nobodys(&self, id: &str) -> bool {
        let both = self.both();
        let is_made = |of: &Self| of.is_being_made(id);
        !both.iter().any(is_made) && !both.iter().any(|of| of.dir(id).exists())
    }

    /// The IDs of containers that were begun and that no process is at work on: their makers were killed.
    pub fn half_made(&self) -> Vec<String> {
        let mut ids = self.all_in_the_making();
        ids.retain(|id| is_abandoned(&self.making(id)));
        ids
    }

    /// The IDs of containers that were begun and are not published.
    pub fn all_in_the_making(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.all());
        let names = files.into_iter().flatten().flatten();
        let names = names.filter_map(|file| file.file_name().into_string().ok());
        let ids = names.filter_map(|name| {
            let id = name.strip_prefix('.')?.strip_suffix(".new")?;
            Some(id.to_owned())
        });
        ids.collect()
    }

    /// The directories to be made of a new container's layer: `upper/` and `work/` for an image. Of a transient container
    /// the layer itself comes first, with volumes also for `--rootfs`: after a reboot gc knows by it whose they were.
    pub fn new_layer(&self, container: &Container) -> Vec<PathBuf> {
        let layer = self.making_layer(&container.id);
        let overlay = container.image.is_some();
        let mut points = container.mounts.iter();
        let own = self.is_transient && (overlay || points.any(|point| point.kind == "volume"));
        let subs = ["upper", "work"].iter().filter(|_| overlay);
        let subs: Vec<PathBuf> = subs.map(|sub| layer.join(sub)).collect();
        own.then_some(layer).into_iter().chain(subs).collect()
    }

    /// Where what is removed goes, unless it is there: on a disk that is full by then it could not be made, and so nothing be
    /// removed. A transient container's layer goes to the root's.
    pub fn new_trash(&self) -> Vec<PathBuf> {
        let mut trash = vec![self.trash()];
        if self.is_transient {
            trash.push(Self::new(self.roots.clone()).trash());
        }
        trash.retain(|dir| !dir.exists());
        trash
    }

    /// Makes the unpublished directory of a new container and locks it against gc; then the directories of
    /// [`Containers::new_layer`] and [`Containers::new_trash`]. In this order: gc takes a layer that no container has.
    pub fn begin(&self, container: &Container) -> Result<AtWork, StateError> {
        let making = self.making(&container.id);
        let work = loop {
            make(&making)?;
            match at_work(&making) {
                Ok(work) if work.0.metadata().is_ok_and(|meta| meta.nlink() > 0) => break work,
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(fail("locking", &making)(e));
                }
                // A gc that came between has removed it: make another.
                _ => {}
            }
        };
        for dir in self.new_layer(container).iter().chain(&self.new_trash()) {
            make(dir)?;
        }
        Ok(work)
    }

    /// The texts of a new container's files. `starting` is [`RunState::starting`]: set if the caller is about to start it.
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

    /// Writes the files of a new container into its unpublished directory; with `sync` each is flushed by fdatasync(2), so
    /// that a power cut cannot lose it.
    pub fn write_new(&self, id: &str, files: &Files, sync: bool) -> Result<(), StateError> {
        let making = self.making(id);
        for (name, text) in files {
            write_new(&making.join(name), text, sync)?;
        }
        Ok(())
    }

    /// Publishes a container by one rename(2): other commands see it from then on.
    pub fn publish(&self, id: &str) -> Result<(), StateError> {
        let dir = self.dir(id);
        calls::fs::rename(self.making(id), &dir).map_err(fail("publishing", &dir))
    }
}
