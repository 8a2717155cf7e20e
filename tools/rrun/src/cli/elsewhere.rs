//! docker's verbs that are done another way here, and slips of the fingers.

use std::ffi::OsString;

use box_state::Containers;
use kit_cli::{Failure, Result};
use kit_plan::{Roots, quote};

use super::typed::Typed;
pub use super::verbs::{OF_STOPPED, VERBS_ELSEWHERE};

/// Another way to what docker has a verb or a flag for.
pub struct Way {
    /// The verb, or the flag.
    pub word: &'static str,
    /// What has to be known before.
    pub note: &'static str,
    /// Commands that do it, as they can be pasted; `{C}` is the container, `{IMAGE}` the image, and so on. Empty where
    /// none does.
    pub sh: &'static str,
    /// What stands at `{VALUE}` until a flag is given one.
    pub example: &'static str,
    /// Commands that take away what the others made, once it is not used any more; told in a comment.
    pub undo: &'static str,
}

pub(super) const fn way(word: &'static str, note: &'static str, sh: &'static str) -> Way {
    Way {
        word,
        note,
        sh,
        example: "",
        undo: "",
    }
}

/// Whether these words together have a way of their own: `container prune`.
pub fn has_way(words: &str) -> bool {
    VERBS_ELSEWHERE.iter().any(|way| way.word == words)
}

impl Way {
    /// This way, whose commands make what `undo` takes away.
    pub(super) const fn undone(self, undo: &'static str) -> Self {
        Self { undo, ..self }
    }

    /// This way, with what stands at `{VALUE}` until a flag is given one.
    pub(super) const fn such_as(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The hint, for people: what was typed is in it, where that is known.
    pub fn hint(&self, typed: &[(&str, String)]) -> String {
        let local = |value: &String| {
            let host = value.split(['/', ':']).next().unwrap_or_default();
            host == "localhost" || host.starts_with("127.")
        };
        let mut sh = self.sh.to_owned();
        // A registry on this machine seldom speaks TLS.
        if typed
            .iter()
            .any(|(place, value)| *place != "{C}" && local(value))
        {
            for (from, to) in WITHOUT_TLS {
                sh = sh.replace(from, to);
            }
        }
        self.told(&sh, |place| {
            let found = typed.iter().find(|(known, _)| *known == place);
            found.map(|(_, value)| match place {
                // Words of sh already.
                "{VALUE}" => value.clone(),
                _ => quote(value),
            })
        })
    }

    /// The note, and the commands with what `at` knows of their places.
    pub(super) fn told(&self, sh: &str, at: impl Fn(&str) -> Option<String>) -> String {
        let mut sh = self.filled(sh, &at);
        if !self.undo.is_empty() {
            sh = format!("{sh}  # afterwards: {}", self.filled(self.undo, &at));
        }
        match (self.note, sh.as_str()) {
            (note, "") => note.to_owned(),
            ("", sh) => sh.to_owned(),
            (note, sh) => format!("{note}: {sh}"),
        }
    }

    /// What is put at a place is not looked at again. The template of an inspect has two braces.
    fn filled(&self, sh: &str, at: &impl Fn(&str) -> Option<String>) -> String {
        let mut text = String::new();
        let mut rest = sh;
        while let Some(brace) = rest.find('{') {
            text.push_str(&rest[..brace]);
            rest = &rest[brace..];
            let place = PLACES.iter().find(|place| rest.starts_with(**place));
            let Some(place) = place else {
                text.push('{');
                rest = &rest[1..];
                continue;
            };
            rest = &rest[place.len()..];
            text.push_str(&at(place).unwrap_or_else(|| match *place {
                "{VALUE}" => self.filled(self.example, at),
                "{VERB}" => "run".to_owned(),
                "{WORDS}" => "IMAGE".to_owned(),
                place => place.trim_matches(['{', '}']).to_owned(),
            }));
        }
        text + rest
    }

    /// Whether it says nothing without one.
    fn is_of_container(&self) -> bool {
        self.sh.contains("{C}")
    }

    /// What the last word after the verb is, which the hint repeats; of a verb about containers the first that is none's name.
    fn object(&self) -> &'static str {
        match self.word {
            "pull" | "push" | "search" | "manifest" | "scan" | "scout" => "{IMAGE}",
            "login" | "logout" => "{REGISTRY}",
            "network create" | "network rm" => "{NETNS}",
            "volume create" | "commit" => "{NAME}",
            _ => "",
        }
    }
}

