//! `--change`: an instruction of a Dockerfile that sets something in an image's configuration.

use std::collections::HashMap;
use std::fmt;

use kit_plan::{Fault, USAGE};

use oci_spec::image::{Config, ImageConfiguration};

use crate::pack::{PackError, split_words};

/// One instruction, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The words that a container runs.
    Cmd(Vec<String>),
    /// The words before those.
    Entrypoint(Vec<String>),
    /// A variable and its value.
    Env(String, String),
    /// A port, `80/tcp`.
    Expose(String),
    /// A key and its value.
    Label(String, String),
    /// `USER[:GROUP]`
    User(String),
    /// A path that becomes a volume.
    Volume(String),
    /// Where a container begins.
    Workdir(String),
    /// What asks it to stop.
    Stopsignal(String),
}

/// A text that is no instruction of a Dockerfile which `import -c` knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading change {text:?}: {reason}")]
#[allow(missing_docs)] // each variant is its message
pub struct ChangeError {
    text: String,
    reason: &'static str,
}

impl Fault for ChangeError {
    fn hint(&self) -> Option<String> {
        let all = "one of CMD, ENTRYPOINT, ENV K=V, EXPOSE PORT, LABEL K=V, USER, VOLUME, WORKDIR, STOPSIGNAL";
        Some(all.to_owned())
    }

    fn exit(&self) -> u8 {
        USAGE
    }
}

/// What one instruction sets, which may be several things, as in a Dockerfile.
pub fn changes(text: &str) -> Result<Vec<Change>, ChangeError> {
    let wrong = |reason| ChangeError {
        text: text.to_owned(),
        reason,
    };
    let (word, rest) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text, ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(wrong("it has no value"));
    }
    let one = |change: fn(String) -> Change| Ok(vec![change(rest.to_owned())]);
    match word.to_ascii_uppercase().as_str() {
        "CMD" => Ok(vec![Change::Cmd(command(rest))]),
        "ENTRYPOINT" => Ok(vec![Change::Entrypoint(command(rest))]),
        "ENV" => pairs(rest, Change::Env).map_err(wrong),
        "LABEL" => pairs(rest, Change::Label).map_err(wrong),
        "EXPOSE" => {
            let ports = |word: &String| exposed(word);
            let all: Result<Vec<Vec<String>>, _> =
                words(rest).and_then(|words| words.iter().map(ports).collect());
            let all = all.map_err(wrong)?.concat();
            Ok(all.into_iter().map(Change::Expose).collect())
        }
        "VOLUME" => words(rest)
            .map(|words| words.into_iter().map(Change::Volume).collect())
            .map_err(wrong),
        "USER" => one(Change::User),
        "WORKDIR" => one(Change::Workdir),
        "STOPSIGNAL" => one(Change::Stopsignal),
        _ => Err(wrong("it is not an instruction that sets something")),
    }
}

fn words(text: &str) -> Result<Vec<String>, &'static str> {
    match split_words("--change", text) {
        Ok(words) if words.is_empty() => Err("it has no value"),
        Ok(words) => Ok(words),
        Err(PackError::BadValue { reason, .. }) => Err(reason),
        Err(_) => Err("it cannot be read"),
    }
}

/// `K=V L="W X"`, or in docker's older way a key and all the rest of the line.
fn pairs(text: &str, change: fn(String, String) -> Change) -> Result<Vec<Change>, &'static str> {
    let words = words(text);
    let is_new = |words: &Vec<String>| words.first().is_some_and(|word| word.contains('='));
    if let Some((key, value)) = text.split_once(char::is_whitespace)
        && !words.as_ref().is_ok_and(is_new)
        && !key.contains('=')
    {
        return Ok(vec![change(key.to_owned(), unquoted(value.trim()))]);
    }
    let pair = |word: String| {
        let (key, value) = word.split_once('=').ok_or("it is not KEY=VALUE")?;
        if key.is_empty() {
            return Err("it has no key");
        }
        Ok(change(key.to_owned(), value.to_owned()))
    };
    words?.into_iter().map(pair).collect()
}

/// `PORT[-LAST][/PROTOCOL]`: each port as an image's configuration has it.
pub(crate) fn exposed(text: &str) -> Result<Vec<String>, &'static str> {
    const WRONG: &str = "not a port from 1 to 65535, PORT-PORT, or either with /tcp, /udp, /sctp";
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(WRONG);
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => {
            let each = (first..=last).map(|port| format!("{port}/{protocol}"));
            Ok(each.collect())
        }
        _ => Err(WRONG),
    }
}

