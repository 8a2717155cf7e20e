//! The options of mount(8) that are attributes or the propagation of a mount, not of its filesystem. Pure. See mount(8),
//! mount_setattr(2).

use crate::attr::Travel;

/// `MOUNT_ATTR__ATIME` of linux/mount.h: the three values below it are no bits of their own, and the kernel takes a change
/// of one only if all are cleared.
const ATIME: u64 = 0x70;

/// Each word, the bits that it decides, and the value that it gives them (linux/mount.h).
const WORDS: [(&str, u64, u64); 17] = [
    ("ro", 0x1, 0x1),
    ("rw", 0x1, 0),
    ("nosuid", 0x2, 0x2),
    ("suid", 0x2, 0),
    ("nodev", 0x4, 0x4),
    ("dev", 0x4, 0),
    ("noexec", 0x8, 0x8),
    ("exec", 0x8, 0),
    ("noatime", ATIME, 0x10),
    ("strictatime", ATIME, 0x20),
    ("relatime", ATIME, 0),
    ("atime", ATIME, 0),
    ("nostrictatime", ATIME, 0),
    ("nodiratime", 0x80, 0x80),
    ("diratime", 0x80, 0),
    ("nosymfollow", 0x20_0000, 0x20_0000),
    ("symfollow", 0x20_0000, 0),
];

/// The attributes that a list of options asks for; of two words for one attribute the last holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    mask: u64,
    value: u64,
    words: Vec<&'static str>,
}

impl Attributes {
    /// Takes one option; false if it is no attribute of a mount. `rro`, `rnoexec` and the like mean the same here, since
    /// attributes are always set on a whole tree.
    pub fn take(&mut self, option: &str) -> bool {
        let find = |text: &str| WORDS.iter().find(|(word, ..)| *word == text);
        let found = find(option).or_else(|| option.strip_prefix('r').and_then(find));
        let Some((word, mask, value)) = found else {
            return false;
        };
        self.words.retain(|earlier| {
            let decides = WORDS.iter().find(|(word, ..)| word == earlier);
            decides.is_none_or(|(_, other, _)| other & mask == 0)
        });
        self.words.push(word);
        self.value = self.value & !mask | value;
        self.mask |= mask;
        true
    }

    /// The bits to set, for fsmount(2) and mount_setattr(2).
    pub fn set(&self) -> u64 {
        self.value
    }

    /// The bits to clear, for mount_setattr(2).
    pub fn clear(&self) -> u64 {
        self.mask & !self.value | self.mask & ATIME
    }

    /// The words of mount(8) that hold, in their order.
    pub fn words(&self) -> &[&'static str] {
        &self.words
    }
}

/// The propagation that an option asks for, and whether of the whole tree (`rslave`).
pub fn travel(option: &str) -> Option<(Travel, bool)> {
    let find = |text: &str| Travel::ALL.into_iter().find(|travel| travel.word() == text);
    let one = find(option).map(|travel| (travel, false));
    one.or_else(|| {
        let whole = option.strip_prefix('r').and_then(find);
        whole.map(|travel| (travel, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[&str]) -> Attributes {
        let mut all = Attributes::default();
        for option in options {
            assert!(all.take(option), "{option}");
        }
        all
    }

    #[test]
    fn the_last_word_for_an_attribute_holds() {
        let all = of(&["ro", "nosuid", "noexec", "rw", "exec"]);
        assert_eq!((all.set(), all.clear()), (0x2, 0x1 | 0x8));
        assert_eq!(all.words(), ["nosuid", "rw", "exec"]);
        let all = of(&["rw", "rro"]);
        assert_eq!((all.set(), all.clear()), (0x1, 0));
    }

    #[test]
    fn access_times_are_cleared_as_one() {
        let all = of(&["strictatime", "noatime"]);
        assert_eq!((all.set(), all.clear()), (0x10, ATIME));
        let all = of(&["noatime", "relatime"]);
        assert_eq!((all.set(), all.clear()), (0, ATIME));
    }

    #[test]
    fn propagation_is_no_attribute() {
        assert!(!Attributes::default().take("rshared"));
        assert_eq!(travel("rshared"), Some((Travel::Shared, true)));
        assert_eq!(travel("unbindable"), Some((Travel::Unbindable, false)));
        assert_eq!(travel("size=1m"), None);
    }
}
