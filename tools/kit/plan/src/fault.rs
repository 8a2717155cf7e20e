//! One face for every error. Its text (`Display`) is the whole line, `doing what to "object": reason`; its `source` is
//! what caused it, for code to ask for the errno. Nothing reads an error's text. A bare errno or `io::Error` is no fault:
//! it does not say what was being done to what.
//!
//! ```
//! use kit_plan::{Fault, StepError};
//!
//! #[derive(Debug, thiserror::Error)]
//! pub enum CableError {
//!     #[error("naming cable {name:?}: it is empty")]
//!     BadName { name: String },
//!     #[error("opening {path:?}: {source}")]
//!     Io { path: std::path::PathBuf, source: std::io::Error },
//! }
//!
//! impl Fault for CableError {
//!     fn hint(&self) -> Option<String> {
//!         matches!(self, Self::BadName { .. }).then(|| "a name has 1 to 15 bytes".to_owned())
//!     }
//!     fn exit(&self) -> u8 {
//!         if matches!(self, Self::BadName { .. }) { USAGE } else { FAILED }
//!     }
//! }
//! # use kit_plan::{FAILED, USAGE};
//!
//! // A step, and a verb in `cli.rs`, take it by `?`.
//! let error = StepError::from(CableError::BadName { name: String::new() });
//! assert_eq!(error.exit_code(), 2);
//! ```

use std::error::Error;
use std::io;
use std::path::Path;

use nix::errno::Errno;

use crate::Roots;

/// The exit code of an operation that failed.
pub const FAILED: u8 = 1;
/// The exit code of bad usage: nothing was done, and nothing will be however often it is tried.
pub const USAGE: u8 = 2;

/// An error as a command tells it: `Display` is the line, `source` the cause.
pub trait Fault: Error + Send + Sync + 'static {
    /// What to do about it, where the error's own text does not say: a command that works when it is pasted.
    fn hint(&self) -> Option<String> {
        None
    }

    /// What a command exits with: [`FAILED`], [`USAGE`], or 125, 126 and 127 where a program was to be run.
    fn exit(&self) -> u8 {
        FAILED
    }

    /// Somebody asked to stop: nothing more is to be begun.
    fn is_interruption(&self) -> bool {
        false
    }

    /// The file that could not be made, read or written: a full disk is told by its root.
    fn path(&self) -> Option<&Path> {
        None
    }
}

impl Fault for kit_sys::exec::ExecError {
    fn hint(&self) -> Option<String> {
        self.hint()
    }

    fn exit(&self) -> u8 {
        self.exit_code()
    }
}

impl Fault for kit_sys::spawn::SpawnError {
    fn hint(&self) -> Option<String> {
        self.hint()
    }

    fn exit(&self) -> u8 {
        self.exit_code()
    }
}

