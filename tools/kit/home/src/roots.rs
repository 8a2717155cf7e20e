//! The two roots, and the instance that they make: whose objects are whose on a machine with several.

use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

const DEFAULT_ROOT: &str = "/var/lib/boxkit";
const DEFAULT_RUN: &str = "/run/boxkit";
/// "bk" in the upper half: the link group of the default instance.
const GROUP: u32 = 0x626b;

/// Where an instance keeps what must survive a reboot (`root`) and what need not (`run`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// What outlives a reboot: images, containers, volumes. `/var/lib/boxkit` by default.
    pub root: PathBuf,
    /// What does not: journals, locks, networks. `/run/boxkit` by default.
    pub run: PathBuf,
    /// Told from others by its run root.
    pub instance: Instance,
}

/// Part of every mark: `boxkit` for the default run root, `boxkit-<6 hex>` for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    suffix: Option<u32>,
}

/// Why the roots cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum RootsError {
    #[error("using root directory {path:?}: {reason}")]
    Unsafe {
        path: PathBuf,
        reason: &'static str,
        hint: String,
    },
    #[error("making root directory {path:?}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("using {variable}={path:?}: not an absolute path")]
    Relative {
        variable: &'static str,
        path: PathBuf,
    },
}

impl RootsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unsafe { hint, .. } => Some(hint),
            _ => None,
        }
    }
}

impl Roots {
    /// `BOXKIT_ROOT` and `BOXKIT_RUN`, or their defaults. Touches nothing.
    pub fn from_env() -> Result<Self, RootsError> {
        let path = |variable: &'static str, default: &str| {
            let path = std::env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map_or_else(|| default.into(), PathBuf::from);
            if path.is_absolute() {
                Ok(path)
            } else {
                Err(RootsError::Relative { variable, path })
            }
        };
        Ok(Self::at(
            path("BOXKIT_ROOT", DEFAULT_ROOT)?,
            path("BOXKIT_RUN", DEFAULT_RUN)?,
        ))
    }

    /// These two. Touches nothing.
    pub fn at(root: PathBuf, run: PathBuf) -> Self {
        let instance = Instance::of(&run);
        Self {
            root,
            run,
            instance,
        }
    }

    /// Makes both roots if missing, mode 0700, and refuses one that somebody else owns or may write to: the
    /// journal in there is executed as root, and an upper directory with a set-uid file must not be reachable.
    pub fn prepare(&self) -> Result<(), RootsError> {
        for path in [&self.root, &self.run] {
            let io = |source| RootsError::Io {
                path: path.clone(),
                source,
            };
            let there = std::fs::metadata(path).or_else(|_| {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
                made.and_then(|()| std::fs::metadata(path))
            });
            let there = there.map_err(io)?;
            check(path, &there)?;
            tighten(path, &there)?;
        }
        Ok(())
    }

    /// Refuses what [`Roots::prepare`] refuses, of a root that is there; makes and changes nothing. For verbs that read.
    pub fn check(&self) -> Result<(), RootsError> {
        for path in [&self.root, &self.run] {
            if let Ok(there) = std::fs::metadata(path) {
                check(path, &there)?;
            }
        }
        Ok(())
    }

    /// Where each plan that is at work has its journal.
    pub fn journals(&self) -> PathBuf {
        self.run.join("journals")
    }
}

fn check(path: &Path, meta: &Metadata) -> Result<(), RootsError> {
    let refuse = |reason, hint| {
        Err(RootsError::Unsafe {
            path: path.to_owned(),
            reason,
            hint,
        })
    };
    if !meta.is_dir() {
        return refuse(
            "it is not a directory",
            "name a directory of your own".to_owned(),
        );
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return refuse(
            "it belongs to somebody else",
            format!("chown root {}", path.display()),
        );
    }
    if meta.mode() & 0o022 != 0 {
        return refuse(
            "others can write to it",
            format!("chmod 0700 {}", path.display()),
        );
    }
    Ok(())
}

