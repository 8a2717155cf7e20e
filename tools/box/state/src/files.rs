//! Reading and writing a container's files.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kit_home::{JsonError, Replace, json_version, replace};
use kit_plan::Fault;
use kit_sys::calls;
use oci_spec::runtime::Spec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Container, Containers, RunState};

/// Why a container's files cannot be read, written or found.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum StateError {
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Json(#[from] JsonError),
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

impl Fault for StateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { name, .. } => Some(format!(
                "rrun rm -f {name} removes that one; rrun rename {name} {name}-old gives it another name"
            )),
            Self::Unknown { .. } => Some("rrun ps -a shows them all".to_owned()),
            Self::Json(error) => Fault::hint(error),
            Self::Ambiguous { .. } => Some("give more of the ID".to_owned()),
            Self::Io { .. } => None,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// The present time as docker writes it: RFC 3339 in UTC with nanoseconds, `2025-01-31T12:00:00.123456789Z`.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%9fZ")
        .to_string()
}

/// Writes a file in a place that no other command reads yet; with `sync` a power cut cannot lose it.
pub(super) fn write_new(path: &Path, text: &[u8], sync: bool) -> Result<(), StateError> {
    let written = calls::told(
        || calls::fs::written(path, text, "O_WRONLY|O_CREAT|O_TRUNC"),
        || put(path, text, sync),
    );
    written.map_err(|source| StateError::Io {
        doing: "writing",
        path: path.to_owned(),
        source,
    })
}

fn put(path: &Path, text: &[u8], sync: bool) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    if sync {
        file.sync_data()?;
    }
    Ok(())
}

/// Writes a file under a temporary name beside `path` and renames it there, mode 0600, so that a reader sees the old text
/// or the new one; with `sync` a power cut cannot lose it.
pub fn write_atomic(path: &Path, text: &[u8], sync: bool) -> Result<(), StateError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let how = Replace {
        sync,
        ..Replace::beside(&temporary)
    };
    replace(path, text, &how).map_err(|source| StateError::Io {
        doing: "writing",
        path: path.to_owned(),
        source,
    })
}

/// Overwrites the text of an existing file within the blocks that it has already. One write(2), so that no reader sees
/// half of it; the rest of a longer old text becomes blanks, which JSON allows.
fn overwrite(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let was = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    if text.len() < was {
        text.resize(was, b' ');
    }
    file.write_all(&text)
}

fn read(path: &Path) -> Result<Vec<u8>, StateError> {
    kit_sys::file::read(path).map_err(|source| StateError::Io {
        doing: "reading",
        path: path.to_owned(),
        source,
    })
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StateError> {
    Ok(serde_json::from_slice(&read(path)?).map_err(JsonError::shape(path))?)
}

/// A file that says of which version it is.
pub(super) trait Versioned: DeserializeOwned {
    /// As this boxkit writes it.
    const LATEST: u32;

    fn version(&self) -> u32;

    /// The text of version 0, brought up to date.
    fn renew(text: Value) -> Value;
}

/// Reads one. What is not of the latest version is renewed, or refused in words if it is a later boxkit's.
fn read_known<T: Versioned>(path: &Path) -> Result<T, StateError> {
    let text = read(path)?;
    let json = |source| JsonError::shape(path)(source).into();
    let known = serde_json::from_slice::<T>(&text);
    if known
        .as_ref()
        .is_ok_and(|known| known.version() == T::LATEST)
    {
        return known.map_err(json);
    }
    if json_version(path, &text, T::LATEST)? == 0 {
        let text: Value = serde_json::from_slice(&text).map_err(json)?;
        return serde_json::from_value(T::renew(text)).map_err(json);
    }
    known.map_err(json)
}

pub(super) fn to_json<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, StateError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(JsonError::shape(path))?;
    text.push(b'\n');
    Ok(text)
}

impl Containers {
    /// Removes a container for all other commands at once: its name and its directory are moved into the trash, its run
    /// directory is deleted. The caller deletes the returned directory afterwards: a rename takes microseconds, while a
    /// deletion may wait for the disk on a filesystem that discards.
    pub fn discard(&self, container: &Container) -> Result<PathBuf, StateError> {
        let trash = self.trash();
        let to = trash.join(&container.id);
        let dir = self.dir(&container.id);
        let io = |source| StateError::Io {
            doing: "removing",
            path: dir.clone(),
            source,
        };
        calls::fs::create_dir_all(&trash).map_err(io)?;
        // First: a name whose container is gone is anybody's.
        if self.has_name(&container.name, &container.id) {
            let _ = std::fs::rename(self.names().join(&container.name), dir.join("name"));
        }
        calls::fs::rename(&dir, &to).map_err(io)?;
        let _ = std::fs::remove_dir_all(self.run_dir(&container.id));
        Ok(to)
    }

