//! docker's verbs that are done another way here, and slips of the fingers.

use std::ffi::OsString;

use box_state::Containers;
use kit_cli::{Failure, Result};
use kit_plan::{Roots, quote};

/// Another way to what docker has a verb or a flag for.
pub struct Way {
    /// The verb, or the flag.
    pub word: &'static str,
    /// What has to be known before.
    pub note: &'static str,
    /// Commands that do it, as they can be pasted; `{C}` is the container, `{IMAGE}` the image, and so on. Empty where
    /// none does.
    pub sh: &'static str,
}

const fn way(word: &'static str, note: &'static str, sh: &'static str) -> Way {
    Way { word, note, sh }
}

/// docker's verbs that are none of ours, each with the way that works.
pub const VERBS_ELSEWHERE: &[Way] = &[
    way(
        "pull",
        "",
        "skopeo copy docker://{IMAGE} docker-archive:image.tar:{IMAGE} && rrun load -i image.tar",
    ),
    way(
        "push",
        "",
        "rrun save -o image.tar {IMAGE} && skopeo copy docker-archive:image.tar docker://{IMAGE}",
    ),
    way(
        "build",
        "an image of programs of this machine",
        "runpack pack -t {NAME} --bin {PROGRAM}",
    ),
    way(
        "buildx",
        "an image of programs of this machine",
        "runpack pack -t {NAME} --bin {PROGRAM}",
    ),
    way(
        "commit",
        "without the image's CMD and ENV, which import -c sets",
        "tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' {C})/root --one-file-system -c . | rrun import - {NAME}",
    ),
    way(
        "export",
        "",
        "tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' {C})/root --one-file-system -c . >{C}.tar",
    ),
    way(
        "cp",
        "a file out of a container, and a file into one",
        "rrun exec {C} cat {PATH} >{FILE}; rrun exec -i {C} sh -c 'cat >{PATH}' <{FILE}",
    ),
    way(
        "diff",
        "",
        "rmount diff $(rrun inspect -f '{{.GraphDriver.Data.UpperDir}}' {C})",
    ),
    way(
        "stats",
        "",
        "ps -o pid,%cpu,rss,args -p $(pgrep -d, --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid)",
    ),
    way(
        "pause",
        "",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid | xargs kill -STOP",
    ),
    way(
        "unpause",
        "",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid | xargs kill -CONT",
    ),
    way(
        "update",
        "of a limit that the container was started with",
        "rcgroup set \"$(rrun info -f '{{.Instance}}')/$(rrun inspect -f '{{.Id}}' {C})\" -m 512m",
    ),
    way(
        "network",
        "a network of your own is a namespace that rveth and rbridge connect",
        "rnetns add {NETNS} && rrun run --net ns:{NETNS} {IMAGE}",
    ),
    way("network ls", "", "rbridge list"),
    way("network prune", "", "rrun gc"),
    way(
        "volume create",
        "a volume is made by its first use",
        "rrun run --rm -v {NAME}:/data {IMAGE} true",
    ),
    way("volume inspect", "", "rrun volume ls --json"),
    way(
        "container prune",
        "",
        "rrun ps -aq -f status=exited -f status=created | rrun rm -",
    ),
    way(
        "image prune",
        "",
        "rrun images -q -f dangling=true | xargs -r rrun rmi; rrun gc",
    ),
    way(
        "system",
        "",
        "rrun info; du -sh \"$(rrun info -f '{{.DockerRootDir}}')\"; rrun gc",
    ),
    way(
        "system df",
        "",
        "du -sh \"$(rrun info -f '{{.DockerRootDir}}')\"/*",
    ),
    way(
        "df",
        "",
        "du -sh \"$(rrun info -f '{{.DockerRootDir}}')\"/*",
    ),
    way(
        "system prune",
        "",
        "rrun ps -aq -f status=exited -f status=created | rrun rm -; rrun gc",
    ),
    way("login", "", "skopeo login {REGISTRY}"),
    way("logout", "", "skopeo logout {REGISTRY}"),
    way(
        "search",
        "the tags of one repository",
        "skopeo list-tags docker://{IMAGE}",
    ),
    way("manifest", "", "skopeo inspect --raw docker://{IMAGE}"),
    way("compose", "a shell script of rrun run lines does it", ""),
    way(
        "events",
        "the end of one container, and what it writes",
        "rrun wait {C}; rrun logs -f {C}",
    ),
    way(
        "context",
        "no daemon is to be chosen: BOXKIT_ROOT and BOXKIT_RUN name an instance",
        "",
    ),
    way("builder", "no build leaves a cache", "rrun gc"),
    way(
        "plugin",
        "the primitives are commands: rnetns, rveth, rbridge, rcgroup, rmount, runpack",
        "",
    ),
    way(
        "swarm",
        "containers run on this machine only",
        "ssh {HOST} rrun run {IMAGE}",
    ),
];

