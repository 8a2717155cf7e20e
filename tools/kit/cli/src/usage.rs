//! Bad usage: clap's errors as a line and a hint, with a guess that is near or none.

use std::any::TypeId;
use std::ffi::OsString;
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{Failure, Result, emit};

/// What a tool knows of a flag or a verb that it has not got.
pub type Advice = fn(&[OsString], &str) -> Option<Failure>;

static ADVICE: OnceLock<Advice> = OnceLock::new();

/// From here on an unknown flag or verb is told by `advice`, if that knows it: it is given the command line and that word.
pub fn advised_by(advice: Advice) {
    let _ = ADVICE.set(advice);
}

/// The name that was probably meant: the flags of the verb, or the verbs. clap's own guesses take names for near that only
/// begin alike.
fn near(
    error: &clap::Error,
    command: &clap::Command,
    verb: &str,
    argv: &[OsString],
) -> Option<String> {
    let typed = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if let Some(flag) = typed(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
    {
        let flag = flag.strip_prefix("--")?.split('=').next()?;
        let verb = innermost(command, verb, argv);
        let args = verb.get_arguments().filter(|arg| !arg.is_hide_set());
        let names = args.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default());
        return kit_units::nearest(flag, names).map(|name| format!("--{name}"));
    }
    if let Some(word) = typed(ContextKind::InvalidSubcommand) {
        let group = command.find_subcommand(verb).unwrap_or(command);
        let verbs = group.get_subcommands();
        let names =
            verbs.flat_map(|verb| std::iter::once(verb.get_name()).chain(verb.get_all_aliases()));
        return kit_units::nearest(word, names).map(str::to_owned);
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => {
            kit_units::nearest(typed(ContextKind::InvalidValue)?, values.iter().cloned())
        }
        _ => None,
    }
}

/// The verb, or in a group of verbs the one that was typed after it.
fn innermost<'a>(command: &'a clap::Command, verb: &str, argv: &[OsString]) -> &'a clap::Command {
    let Some(group) = command.find_subcommand(verb) else {
        return command;
    };
    let inner = argv.get(2).and_then(|word| group.find_subcommand(word));
    inner.unwrap_or(group)
}

/// clap's errors are paragraphs; ours are a line and a hint.
pub(crate) fn parse_error(
    error: &clap::Error,
    command: &clap::Command,
    argv: &[OsString],
    (tool, verb): (&str, &str),
) -> Result {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // The verb of another tool's, under this one's name.
        let ours = command.get_name();
        let text = error.render().to_string();
        emit(&text.replace(&format!("{ours} "), &format!("{tool} ")))?;
        return Ok(0);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::usage(format!("no verb given: see {tool} --help")));
    }
    let of = |kind| context(error, kind).unwrap_or_default();
    let unknown = match error.kind() {
        ErrorKind::UnknownArgument => of(ContextKind::InvalidArg),
        ErrorKind::InvalidSubcommand => of(ContextKind::InvalidSubcommand),
        _ => String::new(),
    };
    if !unknown.is_empty()
        && let Some(advice) = ADVICE.get()
        && let Some(failure) = advice(argv, &unknown)
    {
        return Err(failure);
    }
    let is_verb = error.kind() == ErrorKind::InvalidSubcommand;
    let group = command.find_subcommand(verb).filter(|_| is_verb);
    let of_what = match group {
        Some(group) => format!("{tool} {}", group.get_name()),
        None if is_verb || verb.starts_with('-') => tool.to_owned(),
        None => {
            let inner = innermost(command, verb, argv).get_name();
            let inner = if inner == verb || inner == command.get_name() {
                ""
            } else {
                inner
            };
            format!("{tool} {verb} {inner}").trim_end().to_owned()
        }
    };
    let help = format!("{of_what} --help");
    let hint = match near(error, command, verb, argv) {
        _ if crate::run::is_of_acts(unknown.split('=').next().unwrap_or_default()) => {
            format!("verbs that change something have it, behind the verb: see {help}")
        }
        Some(near) => format!("did you mean \"{near}\"? See {help}"),
        None => format!("see {help}"),
    };
    let text = no_number(error, innermost(command, verb, argv));
    Err(Failure::usage(text.unwrap_or_else(|| said(error, &of_what))).hint(hint))
}

