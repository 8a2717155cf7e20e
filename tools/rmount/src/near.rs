//! "Did you mean": the existing path most like one that does not exist.
//!
//! A guess for a hint, never acted upon.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The existing path nearest to `missing`, where one component is mistyped; `None` when nothing is near.
pub fn near_miss(missing: &Path) -> Option<PathBuf> {
    let mut rest: Vec<&OsStr> = Vec::new();
    let mut at = missing;
    loop {
        let name = at.file_name()?;
        let dir = match at.parent()? {
            empty if empty.as_os_str().is_empty() => Path::new("."),
            dir => dir,
        };
        if dir.is_dir() {
            let found = dir.join(closest(dir, name)?);
            let whole = rest
                .iter()
                .rev()
                .fold(found.clone(), |path, part| path.join(part));
            return Some(if whole.exists() { whole } else { found });
        }
        rest.push(name);
        at = at.parent()?;
    }
}

/// The entry of `dir` with the least edit distance to `name`, if that is small for a name of its length.
fn closest(dir: &Path, name: &OsStr) -> Option<std::ffi::OsString> {
    let limit = (name.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, std::ffi::OsString)> = None;
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let candidate = entry.file_name();
        let cost = distance(name.as_bytes(), candidate.as_bytes());
        // Of equals the first in order, so that the hint does not depend on the directory's own order.
        if cost <= limit
            && best
                .as_ref()
                .is_none_or(|b| (cost, &candidate) < (b.0, &b.1))
        {
            best = Some((cost, candidate));
        }
    }
    best.map(|(_, name)| name)
}

/// Damerau's distance (optimal string alignment): insert, delete, replace or swap two neighbours.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut two_up = vec![0; b.len() + 1];
    let mut up: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = up[j - 1] + usize::from(!a[i - 1].eq_ignore_ascii_case(&b[j - 1]));
            row[j] = replaced.min(up[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(two_up[j - 2] + 1);
            }
        }
        two_up = std::mem::replace(&mut up, row);
    }
    up[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistyped_component_is_found_even_in_the_middle() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("layers/base/etc")).unwrap();
        let at = |p: &str| near_miss(&dir.path().join(p));
        assert_eq!(at("layers/bsae"), Some(dir.path().join("layers/base")));
        assert_eq!(
            at("layrs/base/etc"),
            Some(dir.path().join("layers/base/etc"))
        );
        assert_eq!(at("layrs/other"), Some(dir.path().join("layers")));
        assert_eq!(at("layers/upper"), None);
    }

    #[test]
    fn swapped_letters_cost_one() {
        assert_eq!(distance(b"lower", b"lowre"), 1);
        assert_eq!(distance(b"", b"ab"), 2);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }
}
