//! What may stand where the cursor is: `TOOL completions words -- TOOL VERB … WORD`, asked by the short scripts in
//! `shells/`. Verbs, flags and values come from the clap definitions; names of things that exist from the command that
//! lists them.
//!
//! clap_complete's own scripts know no names, and its engine that does is `unstable-dynamic`.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use clap::{Arg, ArgAction, ValueHint};

/// What an argument is the name of, which is its `value_name` or several of that, and the command that lists those.
const LISTS: [(&str, &[&str]); 7] = [
    ("CONTAINER", &["rrun", "ps", "-a", "--format", "{{.Names}}"]),
    ("IMAGE", &["runpack", "images", "--jsonl"]),
    ("NETNS", &["rnetns", "list", "-q"]),
    ("BRIDGE", &["rbridge", "list", "-q"]),
    ("LINK", &["rveth", "list", "-q", "-a"]),
    ("CGROUP", &["rcgroup", "list", "-q"]),
    ("MOUNT", &["rmount", "list", "-q"]),
];

/// Candidates for one word.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Candidates {
    /// Each with its description, which may be empty.
    pub words: Vec<(String, String)>,
    /// The shell may offer files too.
    pub files: bool,
}

impl Candidates {
    /// What the shells' scripts read: `files` or `words`, then a candidate a line, its description after a tab.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from(if self.files { "files\n" } else { "words\n" });
        for (word, about) in &self.words {
            // A line is a candidate; nothing that moves a cursor is offered.
            if !word.contains(char::is_control) {
                text.push_str(&format!("{word}\t{about}").replace('\n', " "));
                text.push('\n');
            }
        }
        text
    }
}

/// Of a command line that begins with the tool's name and ends with the word at the cursor, which may be empty.
pub(crate) fn candidates(root: &mut clap::Command, words: &[String]) -> Candidates {
    root.build();
    let Some((word, before)) = words.get(1..).and_then(<[String]>::split_last) else {
        return Candidates::default();
    };
    let mut at = At::new(root);
    for word in before {
        at.pass(word);
    }
    let mut found = at.next(word);
    found
        .words
        .retain(|(one, _)| one.starts_with(word.as_str()));
    found
}

/// How far the words have led: the verb, how many of its arguments are there, a flag that waits for its value.
struct At<'a> {
    command: &'a clap::Command,
    given: usize,
    flag: Option<&'a Arg>,
    /// After `--`, or in the words of a program.
    only_words: bool,
}

impl<'a> At<'a> {
    fn new(command: &'a clap::Command) -> Self {
        Self {
            command,
            given: 0,
            flag: None,
            only_words: false,
        }
    }

    fn pass(&mut self, word: &str) {
        if self.flag.take().is_some() {
            return;
        }
        if !self.only_words && word == "--" {
            self.only_words = true;
        } else if !self.only_words && word.len() > 1 && word.starts_with('-') {
            self.flag = self.waiting(word);
        } else if let Some(verb) = self.verb(word) {
            *self = Self::new(verb);
        } else {
            self.given += 1;
            let last = self.positional(self.given - 1);
            self.only_words |= last.is_some_and(Arg::is_trailing_var_arg_set);
        }
    }

