//! The true cause of an overlay that cannot be, or should not be, mounted.
//!
//! The kernel answers EINVAL, ENOENT or ELOOP for a dozen mistakes, says which only in dmesg, and takes some
//! without a word: an upper inside a lower, an upper that another overlay is using. [`preflight`] is for people;
//! the engine mounts first and has `diagnose` look only after a failure.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{MAX_LOWERS, Overlay, Upper, fits_mount2, layers_of};
use crate::bind::in_the_way;
use crate::error::{pasted, text};
use crate::mountinfo::{self, Mount, mount_of};
use crate::near::near_miss;

/// What a directory is to the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the read-only layers.
    Lower,
    /// Where what is changed goes.
    Upper,
    /// The kernel's own directory.
    Work,
    /// Where it is mounted.
    Target,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Work => "work directory",
            Self::Target => "mount point",
        })
    }
}

/// Why an overlay cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant is its message
pub enum OverlayFault {
    #[error("{role} {path:?} does not exist")]
    Missing { role: Role, path: PathBuf },
    /// A link that leads to nothing, or a file above it.
    #[error("{role} {path:?}: {reason}")]
    InTheWay {
        role: Role,
        path: PathBuf,
        reason: String,
    },
    #[error("{role} {path:?} is not a directory")]
    NotADirectory { role: Role, path: PathBuf },
    #[error("there is no lower")]
    NoLower,
    #[error("one lower and no upper: the kernel wants at least two lowers then")]
    OneLower { lower: PathBuf },
    #[error("{count} lowers are more than the {MAX_LOWERS} that the kernel stacks")]
    TooMany { count: usize },
    #[error("the same directory is there twice: {path:?} as {first} and as {second}")]
    Twice {
        path: PathBuf,
        first: Role,
        second: Role,
    },
    #[error("{inner_role} {inner:?} lies inside {outer_role} {outer:?}")]
    Inside {
        inner_role: Role,
        inner: PathBuf,
        outer_role: Role,
        outer: PathBuf,
    },
    #[error("upper {path:?} is on {fstype}, which cannot hold an upper")]
    UpperOn { path: PathBuf, fstype: String },
    #[error("upper {path:?} is on a read-only mount")]
    UpperReadOnly { path: PathBuf },
    #[error("upper {upper:?} and work directory {work:?} are on different mounts")]
    DifferentMounts { upper: PathBuf, work: PathBuf },
    #[error("work directory {path:?} is not empty: it holds {entry:?}")]
    WorkNotEmpty { path: PathBuf, entry: PathBuf },
    #[error("upper {path:?} was last mounted volatile, and may have lost data since")]
    WasVolatile { path: PathBuf, mark: PathBuf },
    #[error("{role} {path:?} is in use by the overlay at {by:?}")]
    InUse {
        role: Role,
        path: PathBuf,
        by: PathBuf,
    },
    #[error(
        "lower {path:?} is on an overlay whose layers are on an overlay: the kernel stacks two, not more"
    )]
    TooDeep { path: PathBuf },
    #[error("the options are {length} bytes: before Linux 6.5 they must fit one page")]
    TooLong { length: usize },
    #[error("this kernel has no overlay filesystem")]
    NoOverlay,
    #[error("{}", text(*.0))]
    Kernel(Errno),
}

impl OverlayFault {
    /// The kernel's errno, where that is all that is known.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel(errno) => Some(*errno),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { role, path } => match near_miss(path) {
                Some(near) => format!("did you mean {}?", pasted(&near)),
                None if *role == Role::Lower => return None,
                None => "--mkdir makes it".to_owned(),
            },
            Self::OneLower { lower } => {
                let lower = pasted(lower);
                format!("rmount bind --ro {lower} TARGET does that, or add --upper and --work")
            }
            Self::TooMany { .. } => "merge some layers into one directory".to_owned(),
            Self::Inside { .. } | Self::Twice { .. } => "give each layer a directory tree of its own".to_owned(),
            Self::UpperOn { fstype, .. } if fstype == "overlay" => {
                "put upper and work on a disk's filesystem or on a tmpfs: rmount tmpfs DIR".to_owned()
            }
            Self::UpperOn { .. } => "put upper and work on ext4, xfs, btrfs or tmpfs".to_owned(),
            Self::UpperReadOnly { .. } => "remount it read-write, or leave --upper out".to_owned(),
            Self::DifferentMounts { upper, .. } => {
                let beside = pasted(&upper.with_file_name("work"));
                format!("make the work directory beside the upper: {beside}")
            }
            Self::WorkNotEmpty { .. } => "the kernel wants an empty directory, and keeps its own things there".to_owned(),
            Self::WasVolatile { mark, .. } => {
                let mark = pasted(mark);
                format!("if you trust its content, remove {mark}; else begin with a new upper")
            }
            Self::InUse { .. } => "two overlays writing to one upper corrupt it: use another upper and work".to_owned(),
            Self::NoOverlay => "modprobe overlay, or a kernel with CONFIG_OVERLAY_FS".to_owned(),
            Self::TooLong { .. } => "bind the layers at short paths first: rmount bind -m LAYER /l/1".to_owned(),
            Self::Kernel(Errno::PERM) => "this needs root, with CAP_SYS_ADMIN in this mount namespace".to_owned(),
            Self::Kernel(Errno::INVAL) => "the last lines of dmesg say more".to_owned(),
            Self::Kernel(Errno::STALE) => {
                "with --index an upper stays tied to its first lowers: leave it out, or use a new upper".to_owned()
            }
            _ => return None,
        })
    }
}

