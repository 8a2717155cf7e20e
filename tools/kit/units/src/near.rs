//! "Did you mean": the name most like one that was mistyped. A guess for a hint, never acted upon.

/// How many slips (a letter more, less or other, two swapped) a name of `letters` may have and still be guessed.
fn limit(letters: usize) -> usize {
    (letters / 3).clamp(1, 3)
}

/// The slips between two names, in any case; `None` where they are too many for a guess.
fn slips(typed: &str, name: &str) -> Option<usize> {
    let limit = limit(typed.chars().count());
    // The distance is at least the difference in length: most names need no more than that.
    if typed.chars().count().abs_diff(name.chars().count()) > limit {
        return None;
    }
    let slips = strsim::osa_distance(&typed.to_lowercase(), &name.to_lowercase());
    (slips <= limit).then_some(slips)
}

/// Whether `typed` may have been meant as `name`.
pub fn is_near(typed: &str, name: &str) -> bool {
    slips(typed, name).is_some()
}

/// The name most like `typed`, if one is near. Of equals the one that begins like it, then the first in order, so that a hint does not depend on the
/// order of a directory.
pub fn nearest<T: AsRef<str>>(typed: &str, names: impl IntoIterator<Item = T>) -> Option<T> {
    nearest_of(typed, names, 1).into_iter().next()
}

/// Up to `count` names that are near, the nearest first.
pub fn nearest_of<T: AsRef<str>>(
    typed: &str,
    names: impl IntoIterator<Item = T>,
    count: usize,
) -> Vec<T> {
    let mut found: Vec<(usize, T)> = names
        .into_iter()
        .filter_map(|name| Some((slips(typed, name.as_ref())?, name)))
        .collect();
    // Of equals the one that begins like it: who types `rum` means `run`, not `rm`.
    let order = |slips: usize, name: &str| {
        let same = |(a, b): &(char, char)| a.eq_ignore_ascii_case(b);
        let alike = typed.chars().zip(name.chars()).take_while(same).count();
        (slips, std::cmp::Reverse(alike), name.to_owned())
    };
    found.sort_by_cached_key(|(slips, name)| order(*slips, name.as_ref()));
    found.dedup_by(|a, b| a.1.as_ref() == b.1.as_ref());
    found.truncate(count);
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_or_two_is_near() {
        for (typed, name) in [
            ("alpine", "alpin"),
            ("alpine", "apline"),
            ("bsuybox", "busybox"),
            ("pyton3", "python3"),
            ("web", "wen"),
            ("web", "webb"),
            ("web", "we"),
            ("WEB", "web"),
            ("naem", "name"),
        ] {
            assert!(is_near(typed, name), "{typed} {name}");
        }
        for (typed, name) in [("sh", "ls"), ("web", "db"), ("web", "abc"), ("", "ab")] {
            assert!(!is_near(typed, name), "{typed} {name}");
        }
    }

    #[test]
    fn the_nearest_comes_first_and_once() {
        let names = ["restart", "start", "stats", "start", "run"];
        assert_eq!(nearest("strat", names), Some("start"));
        assert_eq!(nearest_of("strats", names, 3), ["stats", "start"]);
        assert_eq!(nearest("frobnicate", names), None);
    }
}
