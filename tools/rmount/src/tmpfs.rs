//! tmpfs: files in memory, gone with the mount. See tmpfs(5).

use std::ffi::CString;
use std::fmt;
use std::path::Path;

use rustix::io::Errno;

use crate::attr::Flags;
use crate::error::MountError;

/// How much a tmpfs may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// That many.
    Bytes(u64),
    /// Of the machine's memory.
    Percent(u8),
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// What to mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tmpfs {
    /// `None` is the kernel's half of the memory.
    pub size: Option<Size>,
    /// Inodes; `None` is the kernel's choice.
    pub inodes: Option<u64>,
    /// Permissions of its root directory; `None` is 1777.
    pub mode: Option<u32>,
    /// Of the mount.
    pub flags: Flags,
}

impl Tmpfs {
    /// The filesystem's own options, as `mount -o` takes them.
    pub fn data(&self) -> String {
        let parts = [
            self.size.map(|size| format!("size={size}")),
            self.inodes.map(|count| format!("nr_inodes={count}")),
            self.mode.map(|mode| format!("mode={mode:o}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// Mounts it on the directory `target`.
    pub fn mount(&self, target: &Path) -> Result<(), MountError> {
        // No NUL can be in it.
        let data = CString::new(self.data()).unwrap_or_default();
        let flags = self.flags.mount_flags();
        kit_sys::calls::mount::mount("tmpfs", target, "tmpfs", flags, data.as_c_str()).map_err(
            |errno| match errno {
                Errno::NOENT => crate::bind::missing(target, DOING),
                Errno::NOTDIR => not_a_directory(target),
                errno => MountError::call(DOING, target, errno),
            },
        )
    }
}

const DOING: &str = "mounting a tmpfs at";

/// The error for a mount point that is a file. The kernel says ENOTDIR, and not of which of the two.
pub(crate) fn not_a_directory(target: &Path) -> MountError {
    MountError::wrong(DOING, target, "a tmpfs is a directory and this is a file")
}

/// Parses a size as docker writes it, or as mount(8) takes it, `50%`; the kernel reads `size=0` as no limit, which is not what a 0 asks for.
pub fn parse_size(text: &str) -> Result<Size, String> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent = percent
            .parse()
            .ok()
            .filter(|percent| (1..=100).contains(percent));
        let wrong = "a part of the memory is 1% to 100%";
        return percent.map(Size::Percent).ok_or_else(|| wrong.to_owned());
    }
    match kit_units::parse_bytes(text) {
        Ok(0) => Err(format!("{text:?}: a size of 0 would mean no limit")),
        Ok(bytes) => Ok(Size::Bytes(bytes)),
        Err(error) => Err(error.reason.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_options() {
        assert_eq!(parse_size("64m"), Ok(Size::Bytes(64 << 20)));
        assert_eq!(parse_size("1KB"), Ok(Size::Bytes(1024)));
        assert_eq!(parse_size("512"), Ok(Size::Bytes(512)));
        assert_eq!(parse_size("50%"), Ok(Size::Percent(50)));
        assert!(parse_size("0%").is_err() && parse_size("101%").is_err());
        assert!(parse_size("12q").is_err() && parse_size("").is_err() && parse_size("0").is_err());
        assert!(parse_size("99999999999t").is_err());
        let tmpfs = Tmpfs {
            size: Some(Size::Bytes(4096)),
            mode: Some(0o755),
            ..Tmpfs::default()
        };
        assert_eq!(tmpfs.data(), "size=4096,mode=755");
    }
}
