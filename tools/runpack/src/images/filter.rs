//! `images -f`: docker's filters. Of one key any may fit, of several keys all must.

use std::collections::BTreeMap;

use crate::{Image, Reference, Store, StoreError};

/// One filter, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// A repository, a name or a pattern of either.
    Reference(String),
    /// Without a name, or with one.
    Dangling(bool),
    /// A label, and its value if that matters.
    Label(String, Option<String>),
    /// Made before or after that image, in seconds since 1970.
    Before(i64),
    /// Created later, in seconds since 1970.
    Since(i64),
}

impl Filter {
    /// `KEY=VALUE`. An image that it names must be in the store.
    pub fn parse(store: &Store, text: &str) -> Result<Self, StoreError> {
        let wrong = |reason| StoreError::Filter {
            text: text.to_owned(),
            reason,
        };
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| wrong("it is not KEY=VALUE"))?;
        let created = || Ok(store.resolve(value)?.created.unwrap_or(0));
        match key.trim().to_ascii_lowercase().as_str() {
            "reference" => Ok(Self::reference(value)),
            "dangling" => match value.to_ascii_lowercase().as_str() {
                "1" | "t" | "true" => Ok(Self::Dangling(true)),
                "0" | "f" | "false" => Ok(Self::Dangling(false)),
                _ => Err(wrong("it is neither true nor false")),
            },
            "label" => {
                let pair = value.split_once('=');
                let (key, value) = pair.map_or((value, None), |(key, value)| (key, Some(value)));
                Ok(Self::Label(key.to_owned(), value.map(str::to_owned)))
            }
            "before" => created().map(Self::Before),
            "since" => created().map(Self::Since),
            _ => Err(wrong("there is no such filter")),
        }
    }

    /// By a pattern of names.
    pub fn reference(pattern: &str) -> Self {
        // docker.io/library/web is web.
        let normal = pattern.strip_prefix("docker.io/").unwrap_or(pattern);
        let normal = normal.strip_prefix("library/").unwrap_or(normal);
        Self::Reference(normal.to_owned())
    }

    fn key(&self) -> u8 {
        match self {
            Self::Reference(_) => 0,
            Self::Dangling(_) => 1,
            // Every label must be there.
            Self::Label(..) => 2,
            Self::Before(_) => 3,
            Self::Since(_) => 4,
        }
    }

    fn fits(&self, image: &Image, name: Option<&Reference>) -> bool {
        match self {
            Self::Reference(pattern) => name.is_some_and(|name| {
                matches(pattern, &name.repository()) || matches(pattern, &name.to_string())
            }),
            Self::Dangling(dangling) => *dangling == image.names.is_empty(),
            Self::Label(key, value) => {
                let config = image.config.config().as_ref();
                let label = config.and_then(|config| config.labels().as_ref()?.get(key));
                label.is_some_and(|label| value.as_ref().is_none_or(|value| value == label))
            }
            Self::Before(then) => image.created.unwrap_or(0) < *then,
            Self::Since(then) => image.created.unwrap_or(0) > *then,
        }
    }
}

/// Whether an image is listed under a name of its, or under none.
pub(super) fn fit(filters: &[Filter], image: &Image, name: Option<&Reference>) -> bool {
    let mut keys: BTreeMap<u8, bool> = BTreeMap::new();
    for filter in filters {
        let fits = filter.fits(image, name);
        let is_all = matches!(filter, Filter::Label(..));
        let known = keys.entry(filter.key()).or_insert(is_all);
        *known = if is_all {
            *known && fits
        } else {
            *known || fits
        };
    }
    keys.values().all(|fits| *fits)
}

/// Go's path.Match, as docker uses it: `*` and `?` stop at a slash.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Where the last star was, and how much of the text it has taken.
    let (mut at, mut to, mut star) = (0, 0, None);
    while to < text.len() {
        let taken = match pattern.get(at) {
            Some('*') => {
                star = Some((at, to));
                at += 1;
                continue;
            }
            Some('?') => (text[to] != '/').then_some(1),
            Some('[') => class(&pattern[at..], text[to]),
            Some('\\') => (pattern.get(at + 1) == Some(&text[to])).then_some(2),
            Some(c) => (*c == text[to]).then_some(1),
            None => None,
        };
        match (taken, star) {
            (Some(length), _) => {
                at += length;
                to += 1;
            }
            (None, Some((star_at, begun))) if text[begun] != '/' => {
                star = Some((star_at, begun + 1));
                at = star_at + 1;
                to = begun + 1;
            }
            _ => return false,
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// `[a-z]`, `[^x]`: how long it is, if the character is one of it.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = pattern.get(1) == Some(&'^');
    let from = 1 + usize::from(negated);
    let end = from + pattern.get(from..)?.iter().position(|c| *c == ']')?;
    let mut inside = &pattern[from..end];
    let mut found = false;
    while let Some((first, rest)) = inside.split_first() {
        let (last, rest) = match rest {
            ['-', last, rest @ ..] => (last, rest),
            rest => (first, rest),
        };
        found |= (*first..=*last).contains(&c);
        inside = rest;
    }
    (found != negated && c != '/').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_gos() {
        for (pattern, text, fits) in [
            ("web", "web", true),
            ("web", "webs", false),
            ("we*", "web:1", true),
            ("*:1", "web:1", true),
            ("*", "team/web", false),
            ("*/*", "team/web", true),
            ("*/w*b", "team/wwbb", true),
            ("w?b", "web", true),
            ("w[a-e]b", "web", true),
            ("w[^a-e]b", "web", false),
            ("w[e", "web", false),
            ("w\\eb", "web", true),
            ("", "web", false),
            ("***", "web", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
