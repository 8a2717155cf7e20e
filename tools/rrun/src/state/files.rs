//! Reading and writing a container's files.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Container, Containers, RunState};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("reading {path:?}: {source}")]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("naming a container \"{name}\": container {} has that name", short(.holder))]
    NameTaken { name: String, holder: String },
    #[error("No such container: {name}{}", near_text(.near.as_ref()))]
    Unknown { name: String, near: Option<String> },
    #[error("finding container \"{prefix}\": {count} containers have IDs that begin so")]
    Ambiguous { prefix: String, count: usize },
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn near_text(near: Option<&String>) -> String {
    near.map(|near| format!(" (did you mean \"{near}\"?)"))
        .unwrap_or_default()
}

impl StateError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { name, .. } => Some(format!(
                "rrun rm {name} removes that one; rrun rename gives it another name"
            )),
            Self::Unknown { .. } => Some("rrun ps -a shows them all".to_owned()),
            Self::Ambiguous { .. } => Some("give more of the ID".to_owned()),
            _ => None,
        }
    }
}

/// Now, as docker writes it: RFC 3339 in UTC with nanoseconds.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%9fZ")
        .to_string()
}

/// Writes a file beside its place and renames it there; with `sync` a power cut cannot lose it.
pub fn write_atomic(path: &Path, text: &[u8], sync: bool) -> Result<(), StateError> {
    let fail = |doing| {
        let path = path.to_owned();
        move |source| StateError::Io {
            doing,
            path,
            source,
        }
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text)?;
        if sync {
            file.sync_data()?;
        }
        std::fs::rename(&temporary, path)
    })();
    written.map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        fail("writing")(e)
    })
}

