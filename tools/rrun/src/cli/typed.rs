//! A command line that was refused, taken apart for the hint: what its flags were given, IMAGE and COMMAND.

use std::ffi::OsString;

use clap::{Arg, Args, Command};
use kit_plan::quote;

use super::run;
use super::switches::Switches;

/// Flags with a value that only refused command lines have, of verbs other than `run` and `create`.
const WITH_VALUE: [&str; 3] = ["--format", "--checkpoint", "--checkpoint-dir"];

/// What was typed.
#[derive(Debug, Default)]
pub struct Typed {
    verb: String,
    /// Each flag by its long name, with its value, in their order.
    flags: Vec<(String, String)>,
    /// IMAGE, COMMAND and its arguments; of other verbs what is no flag.
    words: Vec<String>,
}

impl Typed {
    /// Takes `TOOL VERB WORDS…` apart.
    pub fn of(argv: &[OsString]) -> Self {
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        let verb = argv.get(1).map(text).unwrap_or_default();
        let words: Vec<String> = argv.iter().skip(2).map(text).collect();
        let mut typed = Self {
            verb,
            ..Self::default()
        };
        if typed.makes() {
            typed.flags_then_words(words);
        } else {
            typed.words_among_flags(words);
        }
        typed
    }

    /// Whether the verb has IMAGE and COMMAND.
    fn makes(&self) -> bool {
        matches!(self.verb.as_str(), "run" | "create")
    }

    /// What `run` and `create` have. A flag that neither has takes a value: those of docker's that take none are `ours`.
    fn flags_then_words(&mut self, words: Vec<String>) {
        let known = Switches::<run::Args>::augment_args(Command::new("run"));
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (arg, name, value) = match word.strip_prefix("--") {
                Some("") => break,
                Some(long) => {
                    let (name, value) = split(long);
                    let arg = known.get_arguments().find(|arg| is_called(arg, name));
                    (arg, format!("--{name}"), value)
                }
                None if word.len() > 1 && word.starts_with('-') => {
                    let Some(found) = short(&known, &word[1..]) else {
                        continue;
                    };
                    found
                }
                None => {
                    self.words.push(word);
                    break;
                }
            };
            let name = arg
                .and_then(Arg::get_long)
                .map_or(name, |long| format!("--{long}"));
            let value = match value {
                None if arg.is_none_or(takes_value) => words.next(),
                value => value,
            };
            self.flags.push((name, value.unwrap_or_default()));
        }
        self.words.extend(words);
    }

    fn words_among_flags(&mut self, words: Vec<String>) {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if WITH_VALUE.contains(&word.as_str()) {
                words.next();
            } else if !word.starts_with('-') {
                self.words.push(word);
            }
        }
    }

    /// What a flag was given, but for nothing.
    pub fn values(&self, flag: &str) -> Vec<&str> {
        let of = self.flags.iter().filter(|(name, _)| name == flag);
        of.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Of a flag given twice the last counts.
    pub fn last(&self, flag: &str) -> Option<&str> {
        self.values(flag).last().copied()
    }

    /// What stands at a place of a way, as words of sh; `None` where it was not typed.
    pub fn at(&self, place: &str) -> Option<String> {
        let words = |words: &[String]| {
            let quoted: Vec<String> = words.iter().map(quote).collect();
            (!words.is_empty()).then(|| quoted.join(" "))
        };
        let name = || self.last("--name").map(quote);
        match place {
            "{VERB}" if self.verb == "create" => Some("create".to_owned()),
            "{C}" if !self.makes() => words(self.words.get(..1)?),
            "{C}" | "{NAME}" => name(),
            "{WORDS}" => words(&self.words),
            "{IMAGE}" => words(self.words.get(..1)?),
            "{COMMAND}" => words(self.words.get(1..)?),
            _ => None,
        }
    }
}

fn split(text: &str) -> (&str, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    }
}

fn is_called(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || aliases.contains(&name)
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

/// The last flag of letters written together, with what follows it: `-itw/tmp`. `None` where the last is a switch.
fn short<'a>(
    known: &'a Command,
    letters: &str,
) -> Option<(Option<&'a Arg>, String, Option<String>)> {
    for (at, letter) in letters.char_indices() {
        let mut args = known.get_arguments();
        let arg = args.find(|arg| arg.get_short() == Some(letter));
        if arg.is_none_or(takes_value) {
            let rest = &letters[at + letter.len_utf8()..];
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            let value = (!rest.is_empty()).then(|| rest.to_owned());
            return Some((arg, format!("-{letter}"), value));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_and_command_follow_the_flags() {
        for (line, values, words) in [
            ("run --dns 9.9.9.9 web", "9.9.9.9", "web"),
            (
                "run -it --rm --dns=9.9.9.9 -w/tmp web sh -c x",
                "9.9.9.9",
                "web sh -c x",
            ),
            (
                "run -itw /tmp --rm=false -e A=1 --dns 1 --dns 2 web -it",
                "1 2",
                "web -it",
            ),
            ("create --net none --privileged --dns 1 -- web", "1", "web"),
            ("run --init -p 80:80 --name x --dns", "", ""),
            ("history --format x web", "", "web"),
        ] {
            let argv: Vec<OsString> = "rrun"
                .split(' ')
                .chain(line.split(' '))
                .map(OsString::from)
                .collect();
            let typed = Typed::of(&argv);
            assert_eq!(typed.values("--dns").join(" "), values, "{line}");
            assert_eq!(typed.words.join(" "), words, "{line}");
        }
    }
}
