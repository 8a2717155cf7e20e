//! docker's groups: `container ls` is `ps`, `image rm` is `rmi`, and a verb that both have is the verb.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

use super::elsewhere::has_way;
use super::examples::examples;

/// A group, docker's verb in it, and our words for that. A verb that is in no row keeps its name.
const SYNONYMS: [(&str, &str, &[&str]); 12] = [
    ("container", "ls", &["ps"]),
    ("container", "list", &["ps"]),
    ("container", "ps", &["ps"]),
    ("container", "remove", &["rm"]),
    ("container", "inspect", &["inspect", "--type", "container"]),
    ("image", "ls", &["images"]),
    ("image", "list", &["images"]),
    ("image", "rm", &["rmi"]),
    ("image", "remove", &["rmi"]),
    ("image", "inspect", &["inspect", "--type", "image"]),
    ("system", "info", &["info"]),
    ("system", "events", &["events"]),
];

/// Groups whose verbs are verbs of rrun, or have a way, by the same name if no row says otherwise: docker's verbs in them. Of
/// several names of one verb, the help has the first.
const GROUPS: [(&str, &[&str]); 2] = [
    (
        "container",
        &[
            "attach", "commit", "cp", "create", "diff", "exec", "export", "inspect", "kill",
            "logs", "ls", "list", "ps", "pause", "port", "prune", "rename", "restart", "rm",
            "remove", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
        ],
    ),
    (
        "image",
        &[
            "build", "history", "import", "inspect", "load", "ls", "list", "prune", "pull", "push",
            "rm", "remove", "save", "tag",
        ],
    ),
];

/// Whether docker's group has the verb.
fn has(group: &str, verb: &str) -> bool {
    GROUPS
        .iter()
        .any(|(name, verbs)| *name == group && verbs.contains(&verb))
}

/// Whether a verb of docker's group begins so.
fn begins(group: &OsString, begun: &OsString) -> bool {
    let of_group = GROUPS.iter().find(|(name, _)| group == name);
    let mut verbs = of_group.into_iter().flat_map(|(_, verbs)| verbs.iter());
    begun
        .to_str()
        .is_some_and(|begun| verbs.any(|verb| verb.starts_with(begun)))
}

const HELPS: [&str; 3] = ["--help", "-h", "help"];

fn help(group: &str) -> String {
    let verbs = super::verbs_and_abouts();
    let of_group = GROUPS.iter().filter(|(name, _)| *name == group);
    let mut rows: Vec<(&str, &str, &str)> = Vec::new();
    for verb in of_group.flat_map(|(_, verbs)| verbs.iter()) {
        let row = SYNONYMS.iter().find(|row| (row.0, row.1) == (group, verb));
        let ours = row.map_or(*verb, |(.., ours)| ours[0]);
        let is_told = rows.iter().any(|(_, told, _)| *told == ours);
        if let Some((_, about)) = verbs.iter().find(|(name, _)| name == ours)
            && !is_told
        {
            rows.push((verb, ours, about));
        }
    }
    let examples = examples(group);
    let rows = rows
        .iter()
        .map(|(name, _, about)| format!("  {name:<10} {about}\n"));
    let rows: String = rows.collect();
    format!(
        "Verbs about {group}s\n\nUsage: rrun {group} <VERB>\n\nVerbs:\n{rows}\nSee rrun {group} VERB --help.\n\nExamples:\n{examples}\n"
    )
}

/// The command line without its group, and with the flags before the verb behind it.
pub fn words(argv: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (argv, flags) = kit_cli::flags_ahead(argv.collect());
    let mut words = without_group(argv);
    let verbs = 1 + usize::from(words.get(1).is_some_and(|verb| verb == "volume"));
    let behind = words.len().min(1 + verbs);
    words.splice(behind..behind, flags);
    words
}

fn without_group(argv: Vec<OsString>) -> Vec<OsString> {
    // A shell asks what may follow a line of ours, which may have a group too.
    if argv.len() > 4 && argv[1] == "completions" {
        let mut line = words(argv[4..].iter().cloned());
        // The beginning of a verb is none yet.
        if let [_, group, begun] = line.as_slice()
            && begins(group, begun)
        {
            line.remove(1);
        }
        return argv[..4].iter().cloned().chain(line).collect();
    }
    // docker's flag for what is -V here; and help of a verb in a group.
    if argv.len() == 2 && argv[1] == "-v" {
        return vec![argv[0].clone(), "--version".into()];
    }
    if argv.len() > 3 && argv[1] == "help" {
        let asked = argv.iter().take(1).chain(&argv[2..]).cloned();
        return words(asked.chain([OsString::from("--help")]));
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
        None if HELPS.contains(&text) => return argv,
        None if has(group, text) => vec![verb.clone()],
        None => return argv,
    };
    let tool = std::iter::once(tool.clone());
    tool.chain(ours).chain(rest.iter().cloned()).collect()
}

/// A group without a verb of its own, or its help.
pub fn alone(group: &str, words: &[OsString]) -> Result {
    if words
        .iter()
        .any(|word| HELPS.iter().any(|help| word == help))
    {
        kit_cli::emit(&help(group))?;
        return Ok(0);
    }
    let lists = format!("rrun {group} --help lists them");
    let typed = words.iter().map(|word| word.to_string_lossy());
    if let Some(verb) = typed.into_iter().find(|word| !word.starts_with('-')) {
        let ours = super::verbs();
        let hint = if ours.iter().any(|ours| *ours == verb) {
            format!("rrun {verb} is no verb of docker's group {group}: {lists}")
        } else {
            let known = GROUPS.iter().filter(|(name, _)| *name == group);
            let known = known.flat_map(|(_, verbs)| verbs.iter().copied());
            match kit_units::nearest(&verb, known) {
                Some(near) => format!("did you mean \"{near}\"? See rrun {group} --help"),
                None => lists,
            }
        };
        return Err(Failure::usage(format!("\"{verb}\" is not a verb of rrun {group}")).hint(hint));
    }
    Err(Failure::usage(format!("no verb given after \"{group}\"")).hint(lists))
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
            ("rrun image --help", "rrun image --help"),
            ("rrun help image ls", "rrun images --help"),
            ("rrun help volume ls", "rrun volume ls --help"),
            ("rrun -v", "rrun --version"),
            ("rrun container remove x", "rrun rm x"),
            ("rrun run image ls", "rrun run image ls"),
            ("rrun builder prune", "rrun builder prune"),
            ("rrun --lang zh container run x", "rrun run --lang zh x"),
            ("rrun --dry-run volume rm x", "rrun volume rm --dry-run x"),
            ("rrun container", "rrun container"),
            ("rrun image kill x", "rrun image kill x"),
            ("rrun container images", "rrun container images"),
            ("rrun container ps -a", "rrun ps -a"),
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