/// Why a value is none, in the words of a flag's own parser.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub &'static str);

/// What is wrong with the number that a flag was given. Rust's own words speak of digits and of types.
fn no_number(error: &clap::Error, verb: &clap::Command) -> Option<String> {
    let own_words =
        std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<BadValue>);
    if error.kind() != ErrorKind::ValueValidation || own_words {
        return None;
    }
    let flag = context(error, ContextKind::InvalidArg)?;
    let value = context(error, ContextKind::InvalidValue)?;
    let mut args = verb.get_arguments();
    let of = args
        .find(|arg| arg.to_string() == flag)?
        .get_value_parser()
        .type_id();
    let is_any = |types: &[TypeId]| types.iter().any(|one| of == *one);
    let signed = is_any(&[
        TypeId::of::<i16>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
    ]);
    if !signed
        && !is_any(&[
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
        ])
    {
        return None;
    }
    let digits = value.strip_prefix(['-', '+']).unwrap_or(&value);
    let reason = if value.is_empty() {
        "it is empty"
    } else if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        "it is no whole number"
    } else if value.starts_with('-') && !signed {
        "it is less than 0"
    } else if value.parse::<i64>().is_err() && (signed || value.parse::<u64>().is_err()) {
        if value.starts_with('-') {
            "it is too small"
        } else {
            "it is too large"
        }
    } else {
        return None;
    };
    Some(format!("invalid value '{value}' for '{flag}': {reason}"))
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    }
}

/// The error line. `of_what` has no such verb.
fn said(error: &clap::Error, of_what: &str) -> String {
    let of = |kind| context(error, kind).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!(
                "\"{}\" is not a verb of {of_what}",
                of(ContextKind::InvalidSubcommand)
            )
        }
        ErrorKind::UnknownArgument => unknown_argument(&of(ContextKind::InvalidArg)),
        ErrorKind::MissingRequiredArgument => format!("missing {}", of(ContextKind::InvalidArg)),
        // "--input <FILE>", without its value.
        ErrorKind::InvalidValue if of(ContextKind::InvalidValue).is_empty() => {
            let flag = of(ContextKind::InvalidArg);
            let flag = flag.split(' ').next().unwrap_or_default();
            match flag.strip_prefix('<') {
                // Not a flag: a word of the command line that is there, and has no letter.
                Some(word) => format!("{} is empty", word.trim_end_matches(['.', '>'])),
                None => format!("flag needs an argument: {flag}"),
            }
        }
        ErrorKind::ArgumentConflict => format!(
            "{} cannot be used with {}",
            of(ContextKind::InvalidArg),
            of(ContextKind::PriorArg)
        ),
        ErrorKind::InvalidValue => {
            let all = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(values)) if !values.is_empty() => {
                    format!(" [possible values: {}]", values.join(", "))
                }
                _ => String::new(),
            };
            format!("{}{all}", no_value(error))
        }
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(reason) => format!("{}: {reason}", no_value(error)),
            None => no_value(error),
        },
        ErrorKind::TooManyValues => format!(
            "unexpected value '{}' for '{}': no more are expected",
            of(ContextKind::InvalidValue),
            of(ContextKind::InvalidArg)
        ),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{} needs more words", of(ContextKind::InvalidArg))
        }
        ErrorKind::NoEquals => format!(
            "{} takes its value behind an equals sign",
            of(ContextKind::InvalidArg)
        ),
        kind => kind
            .as_str()
            .unwrap_or("the command line cannot be read")
            .to_owned(),
    }
}

fn no_value(error: &clap::Error) -> String {
    let of = |kind| context(error, kind).unwrap_or_default();
    format!(
        "invalid value '{}' for '{}'",
        of(ContextKind::InvalidValue),
        of(ContextKind::InvalidArg)
    )
}

/// In docker's words.
fn unknown_argument(text: &str) -> String {
    let letter = text.strip_prefix('-').and_then(|text| text.chars().next());
    match letter {
        Some('-') => format!("unknown flag: {text}"),
        Some(letter) => format!("unknown shorthand flag: '{letter}' in {text}"),
        None => format!("unexpected argument \"{text}\""),
    }
}
