//! From argv to an exit code, with the one place where an error is printed.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::usage::parse_error;
use crate::{Failure, Result, explained, generate, visible};

/// The code of a verb that runs a program, when it is we who failed.
const OURS: u8 = 125;

/// Parses the command line, hands it to `dispatch`, prints what went wrong. `programs` are the verbs that run
/// a program: there, whatever of ours fails is exit 125, usage included, as with docker(1) and env(1).
pub fn run<C: Parser + CommandFactory>(programs: &[&str], dispatch: fn(C) -> Result) -> ExitCode {
    let (mut argv, flags) = flags_ahead(std::env::args_os().collect());
    let behind_verb = argv.len().min(2);
    argv.splice(behind_verb..behind_verb, flags);
    run_words(argv, programs, dispatch)
}

/// Flags of every verb that changes something, and whether a value follows them: people type them before the verb too.
const OF_ACTS: [(&str, bool); 4] = [
    ("--lang", true),
    ("--explain", false),
    ("--trace", false),
    ("--dry-run", false),
];

/// Whether a flag is one of those that every verb that changes something has.
pub(crate) fn is_of_acts(flag: &str) -> bool {
    OF_ACTS.iter().any(|(name, _)| *name == flag)
}

/// A command line without the flags of [`Act`](crate::Act) before its verb, and those flags: they belong behind it.
pub fn flags_ahead(mut argv: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut ahead = Vec::new();
    while let Some(text) = argv.get(1).and_then(|word| word.to_str()) {
        let (name, value) = text
            .split_once('=')
            .map_or((text, ""), |(name, _)| (name, text));
        let Some((_, valued)) = OF_ACTS.iter().find(|(flag, _)| *flag == name) else {
            break;
        };
        let words = if *valued && value.is_empty() { 2 } else { 1 };
        // A flag whose value is missing, or that has no verb after it.
        if argv.len() <= 1 + words {
            break;
        }
        ahead.extend(argv.drain(1..=words));
    }
    (argv, ahead)
}

/// The same, of a command line that was put in order before: docker has verbs in groups.
pub fn run_words<C: Parser + CommandFactory>(
    argv: Vec<OsString>,
    programs: &[&str],
    dispatch: fn(C) -> Result,
) -> ExitCode {
    let argv = asked_for_help(argv);
    let command = C::command();
    let tool = command.get_name().to_owned();
    let verb = argv
        .get(1)
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    let runs_program = programs.contains(&verb);
    let outcome = match verb {
        "completions" => generate::completions(command, &argv),
        "man" if argv.len() <= 3 => generate::man(command, &argv),
        _ => parsed(command, &tool, &argv, dispatch),
    };
    explained();
    let error = match outcome {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    if error.is_closed_pipe() {
        return ExitCode::SUCCESS;
    }
    report(&error);
    ExitCode::from(error.exit_code(runs_program.then_some(OURS)))
}

/// `TOOL help VERB` is `TOOL VERB --help`, as with ip(8) and docker(1).
fn asked_for_help(mut argv: Vec<OsString>) -> Vec<OsString> {
    if argv.get(1).is_some_and(|verb| verb == "help") && argv.len() <= 3 {
        argv.remove(1);
        argv.push("--help".into());
    }
    argv
}

/// As `try_parse_from`, which would build the whole command a second time.
fn parse<C: Parser>(
    command: &mut clap::Command,
    argv: &[OsString],
) -> std::result::Result<C, clap::Error> {
    let mut matches = command.try_get_matches_from_mut(argv)?;
    C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(command))
}

/// A verb of another tool's, under the name of `tool`.
pub fn hand_over<C: Parser + CommandFactory>(
    tool: &str,
    words: Vec<OsString>,
    dispatch: fn(C) -> Result,
) -> Result {
    let argv: Vec<OsString> = std::iter::once(tool.into()).chain(words).collect();
    parsed(C::command(), tool, &argv, dispatch)
}

fn parsed<C: Parser>(
    mut command: clap::Command,
    tool: &str,
    argv: &[OsString],
    dispatch: fn(C) -> Result,
) -> Result {
    let verb = argv.get(1).and_then(|word| word.to_str());
    match parse(&mut command, argv) {
        Ok(cli) => dispatch(cli),
        Err(error) => parse_error(&error, &command, argv, (tool, verb.unwrap_or_default())),
    }
}

/// The error line: `tool: doing what to "object": reason`, and the hint.
pub(crate) fn report(failure: &Failure) {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    let tool = std::path::Path::new(&argv0)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let mut text = format!("{tool}: {}\n", one_line(&failure.to_string()));
    if let Some(hint) = failure.get_hint() {
        text.push_str("hint: ");
        text.push_str(&one_line(&hint));
        text.push('\n');
    }
    // Nobody to tell if this fails.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Tells something that does not stop the command, as an error is told.
pub fn warn(failure: impl Into<Failure>) {
    report(&failure.into());
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Messages are one line, and names in them cannot move the cursor. The number of an errno says nothing that
/// its text does not.
fn one_line(text: &str) -> String {
    let mut line = visible(text.trim_end());
    while let Some(at) = line.find(" (os error ") {
        let Some(length) = line[at..].find(')') else {
            break;
        };
        line.replace_range(at..=at + length, "");
    }
    shortened(line)
}

/// A line that a terminal can show: what begins it says what was done, what ends it says why.
fn shortened(line: String) -> String {
    const HEAD: usize = 1200;
    const TAIL: usize = 600;
    let count = line.chars().count();
    if count <= HEAD + TAIL {
        return line;
    }
    let head: String = line.chars().take(HEAD).collect();
    let tail: String = line.chars().skip(count - TAIL).collect();
    format!("{head} … {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of an archive may have a megabyte.
    #[test]
    fn a_line_keeps_what_was_done_and_why() {
        let line = one_line(&format!(
            "unpacking \"{}\": it climbs out",
            "é".repeat(100_000)
        ));
        assert!(line.starts_with("unpacking \"éé") && line.ends_with("éé\": it climbs out"));
        assert_eq!(line.chars().count(), 1803);
    }

    #[test]
    fn flags_before_the_verb_are_put_behind_it() {
        let split = |line: &str| {
            let (argv, flags) = flags_ahead(line.split(' ').map(OsString::from).collect());
            format!(
                "{} / {}",
                argv.join(" ".as_ref()).display(),
                flags.join(" ".as_ref()).display()
            )
        };
        for (typed, meant) in [
            ("rrun --lang zh run x", "rrun run x / --lang zh"),
            (
                "rrun --lang=zh --explain=sh run x",
                "rrun run x / --lang=zh --explain=sh",
            ),
            ("rrun run --lang zh x", "rrun run --lang zh x / "),
            ("rrun --lang zh", "rrun --lang zh / "),
            ("rrun --version", "rrun --version / "),
        ] {
            assert_eq!(split(typed), meant);
        }
    }

    #[test]
    fn help_is_asked_for_as_in_ip_and_docker() {
        let asked = |words: &[&str]| asked_for_help(words.iter().map(OsString::from).collect());
        assert_eq!(asked(&["rnetns", "help"]), ["rnetns", "--help"]);
        assert_eq!(
            asked(&["rnetns", "help", "add"]),
            ["rnetns", "add", "--help"]
        );
        let program = ["rnetns", "exec", "blue", "help"];
        assert_eq!(asked(&program), program);
    }
}