impl Fault for kit_home::RootsError {
    fn hint(&self) -> Option<String> {
        self.hint().map(str::to_owned)
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl Fault for kit_home::JsonError {
    fn hint(&self) -> Option<String> {
        self.hint().map(str::to_owned)
    }

    fn path(&self) -> Option<&Path> {
        Some(self.path())
    }
}

/// What to do about `fault`: its own hint, else what any tool knows about the errno that caused it.
pub fn way_out(fault: &dyn Fault) -> Option<String> {
    fault
        .hint()
        .or_else(|| way_out_of(errno_of(fault)?, fault.path()))
}

/// The errno that `error` comes from.
pub fn errno_of(error: &(dyn Error + 'static)) -> Option<Errno> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(errno) = error.downcast_ref::<Errno>() {
            return Some(*errno);
        }
        if let Some(errno) = error.downcast_ref::<rustix::io::Errno>() {
            return Some(Errno::from_raw(errno.raw_os_error()));
        }
        cause = match error.downcast_ref::<io::Error>() {
            Some(error) => match (error.raw_os_error(), error.get_ref()) {
                (Some(raw), _) => return Some(Errno::from_raw(raw)),
                // io::Error::other(x) has x's source for a source.
                (None, inner) => inner.map(|inner| inner as &(dyn Error + 'static)),
            },
            None => error.source(),
        };
    }
    None
}

/// What to do about an errno that any tool may meet: capabilities that were taken away, a disk that takes no more.
pub(crate) fn way_out_of(errno: Errno, path: Option<&Path>) -> Option<String> {
    match errno {
        Errno::EPERM | Errno::EACCES => {
            privilege(&std::fs::read_to_string("/proc/self/status").ok()?)
        }
        Errno::ENOSPC | Errno::EROFS => {
            let roots = Roots::from_env().ok()?;
            let (variable, root) = [("BOXKIT_ROOT", &roots.root), ("BOXKIT_RUN", &roots.run)]
                .into_iter()
                .find(|(_, root)| {
                    path.map_or_else(|| takes_no_more(root), |path| path.starts_with(root))
                })?;
            let root = root.display();
            Some(if errno == Errno::ENOSPC {
                format!(
                    "{root} is full: rrun rm, rrun rmi and rrun gc make room, or {variable} moves it elsewhere"
                )
            } else {
                format!("{root} is on a read-only file system: {variable} moves it elsewhere")
            })
        }
        Errno::EMFILE => {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
            let allowed = limit.current?;
            let more = limit
                .maximum
                .unwrap_or(u64::MAX)
                .min(allowed.saturating_mul(4).max(4096));
            Some(if more > allowed {
                format!("a process may have {allowed} files open here: ulimit -n {more}")
            } else {
                format!(
                    "a process may have {allowed} files open here, and whoever started this shell allows no more"
                )
            })
        }
        _ => None,
    }
}

/// Whether the file system of `root` is full or read-only.
fn takes_no_more(root: &Path) -> bool {
    let there = root
        .ancestors()
        .find_map(|dir| rustix::fs::statvfs(dir).ok());
    there.is_some_and(|fs| {
        fs.f_bavail == 0
            || fs.f_files > 0 && fs.f_favail == 0
            || fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY)
    })
}

/// What docker's default set and the building of a container need, by number: see capabilities(7).
const NEEDED: [(u32, &str); 12] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (3, "CAP_FOWNER"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    (12, "CAP_NET_ADMIN"),
    (18, "CAP_SYS_CHROOT"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    (27, "CAP_MKNOD"),
];

/// What a process of this `/proc/PID/status` lacks; `None` if it has all of [`NEEDED`].
fn privilege(status: &str) -> Option<String> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let user = field("Uid:")?.split_ascii_whitespace().nth(1)?;
    let set = u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?;
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(number, _)| set >> number & 1 == 0)
        .map(|(_, name)| *name)
        .collect();
    match (user, missing.join(", ")) {
        ("0", missing) if missing.is_empty() => None,
        ("0", missing) => Some(format!(
            "root without {missing}: run it outside the sandbox that took that away; see rrun doctor"
        )),
        _ => Some("run it with sudo".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_lacks_is_named() {
        let status = |user, set| format!("Name:\tx\nUid:\t{user}\t{user}\t0\t0\nCapEff:\t{set}\n");
        assert_eq!(privilege(&status(0, "000001ffffffffff")), None);
        let said = privilege(&status(0, "000001fff7dfffff")).unwrap();
        assert!(
            said.starts_with("root without CAP_SYS_ADMIN, CAP_MKNOD: "),
            "{said}"
        );
        let said = privilege(&status(1000, "0000000000000000")).unwrap();
        assert_eq!(said, "run it with sudo");
    }

    #[test]
    fn the_errno_is_found_beneath_what_was_said_about_it() {
        let full = || io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        let step = crate::StepError::new("writing \"x\"", io::Error::other(full()));
        assert_eq!(errno_of(&step), Some(Errno::ENOSPC));
        assert_eq!(errno_of(&rustix::io::Errno::NOSPC), Some(Errno::ENOSPC));
        // A text that only looks like it.
        assert_eq!(errno_of(&io::Error::other("No space left on device")), None);
    }

    #[test]
    fn a_full_disk_is_told_by_its_root() {
        let root = Roots::from_env().unwrap().root;
        let said = way_out_of(Errno::ENOSPC, Some(&root.join("images/x"))).unwrap();
        assert!(
            said.starts_with(&format!("{} is full: ", root.display())),
            "{said}"
        );
        assert_eq!(
            way_out_of(Errno::ENOSPC, Some(Path::new("/elsewhere"))),
            None
        );
    }
}