/// Locks a half-made directory for as long as the descriptor is open.
fn lock_dir(path: &Path) -> io::Result<File> {
    let dir = File::open(path)?;
    rustix::fs::flock(&dir, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(dir)
}

/// Whether nobody is at work on a half-made directory any more.
pub(crate) fn is_abandoned(path: &Path) -> bool {
    lock_dir(path).is_ok()
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StateError> {
    let text = std::fs::read(path).map_err(|source| StateError::Io {
        doing: "reading",
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| StateError::Json {
        path: path.to_owned(),
        source,
    })
}

fn to_json<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, StateError> {
    let text = serde_json::to_vec_pretty(value);
    text.map_err(|source| StateError::Json {
        path: path.to_owned(),
        source,
    })
}

impl Containers {
    /// Publishes a new container: its directory is made under a temporary name and renamed. The name is
    /// taken first, by link(2), which decides a race.
    pub fn publish(
        &self,
        container: &Container,
        spec: &Spec,
        sync: bool,
    ) -> Result<(), StateError> {
        let dir = self.dir(&container.id);
        let temporary = dir.with_file_name(format!(".{}.new", container.id));
        let io = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io {
                doing,
                path,
                source,
            }
        };
        for sub in ["upper", "work"] {
            let path = temporary.join(sub);
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&path)
                .map_err(io("making", &path))?;
        }
        // A gc that sees the temporary name must see that somebody is at work on it.
        let _busy = lock_dir(&temporary).map_err(io("locking", &temporary))?;
        let files = [
            ("config.json", to_json(spec, &temporary)?),
            ("container.json", to_json(container, &temporary)?),
            ("state.json", to_json(&RunState::default(), &temporary)?),
        ];
        for (name, text) in files {
            write_atomic(&temporary.join(name), &text, sync)?;
        }
        let published = self
            .take_name(&container.name, &container.id)
            .and_then(|()| {
                std::fs::rename(&temporary, &dir).map_err(|e| {
                    self.free_name(&container.name, &container.id);
                    io("publishing", &dir)(e)
                })
            });
        if published.is_err() {
            let _ = std::fs::remove_dir_all(&temporary);
        }
        published
    }

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
        write_atomic(&temporary, id.as_bytes(), false)?;
        let linked = loop {
            match std::fs::hard_link(&temporary, &path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let holder = std::fs::read_to_string(&path).unwrap_or_default();
                    // Left by a kill between two steps of a removal: nobody has it.
                    let orphan = !self.dir(&holder).exists() && !self.is_being_made(&holder);
                    if holder != id && orphan && std::fs::remove_file(&path).is_ok() {
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
        match std::fs::read_to_string(other.names().join(name)) {
            Ok(holder) if other.dir(&holder).exists() => Err(StateError::NameTaken {
                name: name.to_owned(),
                holder,
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_being_made(&self, id: &str) -> bool {
        self.dir(id).with_file_name(format!(".{id}.new")).exists()
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

    fn has_name(&self, name: &str, id: &str) -> bool {
        let holder = std::fs::read_to_string(self.names().join(name));
        holder.is_ok_and(|holder| holder == id)
    }

    /// Frees the names whose container is gone and not being made; how many.
    pub(crate) fn free_orphaned_names(&self) -> usize {
        let Ok(files) = std::fs::read_dir(self.names()) else {
            return 0;
        };
        let orphaned = files.flatten().filter(|file| {
            let holder = std::fs::read_to_string(file.path()).unwrap_or_default();
            !holder.is_empty() && !self.dir(&holder).exists() && !self.is_being_made(&holder)
        });
        orphaned
            .filter(|file| std::fs::remove_file(file.path()).is_ok())
            .count()
    }

    /// Removes a container's directories and its name by way of the trash: gone for everybody at once, deleted after.
    /// A rename takes microseconds; a deletion may wait for the disk, on a filesystem that discards.
    pub fn discard(&self, container: &Container) -> Result<PathBuf, StateError> {
        let trash = self.trash();
        let to = trash.join(&container.id);
        let dir = self.dir(&container.id);
        let io = |source| StateError::Io {
            doing: "removing",
            path: dir.clone(),
            source,
        };
        std::fs::create_dir_all(&trash).map_err(io)?;
        // First: a name whose container is gone is anybody's.
        if self.has_name(&container.name, &container.id) {
            let _ = std::fs::rename(self.names().join(&container.name), dir.join("name"));
        }
        std::fs::rename(&dir, &to).map_err(io)?;
        let _ = std::fs::remove_dir_all(self.run_dir(&container.id));
        Ok(to)
    }

    pub fn load(&self, id: &str) -> Result<Container, StateError> {
        read_json(&self.dir(id).join("container.json"))
    }

    pub fn save(&self, container: &Container) -> Result<(), StateError> {
        let path = self.dir(&container.id).join("container.json");
        write_atomic(&path, &to_json(container, &path)?, true)
    }

    pub fn spec(&self, id: &str) -> Result<Spec, StateError> {
        read_json(&self.dir(id).join("config.json"))
    }

    pub fn save_spec(&self, id: &str, spec: &Spec) -> Result<(), StateError> {
        let path = self.dir(id).join("config.json");
        write_atomic(&path, &to_json(spec, &path)?, true)
    }

    pub fn state(&self, id: &str) -> Result<RunState, StateError> {
        read_json(&self.dir(id).join("state.json"))
    }

    pub fn save_state(&self, id: &str, state: &RunState, sync: bool) -> Result<(), StateError> {
        let path = self.dir(id).join("state.json");
        write_atomic(&path, &to_json(state, &path)?, sync)
    }

    /// Makes the run directory of a container, mode 0700.
    pub fn make_run_dir(&self, id: &str) -> Result<PathBuf, StateError> {
        let path = self.run_dir(id);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| StateError::Io {
            doing: "making",
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// The lock file of a container, in the run directory.
    pub(crate) fn open_lock(&self, id: &str) -> Result<File, StateError> {
        let path = self.make_run_dir(id)?.join("lock");
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        open.map_err(|source| StateError::Io {
            doing: "opening lock",
            path,
            source,
        })
    }
}
