//! docker's verbs that are done another way here, and slips of the fingers.

use std::ffi::OsString;

use kit_cli::{Failure, Result};

/// Each with the way that works; C is the container.
const WAYS: &[(&str, &str)] = &[
    (
        "pull",
        "skopeo copy docker://… oci-archive:F && rrun load -t NAME F, or runpack pack",
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
        "buildx",
        "runpack pack --bin PROGRAM…, or rrun run, then rrun bundle and runpack import",
    ),
    (
        "commit",
        "tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' C)/root --one-file-system -c . | runpack import - NAME",
    ),
    (
        "export",
        "tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' C)/root --one-file-system -c . >C.tar",
    ),
    (
        "cp",
        "rrun exec C tar -c PATH | tar -x, and the other way round",
    ),
    (
        "diff",
        "rmount diff $(rrun inspect -f '{{.GraphDriver.Data.UpperDir}}' C)",
    ),
    (
        "top",
        "ps -f -p $(pgrep -d, --ns $(rrun inspect -f '{{.State.Pid}}' C) --nslist pid)",
    ),
    (
        "stats",
        "ps -o pid,%cpu,rss,args -p $(pgrep -d, --ns $(rrun inspect -f '{{.State.Pid}}' C) --nslist pid)",
    ),
    (
        "pause",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' C) --nslist pid | xargs kill -STOP",
    ),
    (
        "unpause",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' C) --nslist pid | xargs kill -CONT",
    ),
    (
        "update",
        "rcgroup set INSTANCE/ID -m …, for a limit that it was started with",
    ),
    (
        "network",
        "rbridge add, rveth add, and rrun run --net ns:NAME",
    ),
    ("network prune", "rrun gc"),
    (
        "volume",
        "ls \"$(rrun info | sed -n 's/^Root Dir: //p')/volumes\" shows them; -v NAME:/path makes one",
    ),
    (
        "volume prune",
        "rm -r \"$(rrun info | sed -n 's/^Root Dir: //p')/volumes/NAME\"; rrun rm -v removes those without a name",
    ),
    (
        "container prune",
        "rrun rm $(rrun ps -aq -f status=exited -f status=created)",
    ),
    (
        "image prune",
        "rrun gc takes what no image has; rrun rmi NAME",
    ),
    (
        "system",
        "rrun info; rrun gc; du -sh \"$(rrun info | sed -n 's/^Root Dir: //p')\"",
    ),
    (
        "system prune",
        "rrun rm $(rrun ps -aq -f status=exited); rrun gc",
    ),
    ("login", "skopeo login"),
    ("logout", "skopeo logout"),
    ("search", "skopeo list-tags docker://…"),
    ("manifest", "skopeo inspect --raw docker://…"),
    ("compose", "a shell script of rrun run lines"),
    ("events", "rrun wait C, rrun logs -f C"),
    (
        "context",
        "there is no daemon to choose: BOXKIT_ROOT and BOXKIT_RUN name an instance",
    ),
    ("builder", "nothing is cached between builds: rrun gc"),
    (
        "plugin",
        "the primitives are commands: rnetns, rveth, rbridge, rcgroup, rmount, runpack",
    ),
    ("swarm", "this machine only: ssh HOST rrun run …"),
];

/// What tutorials misspell, and the suggestion.
const VERBS: [&str; 24] = [
    "run", "create", "start", "restart", "wait", "ps", "logs", "exec", "attach", "stop", "kill",
    "rm", "rename", "inspect", "port", "bundle", "gc", "info", "version", "doctor", "load",
    "images", "tag", "rmi",
];

/// Whether these words together have a way of their own: `container prune`.
pub fn has_way(words: &str) -> bool {
    WAYS.iter().any(|(name, _)| *name == words)
}

pub fn refuse(words: &[OsString]) -> Result {
    let verb = words
        .first()
        .map(|word| word.to_string_lossy().into_owned())
        .unwrap_or_default();
    if let Some((_, way)) = WAYS.iter().find(|(name, _)| *name == verb) {
        return Err(Failure::new(format!("rrun has no verb \"{verb}\"")).hint(*way));
    }
    let names = VERBS.iter().chain(WAYS.iter().map(|(name, _)| name));
    let near = kit_units::nearest(&verb, names);
    let failure = Failure::usage(format!("\"{verb}\" is not a verb of rrun"));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean \"{near}\"? See rrun --help")),
        None => failure.hint("see rrun --help"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_verb() {
        let said = |verb: &str| refuse(&[verb.into()]).unwrap_err().get_hint().unwrap();
        assert!(said("uppause").contains("\"unpause\""));
        assert!(said("lods").contains("did you mean"));
        assert_eq!(said("frobnicate"), "see rrun --help");
    }
}
