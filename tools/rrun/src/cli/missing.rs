//! docker's flags that a verb has not got yet, each with what does the same meanwhile.

mod again;
mod of_value;
mod rows;
mod sysctl;
mod value;

use super::elsewhere::{Way, way};
use super::typed::Typed;
use value::Of;

pub use of_value::{OF_VALUE, OfValue};
pub use rows::FLAGS_MISSING;

/// Flags that verbs have not got, and the way.
pub struct Missing {
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// docker's flags.
    pub flags: &'static [&'static str],
    /// What does the same.
    pub way: Way,
    of: Of,
}

const fn row(
    verbs: &'static [&'static str],
    flags: &'static [&'static str],
    note: &'static str,
    sh: &'static str,
) -> Missing {
    Missing {
        verbs,
        flags,
        way: way(flags[0], note, sh),
        of: value::each,
    }
}

impl Missing {
    /// Whose `{VALUE}` is `of` what the flag is given, or `example`.
    const fn value(self, example: &'static str, of: Of) -> Self {
        let way = Way {
            example,
            ..self.way
        };
        Self { way, of, ..self }
    }

    const fn undone(self, undo: &'static str) -> Self {
        Self {
            way: self.way.undone(undo),
            ..self
        }
    }

    fn is(&self, verb: &str, flag: &str) -> bool {
        self.verbs.contains(&verb) && self.flags.contains(&flag)
    }
}

/// What does the same as a flag that a verb has not got, with what was typed.
pub(super) fn hint(verb: &str, flag: &str, typed: &Typed) -> Option<String> {
    let values = typed.values(flag);
    let of_value =
        |(row, is): &&OfValue| row.is(verb, flag) && !values.is_empty() && is(&values, typed);
    let row = OF_VALUE.iter().find(of_value).map(|(row, _)| row);
    let row = row.or_else(|| FLAGS_MISSING.iter().find(|row| row.is(verb, flag)))?;
    Some(row.way.told(row.way.sh, |place| match place {
        "{VALUE}" => (row.of)(&values, typed),
        "{WORDS}" => again::words(row.way.sh, typed),
        place => typed.at(place),
    }))
}
