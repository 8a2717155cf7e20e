//! Image verbs: runpack's own, under docker's names.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

// All words after the verb: runpack's parser reads them.
#[derive(clap::Args)]
pub struct Words {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "IMAGE"
    )]
    pub words: Vec<OsString>,
}

// The same, for a verb that takes files.
#[derive(clap::Args)]
pub struct Files {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub words: Vec<OsString>,
}

/// Switches of runpack's, which take no value there.
const SWITCHES: [&str; 9] = [
    "--no-trunc",
    "--quiet",
    "-q",
    "--all",
    "-a",
    "--force",
    "-f",
    "--json",
    "--jsonl",
];

/// A word for runpack's parser: `--quiet=true` is `--quiet`, and `--quiet=false` is none.
fn switch(word: &OsString) -> Option<OsString> {
    let (flag, value) = word
        .to_str()
        .and_then(|word| word.split_once('='))
        .unwrap_or_default();
    match kit_units::parse_bool(value) {
        Some(yes) if SWITCHES.contains(&flag) => yes.then(|| flag.into()),
        _ => Some(word.clone()),
    }
}

pub fn verb(verb: &str, words: &[OsString]) -> Result {
    // `rrun rmi $(rrun images)`, where -q was forgotten.
    if words.windows(2).any(|words| words == ["REPOSITORY", "TAG"]) {
        return Err(Failure::usage(
            "the images are given as a table of \"rrun images\", and not as names or IDs",
        )
        .hint(format!(
            "-q prints the IDs alone: rrun {verb} $(rrun images -q)"
        )));
    }
    let mut all = vec![OsString::from(verb)];
    all.extend(words.iter().filter_map(switch));
    kit_cli::tables_like_docker();
    kit_cli::hand_over("rrun", all, runpack::cli::dispatch)
}