/// The same of a container that does not run: nothing of it is in /proc.
pub const OF_STOPPED: &[Way] = &[
    way(
        "commit",
        "without the image's CMD and ENV, which import -c sets",
        "rrun bundle {C} {DIR} && tar -C {DIR}/rootfs -c . | rrun import - {NAME}; rrun bundle --umount {C} {DIR}",
    ),
    way(
        "export",
        "",
        "rrun bundle {C} {DIR} && tar -C {DIR}/rootfs -c . >{C}.tar; rrun bundle --umount {C} {DIR}",
    ),
];

/// What tutorials misspell, and the suggestion.
const VERBS: [&str; 27] = [
    "run", "create", "start", "restart", "wait", "ps", "logs", "exec", "attach", "stop", "kill",
    "rm", "rename", "inspect", "top", "port", "bundle", "gc", "info", "version", "doctor", "load",
    "images", "tag", "rmi", "volume", "history",
];

/// Whether these words together have a way of their own: `container prune`.
pub fn has_way(words: &str) -> bool {
    VERBS_ELSEWHERE.iter().any(|way| way.word == words)
}

impl Way {
    /// The hint, for people: what was typed is in it, where that is known.
    pub fn hint(&self, container: Option<&str>, image: Option<&str>) -> String {
        let mut sh = self.sh.to_owned();
        let typed = [("{C}", container), ("{IMAGE}", image)];
        for (place, value) in typed {
            if let Some(value) = value {
                sh = sh.replace(place, &quote(value));
            }
        }
        // The template of an inspect has two braces.
        for place in PLACES {
            sh = sh.replace(place, place.trim_matches(['{', '}']));
        }
        match (self.note, sh.as_str()) {
            (note, "") => note.to_owned(),
            ("", sh) => sh.to_owned(),
            (note, sh) => format!("{note}: {sh}"),
        }
    }
}

/// What a way leaves open.
pub const PLACES: [&str; 12] = [
    "{C}",
    "{IMAGE}",
    "{NAME}",
    "{PROGRAM}",
    "{COMMAND}",
    "{NETNS}",
    "{REGISTRY}",
    "{HOST}",
    "{FILE}",
    "{PATH}",
    "{DIR}",
    "{ID}",
];

pub fn refuse(words: &[OsString]) -> Result {
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let verb = texts.first().cloned().unwrap_or_default();
    let Some(way) = VERBS_ELSEWHERE.iter().find(|way| way.word == verb) else {
        let names = VERBS
            .iter()
            .chain(VERBS_ELSEWHERE.iter().map(|way| &way.word));
        let near = kit_units::nearest(&verb, names);
        let failure = Failure::usage(format!("\"{verb}\" is not a verb of rrun"));
        return Err(match near {
            Some(near) => failure.hint(format!("did you mean \"{near}\"? See rrun --help")),
            None => failure.hint("see rrun --help"),
        });
    };
    let args = &texts[1..];
    let found = Roots::from_env().ok().map(Containers::new).and_then(|all| {
        args.iter().find_map(|word| {
            let (of, container) = all.find(word.split(':').next()?).ok()?;
            Some((of.is_running(&container.id), container.name))
        })
    });
    let stopped = found.as_ref().is_some_and(|(runs, _)| !runs);
    let way = OF_STOPPED
        .iter()
        .find(|other| stopped && other.word == verb)
        .unwrap_or(way);
    let image = args.last().filter(|word| !word.starts_with('-'));
    let container = found.as_ref().map(|(_, name)| name.as_str());
    let hint = way.hint(container, image.map(AsRef::as_ref));
    Err(Failure::new(format!("rrun has no verb \"{verb}\"")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_verb() {
        let said = |verb: &str| refuse(&[verb.into()]).unwrap_err().get_hint().unwrap();
        assert!(said("uppause").contains("\"unpause\""));
        assert!(said("lods").contains("did you mean"));
        // F40: guesses that mislead.
        for verb in ["frobnicate", "reach"] {
            assert_eq!(said(verb), "see rrun --help", "{verb}");
        }
    }

    #[test]
    fn what_a_way_leaves_open_is_named() {
        for way in VERBS_ELSEWHERE.iter().chain(OF_STOPPED) {
            let hint = way.hint(None, None);
            for word in hint
                .split("{{")
                .flat_map(|part| part.split("}}").skip(1).chain([part]))
            {
                assert!(!PLACES.iter().any(|place| word.contains(place)), "{hint}");
            }
        }
        let pull = VERBS_ELSEWHERE
            .iter()
            .find(|way| way.word == "pull")
            .unwrap();
        let hint = pull.hint(None, Some("busybox:1"));
        assert!(
            hint.starts_with("skopeo copy docker://busybox:1 docker-archive:"),
            "{hint}"
        );
    }
}