/// A JSON array is the words themselves; anything else is for the shell, as docker has it.
fn command(text: &str) -> Vec<String> {
    serde_json::from_str(text)
        .unwrap_or_else(|_| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

fn unquoted(text: &str) -> String {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// As [`changes`] reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
        match self {
            Self::Cmd(words) => write!(f, "CMD {}", json(words)),
            Self::Entrypoint(words) => write!(f, "ENTRYPOINT {}", json(words)),
            Self::Env(key, value) => write!(f, "ENV {}={}", quoted(key), quoted(value)),
            Self::Expose(port) => write!(f, "EXPOSE {port}"),
            Self::Label(key, value) => write!(f, "LABEL {}={}", quoted(key), quoted(value)),
            Self::User(user) => write!(f, "USER {user}"),
            Self::Volume(path) => write!(f, "VOLUME {}", json(std::slice::from_ref(path))),
            Self::Workdir(path) => write!(f, "WORKDIR {path}"),
            Self::Stopsignal(signal) => write!(f, "STOPSIGNAL {signal}"),
        }
    }
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, image: &mut ImageConfiguration) {
        let mut config: Config = image.config().clone().unwrap_or_default();
        match self {
            Self::Cmd(words) => {
                config.set_cmd(Some(words.clone()));
            }
            Self::Entrypoint(words) => {
                config.set_entrypoint(Some(words.clone()));
            }
            Self::Env(key, value) => {
                let mut env = config.env().clone().unwrap_or_default();
                env.retain(|line| line.split('=').next() != Some(key));
                env.push(format!("{key}={value}"));
                config.set_env(Some(env));
            }
            Self::Expose(port) => {
                let ports = with(config.exposed_ports().as_ref(), port);
                config.set_exposed_ports(Some(ports));
            }
            Self::Volume(path) => {
                let volumes = with(config.volumes().as_ref(), path);
                config.set_volumes(Some(volumes));
            }
            Self::Label(key, value) => {
                let mut labels: HashMap<_, _> = config.labels().clone().unwrap_or_default();
                labels.insert(key.clone(), value.clone());
                config.set_labels(Some(labels));
            }
            Self::User(user) => {
                config.set_user(Some(user.clone()));
            }
            Self::Workdir(path) => {
                let before = config.working_dir().clone().unwrap_or_default();
                config.set_working_dir(Some(below(&before, path)));
            }
            Self::Stopsignal(signal) => {
                config.set_stop_signal(Some(signal.clone()));
            }
        }
        image.set_config(Some(config));
    }
}

/// A directory that is not absolute is seen from the one before it, as in a Dockerfile.
fn below(before: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{before}/{path}")
    };
    let mut words: Vec<&str> = Vec::new();
    for word in whole.split('/') {
        match word {
            "" | "." => {}
            ".." => {
                words.pop();
            }
            word => words.push(word),
        }
    }
    format!("/{}", words.join("/"))
}

fn with(list: Option<&Vec<String>>, more: &str) -> Vec<String> {
    let mut list = list.cloned().unwrap_or_default();
    if !list.iter().any(|known| known == more) {
        list.push(more.to_owned());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_print_as_they_are_read() {
        let pair = |key: &str, value: &str| Change::Env(key.into(), value.into());
        let of = |text: &str| changes(text).unwrap();
        let volumes = |paths: [&str; 2]| paths.map(|path| Change::Volume(path.into())).to_vec();
        assert_eq!(
            of("CMD [\"sh\", \"-l\"]"),
            [Change::Cmd(vec!["sh".into(), "-l".into()])]
        );
        assert_eq!(
            of("ENV A=1 B='x y' C=\"it's\" D="),
            [
                pair("A", "1"),
                pair("B", "x y"),
                pair("C", "it's"),
                pair("D", "")
            ]
        );
        assert_eq!(of("ENV A some  words=all"), [pair("A", "some  words=all")]);
        assert_eq!(
            of("LABEL a.b=c d=\"e f\"")[1],
            Change::Label("d".into(), "e f".into())
        );
        assert_eq!(of("VOLUME [\"/a\", \"/b c\"]"), volumes(["/a", "/b c"]));
        assert_eq!(of("VOLUME /a /b"), volumes(["/a", "/b"]));
        assert_eq!(
            of("EXPOSE 80 53/udp"),
            [
                Change::Expose("80/tcp".into()),
                Change::Expose("53/udp".into())
            ]
        );
        for text in [
            "cmd echo hi",
            "ENV A='it'\\''s' B=$x C= 'a b'=c",
            "EXPOSE 80 81",
            "LABEL a=\"b\"",
            "USER 1:2",
            "VOLUME [\"/a b\"]",
        ] {
            for change in of(text) {
                assert_eq!(changes(&change.to_string()), Ok(vec![change]));
            }
        }
        for text in [
            "",
            "CMD",
            "RUN x",
            "ENV =x",
            "ENV a",
            "ENV A=b c",
            "ENV A='b",
            "EXPOSE x",
            "EXPOSE 0",
            "VOLUME [1]",
            "VOLUME []",
        ] {
            assert!(changes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_variable_set_again_is_one_variable() {
        let mut image = ImageConfiguration::default();
        Change::Env("A".into(), "1".into()).apply(&mut image);
        Change::Env("A".into(), "2".into()).apply(&mut image);
        let env = image.config().as_ref().unwrap().env().clone();
        assert_eq!(env, Some(vec!["A=2".to_owned()]));
    }

    #[test]
    fn a_directory_is_seen_from_the_one_before_it() {
        for (before, path, whole) in [
            ("", "app", "/app"),
            ("", "/", "/"),
            ("/srv", "app", "/srv/app"),
            ("/srv", "app/x/", "/srv/app/x"),
            ("/srv", "./app//x/.", "/srv/app/x"),
            ("/srv/app", "..", "/srv"),
            ("/srv/app", "../www", "/srv/www"),
            ("/srv", "../../..", "/"),
            ("/srv", "/app", "/app"),
            ("/srv", "/app/../www", "/www"),
            ("/srv", "..app", "/srv/..app"),
        ] {
            assert_eq!(below(before, path), whole, "{path:?} in {before:?}");
        }
    }

    #[test]
    fn directories_in_a_row_lead_into_each_other() {
        let mut image = ImageConfiguration::default();
        for (path, whole) in [
            ("app", "/app"),
            ("src", "/app/src"),
            ("../lib", "/app/lib"),
            ("/var", "/var"),
            ("log", "/var/log"),
        ] {
            for change in changes(&format!("WORKDIR {path}")).unwrap() {
                change.apply(&mut image);
            }
            let dir = image.config().as_ref().unwrap().working_dir().clone();
            assert_eq!(dir.as_deref(), Some(whole), "{path}");
        }
    }
}
