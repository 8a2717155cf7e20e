//! tmpfs: files in memory, gone with the mount. See tmpfs(5).

use std::ffi::CString;
use std::path::Path;

use rustix::io::Errno;

use crate::attr::Flags;
use crate::error::MountError;

/// What to mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tmpfs {
    /// Bytes; `None` is the kernel's half of the memory.
    pub size: Option<u64>,
    /// Inodes; `None` is the kernel's choice.
    pub inodes: Option<u64>,
    /// Permissions of its root directory; `None` is 1777.
    pub mode: Option<u32>,
    pub flags: Flags,
}

impl Tmpfs {
    /// The filesystem's own options, as `mount -o` takes them.
    pub fn data(&self) -> String {
        let parts = [
            self.size.map(|bytes| format!("size={bytes}")),
            self.inodes.map(|count| format!("nr_inodes={count}")),
            self.mode.map(|mode| format!("mode={mode:o}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// Mounts it on the directory `target`.
    pub fn mount(&self, target: &Path) -> Result<(), MountError> {
        // Digits and letters only: no NUL can be in it.
        let data = CString::new(self.data()).unwrap_or_default();
        let flags = self.flags.mount_flags();
        rustix::mount::mount("tmpfs", target, "tmpfs", flags, data.as_c_str()).map_err(|errno| {
            match errno {
                Errno::NOENT => crate::bind::missing(target, "mounting a tmpfs at"),
                errno => MountError::call("mounting a tmpfs at", target, errno),
            }
        })
    }
}

/// Parses a size as docker writes it; the kernel reads `size=0` as no limit, which is not what a 0 asks for.
pub fn parse_size(text: &str) -> Result<u64, String> {
    match kit_units::parse_bytes(text) {
        Ok(0) => Err(format!("{text:?}: a size of 0 would mean no limit")),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.reason.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_options() {
        assert_eq!(parse_size("64m"), Ok(64 << 20));
        assert_eq!(parse_size("1KB"), Ok(1024));
        assert_eq!(parse_size("512"), Ok(512));
        assert!(parse_size("12q").is_err() && parse_size("").is_err() && parse_size("0").is_err());
        assert!(parse_size("99999999999t").is_err());
        let tmpfs = Tmpfs {
            size: Some(4096),
            mode: Some(0o755),
            ..Tmpfs::default()
        };
        assert_eq!(tmpfs.data(), "size=4096,mode=755");
    }
}
