//! Other spellings and other tools' words for ours, of verbs and of flags. What docker has and rrun has not is in `verbs` and
//! `missing`.

const MEANT: [(&str, &str); 19] = [
    ("del", "rm"),
    ("destroy", "rm"),
    ("delete", "rm"),
    ("remove", "rm"),
    ("list", "ps"),
    ("ls", "ps"),
    ("containers", "ps"),
    ("--working-dir", "--workdir"),
    ("--cwd", "--workdir"),
    ("--environment", "--env"),
    ("--envs", "--env"),
    ("--port", "--publish"),
    ("--ports", "--publish"),
    ("--mem", "--memory"),
    ("--cpu", "--cpus"),
    ("--cpuset", "--cpuset-cpus"),
    ("--daemon", "--detach"),
    ("--background", "--detach"),
    ("--remove", "--rm"),
];

/// Our verb or flag for that word.
pub fn meant(word: &str) -> Option<&'static str> {
    let row = MEANT.iter().find(|(other, _)| *other == word);
    row.map(|(_, ours)| *ours)
}

/// The words for verbs.
pub fn verbs<'a>() -> impl Iterator<Item = &'a str> {
    let words = MEANT.iter().map(|(other, _)| *other);
    words.filter(|word| !word.starts_with('-'))
}
