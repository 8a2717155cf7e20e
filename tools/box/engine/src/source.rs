//! The commands that make the source of a bind mount that does not exist. For the words of an error; nothing is made here.

use std::path::{Path, PathBuf};

use rmount::Dangling;

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// What has to be made for the path to exist: the path itself, or what it leads to by dangling links. `None` if they
/// lead to each other.
fn wanting(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        let Some(Dangling { link, target }) = Dangling::on(&path) else {
            return Some(path.components().collect());
        };
        let rest = path.strip_prefix(&link).ok()?;
        path = link.parent()?.join(target).join(rest);
    }
    None
}

/// The commands that make a path, or what it leads to, as a hint: whether a directory or a file was meant is not known.
#[must_use]
pub fn ways(path: &Path) -> Option<String> {
    let missing = wanting(path)?;
    let name = kit_plan::quote(&missing);
    let above = missing.parent().filter(|above| !above.exists());
    let first = above.map(|above| format!("mkdir -p {} && ", kit_plan::quote(above)));
    let first = first.unwrap_or_default();
    Some(format!(
        "mkdir -p {name} makes a directory, {first}touch {name} an empty file"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_dangling_link_is_followed_to_what_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("two", at("one")).unwrap();
        symlink(at("gone"), at("two")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink(".", at("here")).unwrap();
        for (path, leads_to) in [
            ("one", Some("gone")),
            ("one/", Some("gone")),
            ("here/two/x/y", Some("gone/x/y")),
            ("plain/x", Some("plain/x")),
            ("loop", None),
        ] {
            let found = wanting(&at(path)).map(PathBuf::into_os_string);
            let leads_to = leads_to.map(|name| at(name).into_os_string());
            assert_eq!(found, leads_to, "{path}");
        }
        let (link, target) = (at("one"), "two".into());
        assert_eq!(Dangling::on(&at("one/")), Some(Dangling { link, target }));
        assert_eq!(Dangling::on(&at("here/x")), None);
    }

    #[test]
    fn a_path_is_made_with_what_is_above_it() {
        let hint = "mkdir -p '/no such/x' makes a directory, mkdir -p '/no such' && touch '/no such/x' an empty file";
        assert_eq!(ways(Path::new("/no such/x")).as_deref(), Some(hint));
        let hint = "mkdir -p /no makes a directory, touch /no an empty file";
        assert_eq!(ways(Path::new("/no")).as_deref(), Some(hint));
    }
}
