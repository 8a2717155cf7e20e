//! Image verbs: runpack's own, under docker's names.

use std::ffi::OsString;

use clap::Parser;
use kit_cli::{Failure, Result, emit};

// All that follows the verb, for the other parser.
#[derive(clap::Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

pub fn verb(verb: &str, words: &Words) -> Result {
    let words = if verb == "load" {
        load_words(&words.words)
    } else {
        words.words.clone()
    };
    hand_over(std::iter::once(OsString::from(verb)).chain(words))
}

/// docker's `load -i FILE`, and `load <FILE`, as runpack has them: `load FILE`, `load -`.
fn load_words(words: &[OsString]) -> Vec<OsString> {
    let mut ours: Vec<OsString> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "-i" || text == "--input" {
            ours.extend(words.next().cloned());
        } else if let Some(file) = text.strip_prefix("--input=") {
            ours.push(file.into());
        } else if text != "-q" && text != "--quiet" {
            ours.push(word.clone());
        }
    }
    if ours.is_empty() {
        ours.push("-".into());
    }
    ours
}

/// `image inspect` is `inspect --type image`: it has docker's templates.
pub fn inspect(words: &Words) -> Option<Vec<OsString>> {
    let (verb, rest) = words.words.split_first()?;
    let ours = ["rrun", "inspect", "--type", "image"].map(OsString::from);
    (verb == "inspect").then(|| ours.into_iter().chain(rest.iter().cloned()).collect())
}

/// `image ls`, `image rm`, `image load` …
pub fn group(words: &Words) -> Result {
    let mut words = words.words.clone();
    match words.first().and_then(|word| word.to_str()) {
        Some("ls" | "list") => words[0] = "images".into(),
        Some("rm" | "remove") => words[0] = "rmi".into(),
        Some("load") => {
            let ours = load_words(&words[1..]);
            words.truncate(1);
            words.extend(ours);
        }
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
    kit_cli::tables_like_docker();
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