/// Looks for everything that would make the mount fail, or make its content undefined, before it is tried.
pub fn preflight(overlay: &Overlay, target: &Path) -> Result<(), OverlayFault> {
    if overlay.lowers.is_empty() {
        return Err(OverlayFault::NoLower);
    }
    if overlay.lowers.len() > MAX_LOWERS {
        return Err(OverlayFault::TooMany {
            count: overlay.lowers.len(),
        });
    }
    for (role, path) in parts(overlay).into_iter().chain([(Role::Target, target)]) {
        is_directory(role, path)?;
    }
    if let (Some(only), None) = (overlay.lowers.only(), &overlay.upper) {
        return Err(OverlayFault::OneLower {
            lower: only.to_owned(),
        });
    }
    apart(overlay)?;
    let mounts = mountinfo::mounts().unwrap_or_default();
    if let Some(upper) = &overlay.upper {
        upper_can_be(upper, &mounts)?;
        not_in_use(upper, &mounts)?;
    }
    Ok(())
}

/// The cause of a refusal: what preflight finds, else what the errno can mean, else the errno.
pub(super) fn diagnose(overlay: &Overlay, target: &Path, errno: Errno) -> OverlayFault {
    if let Err(fault) = preflight(overlay, target) {
        return fault;
    }
    let data = overlay.data();
    match errno {
        Errno::NODEV => return OverlayFault::NoOverlay,
        Errno::NOSYS | Errno::INVAL if !fits_mount2(&data) && !takes_lowerdir_plus() => {
            return OverlayFault::TooLong {
                length: data.as_bytes().len(),
            };
        }
        _ => {}
    }
    let mounts = mountinfo::mounts().unwrap_or_default();
    match overlay
        .lowers
        .iter()
        .find(|lower| depth(lower, &mounts, 0) >= 2)
    {
        Some(deep) if errno == Errno::INVAL => OverlayFault::TooDeep { path: deep.clone() },
        _ => OverlayFault::Kernel(errno),
    }
}

/// Before Linux 6.5 the new mount API collects an overlay's options unread, whatever they are called, and refuses
/// them only as they are used: a kernel that takes nonsense does not know `lowerdir+` either.
fn takes_lowerdir_plus() -> bool {
    use rustix::mount::{FsOpenFlags, fsconfig_set_string, fsopen};
    fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).is_ok_and(|fs| {
        fsconfig_set_string(&fs, "lowerdir+", "/").is_ok()
            && fsconfig_set_string(&fs, "no-such-option", "/").is_err()
    })
}

/// Each directory with what it is.
fn parts(overlay: &Overlay) -> Vec<(Role, &Path)> {
    let mut all: Vec<(Role, &Path)> = overlay
        .lowers
        .iter()
        .map(|lower| (Role::Lower, lower.as_path()))
        .collect();
    if let Some(Upper { upper, work }) = &overlay.upper {
        all.extend([(Role::Upper, upper.as_path()), (Role::Work, work.as_path())]);
    }
    all
}

fn is_directory(role: Role, path: &Path) -> Result<(), OverlayFault> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(OverlayFault::NotADirectory {
            role,
            path: path.to_owned(),
        }),
        Err(_) => {
            let path = path.to_owned();
            Err(match in_the_way(&path) {
                Some(reason) => OverlayFault::InTheWay { role, path, reason },
                None => OverlayFault::Missing { role, path },
            })
        }
    }
}

