//! `completions SHELL` and `man [VERB]`, from the same definitions as the parser itself.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::{Failure, Result, complete, emit};

const SHELLS: [(&str, &str); 3] = [
    ("bash", include_str!("shells/bash")),
    ("zsh", include_str!("shells/zsh")),
    ("fish", include_str!("shells/fish")),
];

/// A verb with its examples at the end of its help, from a table by the names of verbs.
pub fn with_examples(verb: clap::Command, table: &[(&str, &str)]) -> clap::Command {
    let of = |(name, _): &&(&str, &str)| *name == verb.get_name();
    match table.iter().find(of) {
        Some((_, lines)) => verb.after_help(format!("Examples:\n{lines}")),
        None => verb,
    }
}

/// `completions SHELL`: the script for a shell. `completions words -- LINE…`: what that script asks.
pub(crate) fn completions(mut command: clap::Command, argv: &[OsString]) -> Result {
    let words: Vec<String> = argv[2..]
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match words.as_slice() {
        [first, dashes, line @ ..] if first == "words" && dashes == "--" => {
            emit(&complete::candidates(&mut command, line).text())?;
        }
        [shell] => {
            let known = SHELLS.iter().find(|(name, _)| name == shell);
            let (_, script) = known.ok_or_else(|| {
                Failure::usage(format!("completing for shell \"{shell}\": unknown shell"))
                    .hint("one of bash, zsh, fish")
            })?;
            emit(&script.replace("TOOL", command.get_name()))?;
        }
        _ => {
            let tool = command.get_name();
            return Err(Failure::usage("completing: no shell given".to_owned())
                .hint(format!("{tool} completions bash, zsh or fish")));
        }
    }
    Ok(0)
}

/// `man`: the page of the command; `man VERB`: that of a verb.
pub(crate) fn man(mut command: clap::Command, argv: &[OsString]) -> Result {
    command.build();
    let tool = command.get_name().to_owned();
    let page = match argv.get(2) {
        None => command,
        Some(verb) => {
            let name = verb.to_string_lossy();
            let found = command.find_subcommand(verb).cloned();
            found.ok_or_else(|| {
                Failure::usage(format!(
                    "printing the page of \"{name}\": it is not a verb of {tool}"
                ))
                .hint(format!("see {tool} --help"))
            })?
        }
    };
    let mut text = Vec::new();
    write_page(&tool, page, &mut text)
        .map_err(|error| Failure::doing("writing a man page", error))?;
    emit(&in_ascii(&String::from_utf8_lossy(&text)))?;
    Ok(0)
}

/// A roff that is told no encoding reads Latin-1: groff_char(7).
fn in_ascii(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            page.push(letter);
        } else {
            let _ = write!(page, "\\[u{:04X}]", u32::from(letter));
        }
    }
    page
}

/// The sections of clap_mangen, and our own for the examples, whose lines must stay lines.
fn write_page(tool: &str, page: clap::Command, to: &mut Vec<u8>) -> std::io::Result<()> {
    let is_verb = page.get_name() != tool;
    let verbs = page.get_subcommands().next().is_some();
    let examples = page.get_after_help().map(ToString::to_string);
    let man = Man::new(page).manual(tool);
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if verbs {
        man.render_subcommands_section(to)?;
    }
    if let Some(examples) = examples {
        let lines: Vec<&str> = examples
            .lines()
            .filter(|line| *line != "Examples:")
            .collect();
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        roff.to_writer(to)?;
    }
    if is_verb {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"])
            .text([roman(format!("{tool}(1)"))]);
        roff.to_writer(to)?;
    }
    to.flush()
}