    fn verb(&self, word: &str) -> Option<&'a clap::Command> {
        let first = self.given == 0 && !self.only_words;
        first.then(|| self.command.find_subcommand(word)).flatten()
    }

    /// The flag, if its value is the next word.
    fn waiting(&self, word: &str) -> Option<&'a Arg> {
        let mut args = self.command.get_arguments();
        let arg = if let Some(long) = word.strip_prefix("--") {
            args.find(|arg| arg.get_long() == Some(long))
        } else {
            // Of `-it` the last one; of `-p80` the value is there.
            let (last, others) = word
                .chars()
                .skip(1)
                .collect::<Vec<_>>()
                .split_last()
                .map(|(last, others)| (*last, others.to_vec()))?;
            let takes = |letter: &char| {
                let mut args = self.command.get_arguments();
                args.any(|arg| arg.get_short() == Some(*letter) && takes_value(arg))
            };
            if others.iter().any(takes) {
                return None;
            }
            args.find(|arg| arg.get_short() == Some(last))
        };
        arg.filter(|arg| takes_value(arg))
    }

    /// The argument that the word at this place belongs to; the last one takes all that follow.
    fn positional(&self, place: usize) -> Option<&'a Arg> {
        let all: Vec<&Arg> = self.command.get_positionals().collect();
        let last = all
            .last()
            .filter(|arg| matches!(arg.get_action(), ArgAction::Append));
        all.get(place).or(last).copied()
    }

    fn next(&self, word: &str) -> Candidates {
        if let Some(flag) = self.flag {
            return values(flag, 0);
        }
        if !self.only_words && word.starts_with('-') {
            return self.flags(word);
        }
        let mut found = Candidates::default();
        if self.given == 0 && !self.only_words {
            found.words.extend(verbs(self.command));
        }
        if let Some(arg) = self.positional(self.given) {
            let first = self
                .command
                .get_positionals()
                .position(|one| one.get_id() == arg.get_id());
            let more = values(arg, self.given - first.unwrap_or(self.given));
            found.words.extend(more.words);
            found.files |= more.files;
        }
        found
    }

    fn flags(&self, word: &str) -> Candidates {
        let shown = || {
            self.command
                .get_arguments()
                .filter(|arg| !arg.is_hide_set())
        };
        if let Some((name, _)) = word.split_once('=') {
            let flag = shown().find(|arg| arg.get_long() == name.strip_prefix("--"));
            let mut found = flag.map(|flag| values(flag, 0)).unwrap_or_default();
            for (value, _) in &mut found.words {
                *value = format!("{name}={value}");
            }
            return found;
        }
        let named = shown()
            .filter_map(|arg| Some((format!("--{}", arg.get_long()?), about(arg.get_help()))));
        let mut words: Vec<_> = named.collect();
        if word.len() < 2 {
            words.extend(
                shown().filter_map(|arg| {
                    Some((format!("-{}", arg.get_short()?), about(arg.get_help())))
                }),
            );
        }
        Candidates {
            words,
            files: false,
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    // A switch may have a value after `=` alone.
    takes
        && arg
            .get_num_args()
            .is_none_or(|count| count.min_values() > 0)
}

fn verbs(command: &clap::Command) -> impl Iterator<Item = (String, String)> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown.map(|verb| (verb.get_name().to_owned(), about(verb.get_about())))
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// Values of an argument, `more` of which are there: `IMAGE COMMAND` is the name of an image, then a program's words.
fn values(arg: &Arg, more: usize) -> Candidates {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        let words = shown.map(|value| (value.get_name().to_owned(), about(value.get_help())));
        return Candidates {
            words: words.collect(),
            files: false,
        };
    }
    let name = arg.get_value_names().and_then(|names| names.first());
    let mut nouns = name.map_or("", |name| name.as_str()).split(' ');
    let noun = nouns.next().unwrap_or_default();
    let runs_program = nouns.next().is_some() && more > 0;
    let listing = |noun: &str| {
        LISTS
            .iter()
            .find(|(kind, _)| *kind == noun.trim_end_matches('S'))
    };
    let lists: Vec<_> = noun.split('|').filter_map(listing).collect();
    if !lists.is_empty() && !runs_program {
        let names = lists.into_iter().flat_map(|(_, list)| listed(list));
        let words = names.map(|name| (name, String::new()));
        return Candidates {
            words: words.collect(),
            files: false,
        };
    }
    let files = !matches!(arg.get_value_hint(), ValueHint::Unknown | ValueHint::Other);
    Candidates {
        words: Vec::new(),
        files: files || runs_program || arg.is_trailing_var_arg_set(),
    }
}

/// Names, one a line or in JSON Lines, from the command beside this one, or from the PATH. Without the right to list there are none.
fn listed(list: &[&str]) -> Vec<String> {
    let own = std::env::current_exe().ok();
    let beside = own
        .map(|own| own.with_file_name(list[0]))
        .filter(|file| file.exists());
    let program = beside
        .as_deref()
        .map_or(OsStr::new(list[0]), |file| file.as_os_str());
    let mut command = Command::new(program);
    command
        .args(&list[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().map(name_in).collect()
}

fn name_in(line: &str) -> String {
    let object: Option<serde_json::Value> = line
        .starts_with('{')
        .then(|| serde_json::from_str(line).ok())
        .flatten();
    let name = object.as_ref().and_then(|object| object["name"].as_str());
    name.unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(name = "tool")]
    enum Tool {
        /// Make
        Add {
            /// How
            #[arg(short, long, value_parser = ["on", "off"])]
            mode: Option<String>,
            #[arg(short, long)]
            force: bool,
            #[arg(long)]
            file: Option<std::path::PathBuf>,
            name: String,
            #[arg(trailing_var_arg = true)]
            command: Vec<String>,
        },
        /// Delete
        Del { names: Vec<String> },
    }

    fn offered(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let found = candidates(&mut <Tool as clap::CommandFactory>::command(), &words);
        let mut all: Vec<String> = found.words.into_iter().map(|(word, _)| word).collect();
        all.extend(found.files.then(|| "(files)".to_owned()));
        all.join(" ")
    }

    #[test]
    fn what_may_follow() {
        for (line, wanted) in [
            ("tool ", "add del help"),
            ("tool a", "add"),
            ("tool add --", "--mode --force --file --help"),
            ("tool add --m", "--mode"),
            ("tool add --mode ", "on off"),
            ("tool add -m o", "on off"),
            ("tool add -fm of", "off"),
            ("tool add -mon ", ""),
            ("tool add --mode=o", "--mode=on --mode=off"),
            ("tool add --file ", "(files)"),
            ("tool add --mode on -f ", ""),
            ("tool add name ", "(files)"),
            ("tool add name cat --m", "(files)"),
            ("tool add -- --m", ""),
            ("tool del add", ""),
            ("tool", ""),
            ("", ""),
        ] {
            assert_eq!(offered(line), wanted, "{line:?}");
        }
    }

    #[test]
    fn a_name_that_moves_the_cursor_is_not_offered() {
        let words = vec![
            ("a\u{1b}[2J".to_owned(), String::new()),
            ("b".to_owned(), "two\nlines".to_owned()),
        ];
        assert_eq!(
            Candidates {
                words,
                files: false
            }
            .text(),
            "words\nb\ttwo lines\n"
        );
    }
}
