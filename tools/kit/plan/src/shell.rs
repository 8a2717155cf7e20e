//! What a step would be in sh: words, lines, and slots for what is known only as the plan runs.
//!
//! Data only; [`crate::script`] prints it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Names something that is known only as the plan runs, such as a PID: `$pid` in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub &'static str);

/// One word of a command, or a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text as it is.
    Lit(OsString),
    /// Exactly one step fills it, earlier than any that reads it.
    Slot(SlotId),
    /// Several joined into one word: `/proc/$pid/ns/net`.
    Cat(Vec<Value>),
}

impl Value {
    /// The word with its slots filled; `None` if one is still empty.
    pub fn resolve(&self, slots: &Slots) -> Option<OsString> {
        match self {
            Self::Lit(text) => Some(text.clone()),
            Self::Slot(id) => slots.get(*id).map(OsStr::to_os_string),
            Self::Cat(parts) => {
                let mut word = OsString::new();
                for part in parts {
                    word.push(part.resolve(slots)?);
                }
                Some(word)
            }
        }
    }

    pub(crate) fn slots(&self, into: &mut Vec<SlotId>) {
        match self {
            Self::Lit(_) => {}
            Self::Slot(id) => into.push(*id),
            Self::Cat(parts) => {
                for part in parts {
                    part.slots(into);
                }
            }
        }
    }
}

macro_rules! from_text {
    ($($text:ty),*) => {$(
        impl From<$text> for Value {
            fn from(text: $text) -> Self {
                Self::Lit(OsString::from(text))
            }
        }
    )*};
}
from_text!(&str, String, OsString, PathBuf);

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Lit(text.into())
    }
}
impl From<&Path> for Value {
    fn from(path: &Path) -> Self {
        Self::Lit(path.into())
    }
}
impl From<&PathBuf> for Value {
    fn from(path: &PathBuf) -> Self {
        Self::Lit(path.into())
    }
}
impl From<&OsStr> for Value {
    fn from(text: &OsStr) -> Self {
        Self::Lit(text.into())
    }
}
impl From<&OsString> for Value {
    fn from(text: &OsString) -> Self {
        Self::Lit(text.clone())
    }
}
impl From<SlotId> for Value {
    fn from(id: SlotId) -> Self {
        Self::Slot(id)
    }
}
impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// The words of a command: `words!["ip", "link", "set", name, "up"]`.
#[macro_export]
macro_rules! words {
    ($($word:expr),* $(,)?) => { vec![$($crate::Value::from($word)),*] };
}

/// One word made of several: `cat!["/proc/", PID, "/ns/net"]`.
#[macro_export]
macro_rules! cat {
    ($($part:expr),* $(,)?) => { $crate::Value::Cat(vec![$($crate::Value::from($part)),*]) };
}

/// A line that runs a command: `run!["ip", "netns", "add", name]`.
#[macro_export]
macro_rules! run {
    ($($word:expr),* $(,)?) => { $crate::Line::Run($crate::words![$($word),*]) };
}

/// One line of sh.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each variant's line names its fields
pub enum Line {
    /// `argv`
    Run(Vec<Value>),
    /// `argv`, its failure ignored: for what a step does only if it can.
    Try(Vec<Value>),
    /// `argv` with `text` and a newline on its standard input: a batch for `nft -f -`.
    Feed { argv: Vec<Value>, text: Value },
    /// `text` and a newline written to `path`, by one write(2), as control files want it.
    Write { path: Value, text: Value },
    /// `slot=$(argv)`
    Capture { slot: SlotId, argv: Vec<Value> },
    /// `argv &`, its PID in `slot`.
    Background { slot: SlotId, argv: Vec<Value> },
    /// Starts the plan's child-side steps under `argv` (`unshare …`), waiting for "go"; the PID that the
    /// host sees goes to `slot`. At most one in a plan.
    Spawn { slot: SlotId, argv: Vec<Value> },
    /// The last child-side line: the child becomes `program`.
    Exec(Program),
    /// A line of a child-side step that must be run from outside, by the host's tools: after the child has
    /// given up its privileges and says "ready", before it becomes its program. `pivot_root` is one.
    Outside(Vec<Value>),
    /// A condition in words of sh that must hold, e.g. `words!["test", "-d", path]`, and what to say if not.
    Check { argv: Vec<Value>, or: String },
}

/// What a child becomes, in sh.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// A command of the host's that gives up privileges and runs the rest of its words: `setpriv …`.
    pub through: Vec<Value>,
    /// The program and its words.
    pub argv: Vec<Value>,
    /// All of its environment, `KEY=value`.
    pub env: Vec<OsString>,
    /// Where it begins.
    pub cwd: PathBuf,
    /// umask(2); `None` leaves the script's, which is 0022.
    pub umask: Option<u32>,
    /// It reads what the script's caller gives it; else its standard input is /dev/null.
    pub stdin: bool,
}

/// A step in sh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shell {
    /// By standard tools: leaves the same state as the step itself.
    Exact(Vec<Line>),
    /// By a command of ours.
    Ours(Vec<Line>),
    /// Not possible in sh, because…; the script stops there, or with `BOXKIT_PARTIAL=1` goes on without.
    None(&'static str),
}

impl Shell {
    /// The lines, none for [`Shell::None`].
    pub fn lines(&self) -> &[Line] {
        match self {
            Self::Exact(lines) | Self::Ours(lines) => lines,
            Self::None(_) => &[],
        }
    }
}

/// What the slots hold so far, by their names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Slots(BTreeMap<Cow<'static, str>, Filled>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Filled(#[serde(with = "crate::os_text")] OsString);

impl Slots {
    /// What a step put there, if one has.
    pub fn get(&self, id: SlotId) -> Option<&OsStr> {
        self.0.get(id.0).map(|filled| filled.0.as_os_str())
    }

    /// Fills a slot; the last value wins, since a step that is applied again after an undo fills it anew.
    pub fn fill(&mut self, id: SlotId, value: impl Into<OsString>) {
        self.0.insert(id.0.into(), Filled(value.into()));
    }
}
