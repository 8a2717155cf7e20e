//! docker's verbs that are done another way here, and slips of the fingers.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

/// Each with the way that works.
const WAYS: [(&str, &str); 18] = [
    (
        "pull",
        "skopeo copy docker://… oci-archive:F && rrun load F, or runpack pack",
    ),
    (
        "push",
        "skopeo copy oci:…/images:NAME docker://…: the store is an OCI layout",
    ),
    (
        "build",
        "runpack pack --bin PROGRAM…, or rrun run, then rrun bundle and runpack import",
    ),
    (
        "commit",
        "rrun bundle C DIR, tar -C DIR/rootfs -c . | runpack import - NAME",
    ),
    ("export", "rrun bundle C DIR, tar -C DIR/rootfs -c ."),
    (
        "cp",
        "rrun exec C tar -c PATH | tar -x, and the other way round",
    ),
    (
        "diff",
        "rmount diff UPPER: rrun inspect -f '{{.GraphDriver.Data.UpperDir}}' C names it",
    ),
    (
        "top",
        "rrun exec C ps, or ps -p of rrun inspect -f '{{.State.Pid}}' C",
    ),
    ("stats", "rcgroup stats INSTANCE/ID"),
    ("pause", "write FROZEN to the container's freezer.state"),
    ("unpause", "write THAWED to the container's freezer.state"),
    ("update", "rcgroup set INSTANCE/ID -m …"),
    (
        "network",
        "rbridge add, rveth add, and rrun run --net ns:NAME",
    ),
    (
        "volume",
        "volumes are directories of BOXKIT_ROOT/volumes; -v NAME:/path makes one",
    ),
    ("login", "skopeo login"),
    ("search", "skopeo list-tags docker://…"),
    ("compose", "a shell script of rrun run lines"),
    ("events", "rrun wait C, rrun logs -f C"),
];

/// What tutorials misspell, and the suggestion.
const VERBS: [&str; 24] = [
    "run", "create", "start", "restart", "wait", "ps", "logs", "exec", "attach", "stop", "kill",
    "rm", "rename", "inspect", "port", "bundle", "gc", "info", "version", "doctor", "load",
    "images", "tag", "rmi",
];

pub fn refuse(words: &[OsString]) -> Result {
    let verb = words
        .first()
        .map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default();
    if let Some((_, way)) = WAYS.iter().find(|(name, _)| *name == verb) {
        return Err(Failure::new(format!("\"{verb}\" has no verb of its own"))
            .hint(*way)
            .into());
    }
    let near = VERBS
        .iter()
        .chain(WAYS.iter().map(|(name, _)| name))
        .min_by_key(|name| distance(name, &verb));
    let failure = Failure::usage(format!("\"{verb}\" is not a verb of rrun"));
    Err(match near.filter(|name| distance(name, &verb) <= 2) {
        Some(near) => failure.hint(format!("did you mean \"{near}\"? See rrun --help")),
        None => failure.hint("see rrun --help"),
    }
    .into())
}

/// How many letters must change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_verb() {
        let said = |verb: &str| {
            refuse(&[verb.into()])
                .unwrap_err()
                .downcast::<Failure>()
                .unwrap()
                .hint
                .unwrap()
        };
        assert!(said("uppause").contains("\"unpause\""));
        assert!(said("lods").contains("did you mean"));
        assert_eq!(said("frobnicate"), "see rrun --help");
    }
}
