//! Image verbs: runpack's own, under docker's names.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

// All that follows the verb, for the other parser.
#[derive(clap::Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

pub fn verb(verb: &str, words: &Words) -> Result {
    let mut all = vec![OsString::from(verb)];
    if verb == "load" {
        all.extend(load_words(&words.words)?);
    } else {
        all.extend(words.words.iter().cloned());
    }
    kit_cli::tables_like_docker();
    kit_cli::hand_over("rrun", all, runpack::cli::dispatch)
}

/// docker's `load -i FILE`, and `load <FILE`, as runpack has them: `load FILE`, `load -`.
fn load_words(words: &[OsString]) -> Result<Vec<OsString>> {
    let mut ours: Vec<OsString> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "-i" || text == "--input" {
            let file = words.next().ok_or_else(|| {
                Failure::usage(format!("flag needs an argument: {text}"))
                    .hint("see rrun load --help")
            })?;
            ours.push(file.clone());
        } else if let Some(file) = text.strip_prefix("--input=") {
            ours.push(file.into());
        } else if text != "-q" && text != "--quiet" {
            ours.push(word.clone());
        }
    }
    if ours.is_empty() {
        ours.push("-".into());
    }
    Ok(ours)
}
