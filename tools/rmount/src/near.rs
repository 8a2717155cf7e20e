//! "Did you mean": the existing path most like one that does not exist.
//!
//! A guess for a hint, never acted upon.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
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

/// The entry of `dir` most like `name`, if one is near.
fn closest(dir: &Path, name: &OsStr) -> Option<OsString> {
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    // A name that is not UTF-8 is compared by what of it is, and found again by its bytes.
    let names: BTreeMap<String, OsString> = entries
        .map(|entry| entry.file_name())
        // One that is called so and leads nowhere is not what was meant.
        .filter(|entry| entry != name)
        .map(|name| (name.to_string_lossy().into_owned(), name))
        .collect();
    let found = kit_units::nearest(&name.to_string_lossy(), names.keys())?;
    names.get(found).cloned()
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
    fn a_link_that_leads_nowhere_is_not_guessed_for_itself() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(near_miss(&link), None);
        assert_eq!(near_miss(&link.join("deep")), None);
        std::fs::create_dir(dir.path().join("lnk")).unwrap();
        assert_eq!(near_miss(&link), Some(dir.path().join("lnk")));
    }
}
