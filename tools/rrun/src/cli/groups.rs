//! docker's groups: `container ls` is `ps`, `image rm` is `rmi`, and a verb that both have is the verb.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

use super::elsewhere::has_way;

/// A group, docker's verb in it, and our words for that. A verb that is in no row keeps its name.
const SYNONYMS: [(&str, &str, &[&str]); 10] = [
    ("container", "ls", &["ps"]),
    ("container", "list", &["ps"]),
    ("container", "inspect", &["inspect", "--type", "container"]),
    ("image", "ls", &["images"]),
    ("image", "list", &["images"]),
    ("image", "rm", &["rmi"]),
    ("image", "remove", &["rmi"]),
    ("image", "inspect", &["inspect", "--type", "image"]),
    ("system", "info", &["info"]),
    ("system", "events", &["events"]),
];

/// Groups whose other verbs are verbs of rrun.
const GROUPS: [&str; 2] = ["container", "image"];

/// The command line without its group.
pub fn words(argv: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let argv: Vec<OsString> = argv.collect();
    // A shell asks what may follow a line of ours, which may have a group too.
    if argv.len() > 4 && argv[1] == "completions" {
        let line = words(argv[4..].iter().cloned());
        return argv[..4].iter().cloned().chain(line).collect();
    }
    let [tool, group, verb, rest @ ..] = argv.as_slice() else {
        return argv;
    };
    let (Some(group), Some(text)) = (group.to_str(), verb.to_str()) else {
        return argv;
    };
    let both = format!("{group} {text}");
    let row = SYNONYMS.iter().find(|row| (row.0, row.1) == (group, text));
    let ours: Vec<OsString> = match row {
        Some((.., ours)) => ours.iter().map(OsString::from).collect(),
        None if has_way(&both) => vec![both.into()],
        None if GROUPS.contains(&group) => vec![verb.clone()],
        None => return argv,
    };
    let tool = std::iter::once(tool.clone());
    tool.chain(ours).chain(rest.iter().cloned()).collect()
}

/// A group without a verb.
pub fn alone(group: &str) -> Result {
    Err(Failure::usage(format!("no verb given after \"{group}\""))
        .hint(format!("see rrun --help: rrun {group} VERB is rrun VERB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_taken_away() {
        let said = |line: &str| {
            let argv = line.split(' ').map(OsString::from);
            let words = words(argv).into_iter();
            let words: Vec<String> = words.filter_map(|word| word.into_string().ok()).collect();
            words.join(" ")
        };
        for (typed, meant) in [
            ("rrun container ls -a", "rrun ps -a"),
            ("rrun container run -it x ls", "rrun run -it x ls"),
            ("rrun image rm x", "rrun rmi x"),
            ("rrun image inspect x", "rrun inspect --type image x"),
            ("rrun image --help", "rrun --help"),
            ("rrun run image ls", "rrun run image ls"),
            ("rrun builder prune", "rrun builder prune"),
            ("rrun container", "rrun container"),
            ("rrun ps -a", "rrun ps -a"),
            (
                "rrun completions words -- rrun container rm x",
                "rrun completions words -- rrun rm x",
            ),
        ] {
            assert_eq!(said(typed), meant);
        }
    }
}
