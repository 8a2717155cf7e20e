//! `rrun ps -f KEY=VALUE`: docker's filters. A filter with an unknown key or a value that cannot be read is refused: it would match nothing, in silence.

use kit_cli::{Failure, Result};
use regex_lite::Regex;

use super::super::docker::mode;
use super::{Entry, exit_code, word};
use box_state::Container;

const KEYS: &str = "status=…, name=REGEX, id=…, label=K[=V], ancestor=IMAGE, exited=CODE, volume=NAME or PATH, network=…";

/// docker's words. No container here is ever restarting, removing or dead: those are states of docker's daemon.
const STATES: [&str; 7] = [
    "created",
    "running",
    "paused",
    "exited",
    "restarting",
    "removing",
    "dead",
];

/// The filters of one command line, by their keys.
#[derive(Debug, Default)]
pub struct Filters {
    states: Vec<String>,
    names: Vec<Regex>,
    ids: Vec<Regex>,
    labels: Vec<String>,
    ancestors: Vec<String>,
    exited: Vec<i32>,
    volumes: Vec<String>,
    networks: Vec<String>,
}

impl Filters {
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut all = Self::default();
        for text in texts {
            all.add(text)?;
        }
        Ok(all)
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let wrong = |hint: &str| Failure::usage(format!("invalid filter '{text}'")).hint(hint);
        let (key, value) = text.split_once('=').ok_or_else(|| wrong(KEYS))?;
        let regex = |what| {
            Regex::new(value)
                .map_err(|e| wrong(&format!("{what} is matched as a regular expression: {e}")))
        };
        match key {
            "status" if STATES.contains(&value) => self.states.push(value.to_owned()),
            "status" => return Err(wrong(&format!("the states are {}", STATES[..4].join(", ")))),
            "name" => self.names.push(regex("a name")?),
            "id" => self.ids.push(regex("an ID")?),
            "label" => self.labels.push(value.to_owned()),
            "ancestor" => self.ancestors.push(value.to_owned()),
            "exited" => {
                let code = value
                    .parse()
                    .map_err(|_| wrong("an exit code is a number: exited=0"))?;
                self.exited.push(code);
            }
            "volume" => self.volumes.push(value.to_owned()),
            "network" => self.networks.push(value.to_owned()),
            _ => return Err(wrong(KEYS)),
        }
        Ok(())
    }

    /// Whether they choose by state, so that containers that do not run are looked at too.
    pub fn are_of_states(&self) -> bool {
        !self.states.is_empty() || !self.exited.is_empty()
    }

    /// As docker's: one of the values for each key, but all of the labels.
    pub fn pass(&self, Entry { container, state }: &Entry) -> bool {
        let slashed = format!("/{}", container.name);
        any(&self.states, |wanted| word(state) == wanted)
            && any(&self.names, |name| {
                name.is_match(&container.name) || name.is_match(&slashed)
            })
            && any(&self.ids, |id| id.is_match(&container.id))
            && self.labels.iter().all(|label| has_label(container, label))
            && any(&self.ancestors, |image| is_of(container, image))
            && any(&self.exited, |code| {
                word(state) == "exited" && exit_code(state) == *code
            })
            && any(&self.volumes, |volume| mounts(container, volume))
            && any(&self.networks, |network| mode(container) == *network)
    }
}

/// True if no value was given: there is no condition then.
fn any<T>(wanted: &[T], is: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

fn has_label(container: &Container, label: &str) -> bool {
    match label.split_once('=') {
        Some((key, value)) => container
            .labels
            .get(key)
            .is_some_and(|label| label == value),
        None => container.labels.contains_key(label),
    }
}

fn is_of(container: &Container, wanted: &str) -> bool {
    container.image.as_ref().is_some_and(|image| {
        let bare = image.name.strip_suffix(":latest").unwrap_or(&image.name);
        let id = wanted.strip_prefix("sha256:").unwrap_or(wanted);
        bare == wanted.strip_suffix(":latest").unwrap_or(wanted)
            || !id.is_empty() && image.id.trim_start_matches("sha256:").starts_with(id)
    })
}

/// Whether the container has a mount of this name, source on the host, or mount point.
fn mounts(container: &Container, volume: &str) -> bool {
    let is = |path: &std::path::Path| path == std::path::Path::new(volume);
    let mut mounts = container.mounts.iter();
    mounts.any(|mount| mount.name == volume || is(&mount.source) || is(&mount.destination))
}
