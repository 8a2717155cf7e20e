//! Image verbs: runpack's own, under docker's names.

use std::ffi::OsString;

use clap::Parser;
use kit_cli::{Failure, Result, emit};

/// All that follows the verb, for the other parser.
#[derive(clap::Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

pub fn verb(verb: &str, words: &Words) -> Result {
    hand_over(std::iter::once(OsString::from(verb)).chain(words.words.iter().cloned()))
}

/// `image ls`, `image rm`, `image load` …
pub fn group(words: &Words) -> Result {
    let mut words = words.words.clone();
    match words.first().and_then(|word| word.to_str()) {
        Some("ls" | "list") => words[0] = "images".into(),
        Some("rm" | "remove") => words[0] = "rmi".into(),
        None => {
            return Err(Failure::usage("no verb given after \"image\"")
                .hint("see rrun images --help")
                .into());
        }
        _ => {}
    }
    hand_over(words.into_iter())
}

fn hand_over(words: impl Iterator<Item = OsString>) -> Result {
    match runpack::cli::Cli::try_parse_from(std::iter::once(OsString::from("rrun")).chain(words)) {
        Ok(cli) => runpack::cli::dispatch(cli),
        Err(error) if !error.use_stderr() => {
            emit(&error.render().to_string())?;
            Ok(0)
        }
        Err(error) => {
            let text = error.render().to_string();
            let line = text
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            Err(Failure::usage(line).hint("see the verb's --help").into())
        }
    }
}
