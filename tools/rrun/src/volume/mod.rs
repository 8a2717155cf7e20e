//! Volumes: directories that outlive containers, under the root's `volumes/NAME/_data`.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use kit_plan::Roots;

use crate::state::Container;

#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error("{doing} {path:?}: {source}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("mounting {path:?}: no such file or directory on this host{}", near_text(.near.as_ref()))]
    Missing {
        path: PathBuf,
        near: Option<PathBuf>,
    },
}

fn near_text(near: Option<&PathBuf>) -> String {
    near.map(|near| format!(" (did you mean {near:?}?)"))
        .unwrap_or_default()
}

impl VolumeError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } => Some(format!(
                "mkdir it, or let -v make it: -v {}:…:create=dir",
                path.display()
            )),
            Self::Io { .. } => None,
        }
    }
}

/// Where a volume's files are.
pub fn data(roots: &Roots, name: &str) -> PathBuf {
    roots.root.join("volumes").join(name).join("_data")
}

/// A volume's directory, made if it is new; whether it is.
pub fn ensure(roots: &Roots, name: &str) -> Result<(PathBuf, bool), VolumeError> {
    let path = data(roots, name);
    let fail = |source| VolumeError::Io {
        doing: "making volume",
        path: path.clone(),
        source,
    };
    let is_new = !path.exists();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&path)
        .map_err(fail)?;
    Ok((path, is_new))
}

pub fn remove(roots: &Roots, name: &str) -> Result<(), VolumeError> {
    let path = roots.root.join("volumes").join(name);
    fs::remove_dir_all(&path).map_err(|source| VolumeError::Io {
        doing: "removing volume",
        path,
        source,
    })
}

/// The names of a container's volumes that have none: its ID, numbered.
pub fn anonymous(container: &Container) -> Vec<String> {
    let own = container.id.get(..62).unwrap_or(&container.id);
    let points = container
        .mounts
        .iter()
        .filter(|point| point.kind == "volume" && point.name.starts_with(own));
    points.map(|point| point.name.clone()).collect()
}

/// A host path must be there: docker makes a missing one as root, and a typo becomes an empty directory.
pub fn check_source(path: &Path) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    Err(VolumeError::Missing {
        path: path.to_owned(),
        near: rmount::near::near_miss(path),
    })
}

/// Fills a new volume with what the image has at `to`: the topmost layer that has the directory, its entries
/// only, links as links. The layers are ours, unpacked beneath the store; nothing in them is followed.
pub fn copy_up(layers: &[PathBuf], to: &Path, volume: &Path) -> Result<(), VolumeError> {
    let inside = to.strip_prefix("/").unwrap_or(to);
    for layer in layers {
        let from = layer.join(inside);
        // A link on the way would lead out of the layer.
        let straight = inside.ancestors().all(|part| {
            fs::symlink_metadata(layer.join(part)).is_ok_and(|meta| !meta.file_type().is_symlink())
        });
        if straight && from.is_dir() {
            copy_tree(&from, volume)?;
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), VolumeError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| VolumeError::Io {
            doing: "filling a volume from",
            path,
            source,
        }
    };
    let meta = fs::symlink_metadata(from).map_err(fail(from))?;
    if !to.exists() {
        fs::create_dir(to).map_err(fail(to))?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(meta.mode() & 0o7777)).map_err(fail(to))?;
    own(to, &meta).map_err(fail(to))?;
    for entry in fs::read_dir(from).map_err(fail(from))? {
        let entry = entry.map_err(fail(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::symlink_metadata(&path).map_err(fail(&path))?;
        let kind = meta.file_type();
        if kind.is_dir() {
            copy_tree(&path, &target)?;
        } else if kind.is_symlink() {
            let _ = fs::remove_file(&target);
            let link = fs::read_link(&path).map_err(fail(&path))?;
            std::os::unix::fs::symlink(link, &target).map_err(fail(&target))?;
            own(&target, &meta).map_err(fail(&target))?;
        } else if kind.is_file() {
            let _ = fs::remove_file(&target);
            fs::copy(&path, &target).map_err(fail(&path))?;
            own(&target, &meta).map_err(fail(&target))?;
            fs::set_permissions(&target, meta.permissions()).map_err(fail(&target))?;
        } else if meta.rdev() == 0 && std::os::unix::fs::FileTypeExt::is_char_device(&kind) {
            // A whiteout: what a lower layer had is gone.
            let _ = fs::remove_file(&target).or_else(|_| fs::remove_dir_all(&target));
        }
    }
    Ok(())
}

fn own(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(meta.uid()), Some(meta.gid()))
}