/// How skopeo is told of a registry without TLS.
const WITHOUT_TLS: [(&str, &str); 5] = [
    (
        "skopeo copy -q docker://",
        "skopeo copy -q --src-tls-verify=false docker://",
    ),
    (
        "skopeo copy docker-archive:",
        "skopeo copy --dest-tls-verify=false docker-archive:",
    ),
    ("skopeo login", "skopeo login --tls-verify=false"),
    ("skopeo list-tags", "skopeo list-tags --tls-verify=false"),
    ("skopeo inspect", "skopeo inspect --tls-verify=false"),
];

/// What a way leaves open.
pub const PLACES: [&str; 15] = [
    "{C}",
    // Of a flag: what it was given, the verb, and IMAGE with its command.
    "{VALUE}",
    "{VERB}",
    "{WORDS}",
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
        return Err(unknown(&verb));
    };
    let argv: Vec<OsString> = [OsString::from("rrun")]
        .into_iter()
        .chain(words.iter().cloned())
        .collect();
    let args = Typed::of(&argv);
    let found = Roots::from_env().ok().map(Containers::new).and_then(|all| {
        args.words().iter().find_map(|word| {
            let (of, container) = all.find(word.split(':').next()?).ok()?;
            Some((of.is_running(&container.id), container.name))
        })
    });
    let stopped = found.as_ref().is_some_and(|(runs, _)| !runs);
    let way = OF_STOPPED
        .iter()
        .find(|other| stopped && other.word == verb)
        .unwrap_or(way);
    let names = args.words();
    if found.is_none() && !names.is_empty() && way.is_of_container() {
        let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let none = format!("no container is called {}", names.join(" or "));
        let hint = format!("rrun ps -a shows them; {}", way.hint(&[]));
        return Err(Failure::new(format!("rrun has no verb \"{verb}\", and {none}")).hint(hint));
    }
    let hint = way.hint(&typed(way, &args, found.map(|(_, name)| name)));
    Err(Failure::new(format!("rrun has no verb \"{verb}\"")).hint(hint))
}

/// docker's flags of `login` and `logout`.
const OF_LOGIN: &[&str] = &["-u", "--username", "-p", "--password", "--password-stdin"];

/// docker's flags of `update` that `rcgroup set` has.
const OF_UPDATE: &[&str] = &[
    "--blkio-weight",
    "-c",
    "--cpu-shares",
    "--cpus",
    "--cpuset-cpus",
    "--cpuset-mems",
    "-m",
    "--memory",
    "--memory-reservation",
    "--memory-swap",
    "--pids-limit",
];

/// The words of the command line that stand for a place of the hint.
fn typed(way: &Way, args: &Typed, container: Option<String>) -> Vec<(&'static str, String)> {
    let words = args.words();
    let object = way.object();
    // `commit web new`: one word alone is the container.
    let last = words
        .last()
        .filter(|_| way.word != "commit" || words.len() > 1);
    let last = last.filter(|_| !object.is_empty());
    // A word behind a flag that docker has not got may be a password.
    let last =
        last.filter(|_| object != "{REGISTRY}" || words.len() == 1 && args.has_only(OF_LOGIN));
    let first = words.first().filter(|_| matches!(object, "" | "{NAME}"));
    let container =
        container.or_else(|| first.map(|word| word.split(':').next().unwrap_or(word).to_owned()));
    // A flag's value is no container: only a way that speaks of one takes it.
    let container = container.map(|name| ("{C}", name));
    let tag = args.last("--tag").or(args.last("-t"));
    let tag = tag.filter(|_| way.word.starts_with("build"));
    let limits = args.given(OF_UPDATE).filter(|_| way.word == "update");
    container
        .into_iter()
        .chain(last.map(|word| (object, word.clone())))
        .chain(tag.map(|tag| ("{NAME}", tag.to_owned())))
        .chain(limits.map(|limits| ("{VALUE}", limits)))
        .collect()
}