/// No directory twice, none inside another, but that a lower may lie inside nothing of ours.
fn apart(overlay: &Overlay) -> Result<(), OverlayFault> {
    let real: Vec<(Role, &Path, PathBuf)> = parts(overlay)
        .into_iter()
        .map(|(role, path)| {
            (
                role,
                path,
                std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            )
        })
        .collect();
    for (index, (first, path, one)) in real.iter().enumerate() {
        for (second, other_path, other) in &real[index + 1..] {
            if one == other {
                return Err(OverlayFault::Twice {
                    path: (*path).to_owned(),
                    first: *first,
                    second: *second,
                });
            }
            let (inner, outer) = if one.starts_with(other) {
                ((*first, *path), (*second, *other_path))
            } else if other.starts_with(one) {
                ((*second, *other_path), (*first, *path))
            } else {
                continue;
            };
            return Err(OverlayFault::Inside {
                inner_role: inner.0,
                inner: inner.1.to_owned(),
                outer_role: outer.0,
                outer: outer.1.to_owned(),
            });
        }
    }
    Ok(())
}

/// Filesystems that lack what an upper needs: trusted attributes, d_type, or being a real disk's.
const NO_UPPER: [&str; 18] = [
    "overlay", "nfs", "nfs4", "vfat", "msdos", "exfat", "iso9660", "squashfs", "erofs", "cramfs",
    "9p", "cifs", "smb3", "proc", "sysfs", "cgroup", "cgroup2", "ecryptfs",
];

fn upper_can_be(Upper { upper, work }: &Upper, mounts: &[Mount]) -> Result<(), OverlayFault> {
    if let Some(mount) = mount_of(upper, mounts) {
        let fstype = mount.fstype.to_string_lossy();
        if NO_UPPER.contains(&fstype.as_ref()) {
            return Err(OverlayFault::UpperOn {
                path: upper.clone(),
                fstype: fstype.into_owned(),
            });
        }
        if mount.has_option("ro") {
            return Err(OverlayFault::UpperReadOnly {
                path: upper.clone(),
            });
        }
        if mount_of(work, mounts).is_some_and(|other| other.id != mount.id) {
            return Err(OverlayFault::DifferentMounts {
                upper: upper.clone(),
                work: work.clone(),
            });
        }
    }
    let mark = work.join("work/incompat/volatile");
    if mark.exists() {
        return Err(OverlayFault::WasVolatile {
            path: upper.clone(),
            mark: work.join("work/incompat"),
        });
    }
    // What the kernel itself leaves there from an earlier mount.
    let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
    let foreign = entries
        .map(|entry| entry.file_name())
        .find(|name| name != "work" && name != "index");
    match foreign {
        Some(entry) => Err(OverlayFault::WorkNotEmpty {
            path: work.clone(),
            entry: entry.into(),
        }),
        None => Ok(()),
    }
}

/// The overlays of our own mount namespace only: those of others are not ours to see by path.
fn not_in_use(Upper { upper, work }: &Upper, mounts: &[Mount]) -> Result<(), OverlayFault> {
    let ours: Vec<_> = [(Role::Upper, upper), (Role::Work, work)]
        .into_iter()
        .filter_map(|(role, path)| Some((role, path, file_id(path)?)))
        .collect();
    for mount in mounts {
        let Some((_, Some(theirs))) = layers_of(mount) else {
            continue;
        };
        let theirs: Vec<_> = [file_id(&theirs.upper), file_id(&theirs.work)]
            .into_iter()
            .flatten()
            .collect();
        if let Some((role, path, _)) = ours.iter().find(|(_, _, id)| theirs.contains(id)) {
            return Err(OverlayFault::InUse {
                role: *role,
                path: (*path).clone(),
                by: mount.target.clone(),
            });
        }
    }
    Ok(())
}

fn file_id(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

/// How many overlays `path` stands on. `seen` bounds the recursion.
fn depth(path: &Path, mounts: &[Mount], seen: usize) -> usize {
    let Some((lowers, upper)) = mount_of(path, mounts).and_then(layers_of) else {
        return 0;
    };
    let below = lowers.iter().chain(upper.iter().map(|u| &u.upper));
    if seen > 3 {
        1
    } else {
        1 + below.map(|p| depth(p, mounts, seen + 1)).max().unwrap_or(0)
    }
}