    /// Moves the layer of a transient container that is removed into the root's trash. It comes after all else that is on
    /// the disk: by the layer, and after a reboot by nothing else, gc knows whose the anonymous volumes were. The
    /// caller deletes the returned directory; `None` if there is none.
    pub fn discard_layer(&self, id: &str) -> Option<PathBuf> {
        if !self.is_transient() {
            return None;
        }
        let trash = Self::new(self.roots.clone()).trash();
        let to = trash.join(id);
        let renamed = match calls::fs::rename(self.layer(id), &to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !trash.exists() => {
                let made = calls::fs::create_dir_all(&trash);
                made.and_then(|()| calls::fs::rename(self.layer(id), &to))
            }
            renamed => renamed,
        };
        match renamed {
            Ok(()) => Some(to),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(_) => Some(self.layer(id)),
        }
    }

    /// Reads container.json; one of an earlier boxkit's is brought up to date in memory.
    ///
    /// # Errors
    /// A file that cannot be read or is no JSON of this shape; [`JsonError::Later`] for one that a later boxkit wrote.
    pub fn load(&self, id: &str) -> Result<Container, StateError> {
        let path = self.dir(id).join("container.json");
        read_known(&path)
    }

    /// Replaces container.json, synced to the disk.
    pub fn save(&self, container: &Container) -> Result<(), StateError> {
        let path = self.dir(&container.id).join("container.json");
        write_atomic(&path, &to_json(container, &path)?, true)
    }

    /// Reads config.json, the OCI runtime configuration. One that goes with a container.json of version 0 is completed in
    /// memory with the limits, the user and `--init` from there.
    pub fn spec(&self, id: &str) -> Result<Spec, StateError> {
        let path = self.dir(id).join("config.json");
        let mut spec: Spec = read_json(&path)?;
        if spec
            .linux()
            .as_ref()
            .is_some_and(|linux| linux.cgroups_path().is_none())
        {
            let container: Container = self.load(id)?;
            if container.version == 0 {
                let text: Value = read_json(&path.with_file_name("container.json"))?;
                let cgroup = self.cgroup_name(&container);
                let completed = super::old::complete(&mut spec, &text, &cgroup);
                completed.map_err(JsonError::shape(&path))?;
            }
        }
        Ok(spec)
    }

    /// Reads state.json; one of an earlier boxkit's is brought up to date in memory.
    ///
    /// # Errors
    /// A file that cannot be read or is no JSON of this shape; [`JsonError::Later`] for one that a later boxkit wrote.
    pub fn state(&self, id: &str) -> Result<RunState, StateError> {
        let path = self.dir(id).join("state.json");
        match read_known(&path) {
            // XFS leaves such a file if the power goes between its renaming and `sync_state`.
            Err(StateError::Json(_)) if is_empty(&path) => Ok(RunState::lost()),
            read => read,
        }
    }

    /// Waits until state.json is on the disk, which [`Containers::save_state`] without `sync` does not; nothing if there is
    /// none any more.
    pub fn sync_state(&self, id: &str) {
        if let Ok(file) = File::open(self.dir(id).join("state.json")) {
            let _ = file.sync_data();
        }
    }

    /// Replaces state.json; with `sync` a power cut cannot lose it. On a full disk it is overwritten in place, since the old
    /// file has room for an exit code.
    pub fn save_state(&self, id: &str, state: &RunState, sync: bool) -> Result<(), StateError> {
        let path = self.dir(id).join("state.json");
        let text = to_json(state, &path)?;
        match write_atomic(&path, &text, sync) {
            // The container may have filled the disk itself, and its exit code must not be lost for that.
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                overwrite(&path, text).map_err(|source| StateError::Io {
                    doing: "writing",
                    path,
                    source,
                })
            }
            other => other,
        }
    }

    /// Opens a container's log to read and append, and makes it if it is missing: not before there is something to log, since
    /// it is on the disk.
    ///
    /// # Errors
    /// The errno of open(2) or mkdir(2).
    pub fn open_log(&self, id: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        match options.open(self.log(id)) {
            // A container of --rootfs has nothing else there.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.is_transient() => {
                let mut mkdir = DirBuilder::new();
                mkdir.recursive(true).mode(0o755).create(self.layer(id))?;
                options.open(self.log(id))
            }
            opened => opened,
        }
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

    /// Opens the lock file of a container in its run directory, and makes both if they are not there. [`Lock`](super::Lock)
    /// locks it.
    pub fn open_lock(&self, id: &str) -> Result<File, StateError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let path = self.run_dir(id).join("lock");
        let mut open = options.open(&path);
        // The end of a run may remove a directory that has just been made; it does so once.
        for _ in 0..3 {
            if !matches!(&open, Err(e) if e.kind() == io::ErrorKind::NotFound) {
                break;
            }
            self.make_run_dir(id)?;
            open = options.open(&path);
        }
        open.map_err(|source| StateError::Io {
            doing: "opening lock",
            path,
            source,
        })
    }
}
