//! The options of a mount, as config.json has them. Pure. See mount(8), mount_setattr(2).

use kit_sys::mount::{MS_PRIVATE, MS_SHARED, MS_SLAVE};

/// Mount options, sorted by what they are to the kernel.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    pub attrs: AttrBits,
    pub bind: bool,
    pub recursive: bool,
    pub propagation: u64,
    /// The filesystem's own; a bind has none.
    pub data: Vec<String>,
}

/// `MOUNT_ATTR_*` bits: the same numbers for fsmount(2) and mount_setattr(2).
pub type AttrBits = u64;

/// `MOUNT_ATTR_*` of linux/mount.h.
pub(super) const ATTRS: [(&str, u64); 7] = [
    ("ro", 0x1),
    ("nosuid", 0x2),
    ("nodev", 0x4),
    ("noexec", 0x8),
    ("noatime", 0x10),
    ("strictatime", 0x20),
    ("nodiratime", 0x80),
];

impl Options {
    pub fn parse(options: &[String]) -> Self {
        let mut parsed = Self::default();
        for option in options {
            let text = option.as_str();
            if let Some((_, bit)) = ATTRS.iter().find(|(name, _)| *name == text) {
                parsed.attrs |= bit;
                continue;
            }
            match text {
                "bind" => parsed.bind = true,
                "rbind" => (parsed.bind, parsed.recursive) = (true, true),
                "private" | "rprivate" => parsed.propagation = MS_PRIVATE,
                "slave" | "rslave" => parsed.propagation = MS_SLAVE,
                "shared" | "rshared" => parsed.propagation = MS_SHARED,
                // The defaults, spelled out.
                "rw" | "suid" | "dev" | "exec" | "relatime" | "atime" | "diratime" | "defaults"
                | "norelatime" | "nostrictatime" | "symfollow" | "unbindable" | "runbindable" => {}
                _ => parsed.data.push(option.clone()),
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_sorted_by_what_they_are() {
        let words =
            ["nosuid", "ro", "rbind", "rprivate", "mode=755", "size=64k"].map(str::to_owned);
        let parsed = Options::parse(&words);
        assert_eq!(
            (parsed.attrs, parsed.bind, parsed.recursive),
            (3, true, true)
        );
        assert_eq!(parsed.propagation, MS_PRIVATE);
        assert_eq!(parsed.data, ["mode=755", "size=64k"]);
    }
}