fn unknown(verb: &str) -> Failure {
    let failure = Failure::usage(format!("\"{verb}\" is not a verb of rrun"));
    let ours = super::verbs();
    let names = ours
        .iter()
        .map(String::as_str)
        .chain(VERBS_ELSEWHERE.iter().map(|way| way.word))
        .chain(super::meant::verbs());
    let near = kit_units::nearest(verb, names);
    // `run-it`: a blank was forgotten.
    if let Some((verb, flags)) = verb.split_once('-')
        && ours.iter().any(|ours| ours == verb)
    {
        return failure.hint(format!(
            "did you mean \"{verb} -{flags}\"? See rrun {verb} --help"
        ));
    }
    match near {
        Some(near) => {
            let ours = super::meant::meant(near).unwrap_or(near);
            failure.hint(format!("did you mean \"{ours}\"? See rrun --help"))
        }
        None => failure.hint("see rrun --help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_verb() {
        let said = |verb: &str| refuse(&[verb.into()]).unwrap_err().get_hint().unwrap();
        assert!(said("uppause").contains("\"unpause\""));
        assert!(said("lods").contains("did you mean"));
        assert!(said("destory").contains("\"rm\""));
        assert!(said("sav").contains("\"save\""));
        assert!(said("imag").contains("\"image\""));
        // Guesses that mislead.
        for verb in ["frobnicate", "reach"] {
            assert_eq!(said(verb), "see rrun --help", "{verb}");
        }
    }

    #[test]
    fn what_a_way_leaves_open_is_named() {
        for way in VERBS_ELSEWHERE.iter().chain(OF_STOPPED) {
            let hint = way.hint(&[]);
            for word in hint
                .split("{{")
                .flat_map(|part| part.split("}}").skip(1).chain([part]))
            {
                assert!(!PLACES.iter().any(|place| word.contains(place)), "{hint}");
            }
        }
        let said = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let mut words = words;
            if matches!(words[0].to_str(), Some("volume" | "network")) {
                let both = format!("{} {}", words[0].display(), words[1].display());
                words.splice(..2, [OsString::from(both)]);
            }
            refuse(&words).unwrap_err().get_hint().unwrap()
        };
        for (line, part) in [
            ("volume create v1", "-v v1:/data IMAGE true"),
            ("network create mynet", "rnetns add mynet"),
            ("network rm mynet", "rnetns del mynet"),
            ("swarm init", "ssh HOST rrun run IMAGE"),
            // No container is called so.
            (
                "pause web",
                "rrun ps -a shows them; pgrep --ns $(rrun inspect -f '{{.State.Pid}}' C)",
            ),
            (
                "push localhost:5000/bb",
                "skopeo copy --dest-tls-verify=false docker-archive:$file docker://localhost:5000/bb",
            ),
            (
                "pull 127.0.0.1:5000/bb",
                "skopeo copy -q --src-tls-verify=false docker://127",
            ),
            ("build -t app .", "runpack pack -t app --bin PROGRAM"),
        ] {
            let hint = said(line);
            assert!(hint.contains(part), "{line}: {hint}");
        }
        let pull = VERBS_ELSEWHERE
            .iter()
            .find(|way| way.word == "pull")
            .unwrap();
        let hint = pull.hint(&[("{IMAGE}", "busybox:1".to_owned())]);
        assert!(
            hint.contains(
                "skopeo copy -q docker://busybox:1 docker-archive:/dev/stdout:busybox:1 |"
            ),
            "{hint}"
        );
    }
}
