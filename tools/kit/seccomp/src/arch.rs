//! The architectures a filter can be made for: how the kernel calls them, and the numbers of their calls.

use oci_spec::runtime::Arch;

use super::{syscalls_aarch64, syscalls_i386, syscalls_x86_64};

/// How many names are looked at one by one: equality is decided by length mostly.
const NEAR: usize = 8;

/// `AUDIT_ARCH_*` of linux/audit.h, and the table of its calls by name.
#[derive(Clone, Copy)]
pub struct Architecture {
    pub audit: u32,
    numbers: &'static [(&'static str, u16)],
    /// An argument has 64 bits; of one of 32 the kernel looks at the low half alone, whatever the register has above it.
    pub wide: bool,
    /// x86_64 has a second set of calls, x32: numbers with this bit.
    pub x32: Option<u32>,
}

pub const X86_64: Architecture = Architecture {
    audit: 0xc000_003e,
    numbers: syscalls_x86_64::NUMBERS,
    wide: true,
    x32: Some(0x4000_0000),
};

pub const I386: Architecture = Architecture {
    audit: 0x4000_0003,
    numbers: syscalls_i386::NUMBERS,
    wide: false,
    x32: None,
};

pub const AARCH64: Architecture = Architecture {
    audit: 0xc000_00b7,
    numbers: syscalls_aarch64::NUMBERS,
    wide: true,
    x32: None,
};

pub const NATIVE: Architecture = if cfg!(target_arch = "aarch64") {
    AARCH64
} else {
    X86_64
};

impl Architecture {
    #[cfg(test)]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.number_after(&mut 0, name)
    }

    /// The number of a call; `cursor` is where the last name was found. Profiles are mostly sorted, so the next one
    /// is near, and a search of the whole table for each is half the time it takes to compile a profile.
    pub fn number_after(&self, cursor: &mut usize, name: &str) -> Option<u32> {
        let near = self.numbers.iter().enumerate().skip(*cursor).take(NEAR);
        let found = near
            .filter(|(_, (each, _))| *each == name)
            .map(|(at, _)| at)
            .next();
        let at = found.or_else(|| {
            let compare = |(each, _): &(&str, u16)| (*each).cmp(name);
            self.numbers.binary_search_by(compare).ok()
        })?;
        *cursor = at;
        Some(u32::from(self.numbers[at].1))
    }
}

/// The native architecture always, as libseccomp has it, and of those listed the ones this kernel also runs.
/// Calls of any other kill the process.
pub fn wanted(listed: &[Arch]) -> Vec<Architecture> {
    let mut all = vec![NATIVE];
    if NATIVE.audit == X86_64.audit && listed.contains(&Arch::ScmpArchX86) {
        all.push(I386);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_agree_with_libc() {
        for arch in [X86_64, I386, AARCH64] {
            assert!(arch.numbers.is_sorted_by(|a, b| a.0 < b.0));
        }
        let native = |name| i64::from(NATIVE.number(name).unwrap());
        assert_eq!(native("read"), libc::SYS_read);
        assert_eq!(native("clone3"), libc::SYS_clone3);
        assert_eq!(native("mount_setattr"), libc::SYS_mount_setattr);
        assert_eq!(native("mseal"), libc::SYS_mseal);
        assert_eq!(I386.number("read"), Some(3));
        assert_eq!(I386.number("exit_group"), Some(252));
        assert_eq!(AARCH64.number("openat"), Some(56));
        assert_eq!(AARCH64.number("mmap"), Some(222));
        assert_eq!(AARCH64.number("clone3"), Some(435));
        assert_eq!(X86_64.number("no_such_call"), None);
    }
}