/// A root is its owner's alone.
fn tighten(path: &Path, meta: &Metadata) -> Result<(), RootsError> {
    if meta.mode() & 0o077 != 0 {
        let tightened = std::fs::set_permissions(path, Permissions::from_mode(0o700));
        tightened.map_err(|source| RootsError::Io {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

impl Instance {
    fn of(run: &Path) -> Self {
        let real = real(run);
        if real == Path::new(DEFAULT_RUN) {
            return Self { suffix: None };
        }
        Self {
            suffix: Some(fnv24(real.as_os_str().as_encoded_bytes())),
        }
    }

    /// `boxkit`, or `boxkit-<6 hex>`: the nft table and the cgroup parent.
    pub fn name(&self) -> String {
        self.suffix
            .map_or_else(|| "boxkit".to_owned(), |hex| format!("boxkit-{hex:06x}"))
    }

    /// The default network's bridge: `bk0`, or `bk0-<6 hex>`.
    pub fn bridge(&self) -> String {
        self.suffix
            .map_or_else(|| "bk0".to_owned(), |hex| format!("bk0-{hex:06x}"))
    }

    /// `IFLA_GROUP` of each link that we make.
    pub fn link_group(&self) -> u32 {
        self.suffix.map_or(GROUP, |hex| (GROUP << 24) | hex)
    }
}

/// Whether a link of that group was made by an instance, whichever.
pub fn is_an_instances_group(group: u32) -> bool {
    group == GROUP || group >> 24 == GROUP & 0xff
}

/// Where `path` is, or will be once it is made: the same before and after, since the instance is named by it.
fn real(path: &Path) -> PathBuf {
    if is_real(path) {
        return path.to_owned();
    }
    let there = path
        .ancestors()
        .find_map(|dir| Some((dir, std::fs::canonicalize(dir).ok()?)));
    let Some((dir, mut real)) = there else {
        return path.to_owned();
    };
    for part in path.strip_prefix(dir).unwrap_or(path).components() {
        match part {
            Component::Normal(name) => real.push(name),
            // Of a directory that is made on the way, which is no symlink.
            Component::ParentDir => drop(real.pop()),
            _ => {}
        }
    }
    real
}

/// Whether it is there as it is written, with no symlink and no `..` on the way: in one call of the kernel's, where
/// realpath(3) reads each part of the path as a link (openat2(2)).
fn is_real(path: &Path) -> bool {
    let how = ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    // Of the same bytes as its parts put together: no `.`, no slash twice.
    let written = path.components().collect::<PathBuf>();
    path.is_absolute()
        && written.as_os_str() == path.as_os_str()
        && !path.components().any(|part| part == Component::ParentDir)
        && rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), how).is_ok()
}

/// FNV-1a folded to 24 bits: a name, not a secret.
fn fnv24(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    (hash >> 24) ^ (hash & 0x00ff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_run_roots_are_two_instances() {
        let a = Roots::at("/a".into(), "/nonexistent/a".into()).instance;
        let b = Roots::at("/a".into(), "/nonexistent/b".into()).instance;
        assert_ne!(a.name(), b.name());
        assert_ne!(a.link_group(), b.link_group());
        assert_eq!(a.name().len(), "boxkit-".len() + 6);
        assert!(a.bridge().len() <= 15);
    }

    #[test]
    fn the_default_instance_has_the_plain_names() {
        let instance = Roots::at(DEFAULT_ROOT.into(), DEFAULT_RUN.into()).instance;
        assert_eq!(
            (instance.name().as_str(), instance.bridge().as_str()),
            ("boxkit", "bk0")
        );
    }

    #[test]
    fn an_instance_is_the_same_before_and_after_its_run_root_is_made() {
        let dir = std::env::temp_dir().join(format!("run-roots-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::os::unix::fs::symlink(".", dir.join("link")).unwrap();
        let names = |rest: &str| {
            let at = |path: PathBuf| Roots::at("/a".into(), path).instance.name();
            let all = ["", "/", "/.", "/new/..", "/../run"].map(|end| format!("{rest}{end}"));
            let all = all.map(|rest| at(PathBuf::from(format!("{}/{rest}", dir.display()))));
            (all.clone(), all.iter().any(|name| *name != all[0]))
        };
        let before = ["run", "link/run", "./run"].map(names);
        std::fs::create_dir_all(dir.join("run/new")).unwrap();
        let after = ["run", "link/run", "./run"].map(names);
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(before, after);
        assert!(before.iter().all(|one| one.0 == before[0].0 && !one.1));
    }

    #[test]
    fn a_root_that_others_can_write_is_refused() {
        let dir = std::env::temp_dir().join(format!("roots-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
        let refused = Roots::at(dir.clone(), dir.clone()).prepare().unwrap_err();
        std::fs::remove_dir(&dir).unwrap();
        assert_eq!(
            refused.to_string(),
            format!("using root directory {dir:?}: others can write to it")
        );
        assert!(refused.hint().unwrap().starts_with("chmod 0700 "));
    }
}
