//! What is said of a flag that a verb has not got: docker's before the verb, other tools' words, and `missing`.

use std::ffi::OsString;

use kit_cli::Failure;
use kit_plan::quote;

use super::meant::meant;
use super::missing;
use super::typed::Typed;

/// docker's flags before the verb.
const BEFORE: [(&[&str], &str); 2] = [
    (
        &["-D", "--debug", "-l", "--log-level"],
        "each step is told by a flag of the verb: rrun run --explain IMAGE",
    ),
    (
        &[
            "-H",
            "--host",
            "-c",
            "--context",
            "--config",
            "--tls",
            "--tlsverify",
            "--tlscacert",
            "--tlscert",
            "--tlskey",
        ],
        "no daemon is to be chosen: BOXKIT_ROOT and BOXKIT_RUN name an instance",
    ),
];

/// What is said of a flag of docker's that a verb has not got. For `kit_cli::advised_by`.
pub fn advice(argv: &[OsString], flag: &str) -> Option<Failure> {
    let verb = argv.get(1)?.to_str()?;
    let flag = flag.split('=').next()?;
    if let ("volume", [tool, _, of_volume, rest @ ..]) = (verb, argv) {
        let both = format!("volume {}", of_volume.to_str()?);
        let mut argv = vec![tool.clone(), both.clone().into()];
        argv.extend_from_slice(rest);
        let hint = missing::hint(&both, flag, &Typed::of(&argv))?;
        return Some(Failure::usage(format!("rrun {both} has no flag {flag}")).hint(hint));
    }
    if verb.starts_with('-') {
        let (_, hint) = BEFORE.iter().find(|(flags, _)| flags.contains(&flag))?;
        return Some(Failure::usage(format!("rrun has no flag {flag}")).hint(*hint));
    }
    // A command in a pasted table of `ps` may have words that begin like flags: `sh -c`.
    let words = argv.iter().filter_map(|word| word.to_str());
    if !matches!(verb, "run" | "create" | "exec")
        && let Some(failure) = super::steps::a_table(words, verb)
    {
        return Some(failure);
    }
    let unknown =
        |hint: String| Some(Failure::usage(format!("rrun {verb} has no flag {flag}")).hint(hint));
    let number = flag.strip_prefix('-').filter(|_| verb == "kill");
    if number.is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
    }) {
        // clap tells the first letter of -KILL alone.
        let typed = argv
            .iter()
            .filter_map(|word| word.to_str())
            .find(|word| word.starts_with(flag));
        let signal = typed.unwrap_or(flag).trim_start_matches('-');
        let names: Vec<String> = argv[2..]
            .iter()
            .filter(|word| !word.to_string_lossy().starts_with('-'))
            .map(quote)
            .collect();
        return unknown(format!(
            "rrun kill -s {} {}",
            quote(signal),
            names.join(" ")
        ));
    }
    if matches!(verb, "run" | "create" | "exec")
        && let Some(ours) = meant(flag)
    {
        return unknown(format!("did you mean \"{ours}\"? See rrun {verb} --help"));
    }
    unknown(missing::hint(verb, flag, &Typed::of(argv))?)
}
