//! Short names for long paths, in scripts and in what is told of a step: `$ROOT/containers/$C`.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use crate::Roots;
use crate::script::is_plain;

/// Shell variables, and what each stands for. Only values that no shell changes: what is put in their place is exact.
#[derive(Debug, Clone, Default)]
pub struct Vars(Vec<(&'static str, String)>);

/// Below this a name saves nothing.
const SHORT: usize = 6;

impl Vars {
    /// `$ROOT` and `$RUN`.
    pub fn of_roots(roots: &Roots) -> Self {
        Self::default()
            .and("ROOT", &roots.root)
            .and("RUN", &roots.run)
    }

    /// With one more.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        let Ok(value) = std::str::from_utf8(value.as_ref().as_bytes()) else {
            return self;
        };
        if value.len() >= SHORT && is_plain(value) {
            self.0.push((name, value.to_owned()));
            // One that holds another goes first: $RUN below $ROOT.
            self.0
                .sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        }
        self
    }

    /// The text with each value as its variable.
    pub fn shorten(&self, text: &str) -> String {
        let mut short = String::with_capacity(text.len());
        let mut rest = text;
        'text: while let Some(first) = rest.chars().next() {
            for (name, value) in &self.0 {
                if let Some(after) = rest.strip_prefix(value.as_str()) {
                    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let _ = if after.starts_with(joins) {
                        write!(short, "${{{name}}}")
                    } else {
                        write!(short, "${name}")
                    };
                    rest = after;
                    continue 'text;
                }
            }
            short.push(first);
            rest = &rest[first.len_utf8()..];
        }
        short
    }

    /// The definitions of those that `text` uses, a line each: `ROOT=/var/lib/boxkit`.
    pub fn definitions(&self, text: &str) -> Vec<String> {
        let used = self.used(text).into_iter();
        used.map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    /// Those that `text` uses.
    pub fn used(&self, text: &str) -> Vec<(&'static str, String)> {
        let mut used = self.0.clone();
        used.retain(|(name, _)| uses(text, name));
        used.sort_unstable();
        used
    }

    /// All of them, for a list whose lines are not known yet.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let mut all = self.0.clone();
        all.sort_unstable();
        all
    }
}

fn uses(text: &str, name: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let after = &text[at + 1..];
        let after = after.strip_prefix('{').unwrap_or(after);
        after
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_have_their_names_and_what_a_shell_would_split_has_none() {
        let vars = Vars::default()
            .and("ROOT", "/var/lib/boxkit")
            .and("C", "0123456789ab")
            .and("RUN", "/a b/run")
            .and("X", "/x");
        let short =
            vars.shorten("/var/lib/boxkit/c/.0123456789ab.new:/var/lib/boxkit2,/a b/run,/x");
        assert_eq!(short, "$ROOT/c/.$C.new:${ROOT}2,/a b/run,/x");
        assert_eq!(
            vars.definitions(&short),
            ["C=0123456789ab", "ROOT=/var/lib/boxkit"]
        );
        assert!(vars.definitions("$ROOTS $(C)").is_empty());
    }
}
