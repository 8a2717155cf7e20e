//! A command line that was refused, taken apart for the hint: what its flags were given, IMAGE and COMMAND.

use std::ffi::OsString;

use clap::{Arg, Args, Command};
use kit_plan::quote;

use super::ours::OURS;
use super::run;
use super::switches::Switches;
use super::values::takes_value as takes_a_value;

/// A flag that the verb has, as it was typed.
#[derive(Debug)]
pub struct Known {
    /// Its long name, without dashes.
    pub name: String,
    /// Words of sh.
    pub sh: String,
}

/// What was typed.
#[derive(Debug, Default)]
pub struct Typed {
    verb: String,
    /// Each flag by its long name, with its value, in their order.
    flags: Vec<(String, String)>,
    /// Those that `run` has.
    pub(super) known: Vec<Known>,
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
                    let (switches, found) = short(&known, &word[1..]);
                    for arg in switches {
                        let letter = arg.get_short().unwrap_or_default();
                        self.know(arg, format!("-{letter}"));
                    }
                    let Some(found) = found else {
                        continue;
                    };
                    found
                }
                None => {
                    self.words.push(word);
                    break;
                }
            };
            let value = match value {
                None if arg.is_none_or(takes_value) => words.next(),
                value => value,
            };
            if let Some(arg) = arg {
                let given = value.as_ref().map(quote).unwrap_or_default();
                let is_switch = !takes_value(arg);
                let between = match &value {
                    None => "",
                    Some(_) if is_switch => "=",
                    Some(_) => " ",
                };
                self.know(arg, format!("{name}{between}{given}"));
            }
            let name = arg
                .and_then(Arg::get_long)
                .map_or(name, |long| format!("--{long}"));
            self.flags.push((name, value.unwrap_or_default()));
        }
        self.words.extend(words);
    }

    /// Keeps a flag for the hint. Docker's flags whose one value changes nothing are none of these.
    fn know(&mut self, arg: &Arg, sh: String) {
        let long = arg.get_long().unwrap_or_default();
        if !OURS.iter().any(|row| row.flag == long) {
            let name = long.to_owned();
            self.known.push(Known { name, sh });
        }
    }

    fn words_among_flags(&mut self, words: Vec<String>) {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if word.len() < 2 || !word.starts_with('-') {
                self.words.push(word);
                continue;
            }
            let (flag, value) = self.flag_of(&word);
            let value = match value {
                None if takes_a_value(&self.verb, &flag) => words.next(),
                value => value,
            };
            self.flags.push((flag, value.unwrap_or_default()));
        }
        self.words.extend(words);
    }

    /// A flag of a verb that is not `run`, and its value if that is in the same word: `--tail=5`, `-fn5`.
    fn flag_of(&self, word: &str) -> (String, Option<String>) {
        if word.starts_with("--") {
            let (flag, value) = split(word);
            return (flag.to_owned(), value);
        }
        for (at, letter) in word.char_indices().skip(1) {
            let flag = format!("-{letter}");
            if takes_a_value(&self.verb, &flag) {
                let rest = &word[at + letter.len_utf8()..];
                let rest = rest.strip_prefix('=').unwrap_or(rest);
                return (flag, (!rest.is_empty()).then(|| rest.to_owned()));
            }
        }
        (word.to_owned(), None)
    }

    /// IMAGE, COMMAND and its arguments; of other verbs what is no flag and no flag's value.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Those of these flags that were given a value, as words of sh.
    pub fn given(&self, flags: &[&str]) -> Option<String> {
        let given = self.flags.iter();
        let given =
            given.filter(|(flag, value)| flags.contains(&flag.as_str()) && !value.is_empty());
        let given: Vec<String> = given
            .map(|(flag, value)| format!("{flag} {}", quote(value)))
            .collect();
        (!given.is_empty()).then(|| given.join(" "))
    }

    /// Whether a switch was typed, alone or among letters. Not of `run`.
    pub fn has_switch(&self, long: &str, letter: char) -> bool {
        let is = |flag: &str| {
            flag == long
                || !flag.starts_with("--") && flag.starts_with('-') && flag.contains(letter)
        };
        self.flags.iter().any(|(flag, _)| is(flag))
    }

    /// Whether each flag is one of these.
    pub fn has_only(&self, flags: &[&str]) -> bool {
        self.flags
            .iter()
            .all(|(flag, _)| flags.contains(&flag.as_str()))
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

    /// IMAGE and COMMAND, as words of sh.
    pub fn image_and_command(&self) -> Option<String> {
        let quoted: Vec<String> = self.words.iter().map(quote).collect();
        (!quoted.is_empty()).then(|| quoted.join(" "))
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
            "{C}" if self.verb == "restart" => words(&self.words),
            "{C}" if !self.makes() => words(self.words.get(..1)?),
            "{C}" | "{NAME}" => name(),
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

/// A flag, as it was typed, and what follows it in the same word.
type Found<'a> = (Option<&'a Arg>, String, Option<String>);

/// Flags of letters written together: the switches, and the last one if it takes a value: `-itw/tmp`.
fn short<'a>(known: &'a Command, letters: &str) -> (Vec<&'a Arg>, Option<Found<'a>>) {
    let mut switches = Vec::new();
    for (at, letter) in letters.char_indices() {
        let mut args = known.get_arguments();
        let arg = args.find(|arg| arg.get_short() == Some(letter));
        let rest = &letters[at + letter.len_utf8()..];
        if let Some(arg) = arg.filter(|arg| !takes_value(arg) && !rest.starts_with('=')) {
            switches.push(arg);
        } else {
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            let value = (!rest.is_empty()).then(|| rest.to_owned());
            return (switches, Some((arg, format!("-{letter}"), value)));
        }
    }
    (switches, None)
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
            (
                "logs --tail 5 -n 5 --since 1m --until=2m -tn5 -ft web",
                "",
                "web",
            ),
            ("login -u me -p secret", "", ""),
            ("pull web --platform linux/arm64", "", "web"),
            ("export -o x.tar -- web", "", "web"),
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
