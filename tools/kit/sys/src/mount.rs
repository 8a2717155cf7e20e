//! mount_setattr(2), which neither nix nor rustix has.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::calls;

/// Read-only.
pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
/// Set-user-ID programs do not change their user.
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
/// Device files open nothing.
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
/// No program is executed.
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
/// Propagation values, as in mount(2).
pub const MS_PRIVATE: u64 = 1 << 18;
/// Takes mounts from its master and gives none.
pub const MS_SLAVE: u64 = 1 << 19;
/// Mounts travel both ways.
pub const MS_SHARED: u64 = 1 << 20;

/// What is set and cleared on a mount; `propagation` 0 leaves it as it is.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to be set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to be cleared.
    pub clear: u64,
    /// One of the `MS_*` above.
    pub propagation: u64,
    /// The user namespace of an idmapped mount; 0 without `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

impl MountAttr {
    /// By the names of mount_setattr(2).
    fn names(&self) -> String {
        const ATTRS: [(u64, &str); 4] = [
            (MOUNT_ATTR_RDONLY, "RDONLY"),
            (MOUNT_ATTR_NOSUID, "NOSUID"),
            (MOUNT_ATTR_NODEV, "NODEV"),
            (MOUNT_ATTR_NOEXEC, "NOEXEC"),
        ];
        const KINDS: [(u64, &str); 3] = [
            (MS_PRIVATE, "MS_PRIVATE"),
            (MS_SLAVE, "MS_SLAVE"),
            (MS_SHARED, "MS_SHARED"),
        ];
        let of = |bits: u64, names: &[(u64, &str)]| {
            let set = names.iter().filter(|(bit, _)| bits & bit != 0);
            set.map(|(_, name)| *name).collect::<Vec<_>>().join("|")
        };
        let all = [
            ("set", of(self.set, &ATTRS)),
            ("clear", of(self.clear, &ATTRS)),
            ("propagation", of(self.propagation, &KINDS)),
        ];
        let told = all.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = told
            .map(|(what, names)| format!("{what} {names}"))
            .collect();
        told.join(", ")
    }
}

/// Changes the attributes of the mount `dir` refers to (an `O_PATH` or mount descriptor), and with
/// `recursive` of every mount below it, all or none. Linux 5.12; see `mount_setattr(2)`.
pub fn set_attr(dir: BorrowedFd<'_>, attr: &MountAttr, recursive: bool) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let empty: &CStr = c"";
    calls::note(|| {
        let all = if recursive { "|AT_RECURSIVE" } else { "" };
        let (dir, names) = (calls::fd(dir), attr.names());
        format!("mount_setattr({dir}, \"\", AT_EMPTY_PATH{all}, {{{names}}})")
    });
    // SAFETY: `dir` is open, `empty` is NUL-terminated, and `attr` is a struct mount_attr of the size given.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            empty.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    if rc == 0 {
        return Ok(());
    }
    let raw = std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO);
    Err(Errno::from_raw_os_error(raw))
}
