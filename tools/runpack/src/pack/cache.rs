//! `/etc/ld.so.cache`: which file a library's name stands for, as ldconfig(8) found it. Read from the machine, and written again into the
//! image with only what the image has, so that a library outside the default directories is found there too.
//! The format is glibc's `sysdeps/generic/dl-cache.h`: `glibc-ld.so.cache1.1`, alone or after the older `ld.so-1.7.0` table.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Where the header says which byte order the table has; ours is the machine's own.
const FLAGS_AT: usize = 28;

/// One library: `name` is found at `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// ABI and instruction set, in ldconfig's own numbering.
    flags: u32,
    os_version: u32,
    /// Not zero: built for processors that have more than the baseline (`glibc-hwcaps/x86-64-v3/…`).
    hwcap: u64,
    pub name: OsString,
    pub path: PathBuf,
}

/// The whole table, in ld.so's order: it is searched by halves, so the order is part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cache {
    header_flags: u8,
    entries: Vec<CacheEntry>,
}

impl Cache {
    /// `None` if it is not a cache, or is cut off: ld.so then does without, and so do we.
    pub fn parse(file: &[u8]) -> Option<Self> {
        let table = new_table(file)?;
        let count = word(table, 20)? as usize;
        let mut entries = Vec::new();
        for at in (0..count).map(|i| HEADER + i * ENTRY) {
            entries.push(CacheEntry {
                flags: word(table, at)?,
                name: string(table, word(table, at + 4)?)?.to_owned(),
                path: PathBuf::from(string(table, word(table, at + 8)?)?),
                os_version: word(table, at + 12)?,
                hwcap: u64::from_ne_bytes(table.get(at + 16..at + 24)?.try_into().ok()?),
            });
        }
        Some(Self {
            header_flags: *table.get(FLAGS_AT)?,
            entries,
        })
    }

    /// The files a name stands for, best first. Those for better processors are left out: an image moves to other machines.
    pub fn find<'a>(&'a self, name: &'a OsStr) -> impl Iterator<Item = &'a Path> {
        self.entries
            .iter()
            .filter(move |e| e.name == name && e.hwcap == 0)
            .map(|e| e.path.as_path())
    }

    /// The same table with only the entries whose file is kept; `None` if that leaves nothing.
    pub fn only(&self, keep: impl Fn(&Path) -> bool) -> Option<Self> {
        let entries: Vec<_> = self
            .entries
            .iter()
            .filter(|e| e.hwcap == 0 && keep(&e.path))
            .cloned()
            .collect();
        (!entries.is_empty()).then_some(Self {
            header_flags: self.header_flags,
            entries,
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let strings_at = HEADER + self.entries.len() * ENTRY;
        let mut table = Vec::new();
        let mut strings = Vec::new();
        for entry in &self.entries {
            let name_at = strings_at + strings.len();
            strings.extend_from_slice(entry.name.as_bytes());
            strings.push(0);
            let path_at = strings_at + strings.len();
            strings.extend_from_slice(entry.path.as_os_str().as_bytes());
            strings.push(0);
            for value in [
                entry.flags,
                name_at as u32,
                path_at as u32,
                entry.os_version,
            ] {
                table.extend_from_slice(&value.to_ne_bytes());
            }
            table.extend_from_slice(&entry.hwcap.to_ne_bytes());
        }
        let mut file = NEW_MAGIC.to_vec();
        file.extend_from_slice(&(self.entries.len() as u32).to_ne_bytes());
        file.extend_from_slice(&(strings.len() as u32).to_ne_bytes());
        file.push(self.header_flags);
        file.resize(HEADER, 0);
        file.extend(table);
        file.extend(strings);
        file
    }
}

/// The new table follows the old one, aligned to 8 bytes; its offsets count from its own start.
fn new_table(file: &[u8]) -> Option<&[u8]> {
    let table = if file.starts_with(OLD_MAGIC) {
        let end = OLD_MAGIC.len() + 4 + word(file, OLD_MAGIC.len())? as usize * 12;
        file.get(end.next_multiple_of(8)..)?
    } else {
        file
    };
    table.starts_with(NEW_MAGIC).then_some(table)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn string(table: &[u8], at: u32) -> Option<&OsStr> {
    let rest = table.get(at as usize..)?;
    let end = rest.iter().position(|b| *b == 0)?;
    Some(OsStr::from_bytes(&rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Cache {
        let entry = |name: &str, path: &str, hwcap| CacheEntry {
            flags: 0x303,
            os_version: 0,
            hwcap,
            name: name.into(),
            path: path.into(),
        };
        Cache {
            header_flags: 2,
            entries: vec![
                entry(
                    "libz.so.1",
                    "/lib/glibc-hwcaps/x86-64-v3/libz.so.1",
                    1 << 62,
                ),
                entry("libz.so.1", "/usr/local/lib/libz.so.1", 0),
                entry("libz.so.1", "/lib/libz.so.1", 0),
                entry("libc.so.6", "/lib/libc.so.6", 0),
            ],
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        assert_eq!(Cache::parse(&sample().to_bytes()), Some(sample()));
    }

    #[test]
    fn a_table_behind_the_old_one_is_found() {
        let mut file = OLD_MAGIC.to_vec();
        file.extend_from_slice(&1u32.to_ne_bytes());
        file.resize(32, 0);
        file.extend(sample().to_bytes());
        assert_eq!(Cache::parse(&file), Some(sample()));
    }

    #[test]
    fn a_library_for_better_processors_is_passed_over() {
        let cache = sample();
        let found: Vec<_> = cache.find(OsStr::new("libz.so.1")).collect();
        assert_eq!(
            found,
            [
                Path::new("/usr/local/lib/libz.so.1"),
                Path::new("/lib/libz.so.1")
            ]
        );
    }

    #[test]
    fn a_cache_cut_off_anywhere_is_none_and_never_a_panic() {
        let whole = sample().to_bytes();
        for end in 0..whole.len() {
            assert_eq!(Cache::parse(&whole[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn keeping_nothing_is_no_cache() {
        assert_eq!(sample().only(|_| false), None);
        let kept = sample().only(|p| p.ends_with("libc.so.6")).unwrap();
        assert_eq!(kept.find(OsStr::new("libc.so.6")).count(), 1);
        assert_eq!(kept.find(OsStr::new("libz.so.1")).count(), 0);
    }
}
