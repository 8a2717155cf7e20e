//! `rrun ps -f KEY=VALUE`: docker's filters. A filter with an unknown key or a value that cannot be read is refused: it would match nothing, in silence.

use kit_cli::{Failure, Result};
use regex_lite::Regex;

use super::super::docker::mode;
use super::super::steps::fault;
use super::{Entry, exit_code, word};
use box_ops::spec::ports::{Exposed, parse_expose};
use box_state::{Container, Containers, RunState};

const KEYS: &str = "status=…, name=REGEX, id=…, label=K[=V], ancestor=IMAGE, exited=CODE, volume=NAME or PATH, network=…, since=CONTAINER, before=CONTAINER, publish=PORT, expose=PORT, health=none";

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

/// docker's words of `health`.
const HEALTHS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

/// The filters of one command line, by their keys.
#[derive(Debug, Default)]
pub struct Filters {
    states: Vec<String>,
    names: Vec<Regex>,
    ids: Vec<Regex>,
    labels: Vec<String>,
    ancestors: Vec<Ancestor>,
    exited: Vec<i32>,
    volumes: Vec<String>,
    networks: Vec<String>,
    /// Times of creation, RFC 3339: made after each, and before each.
    since: Vec<String>,
    before: Vec<String>,
    publish: Vec<Exposed>,
    expose: Vec<Exposed>,
    health: Vec<String>,
}

impl Filters {
    pub fn parse(texts: &[String], containers: &Containers) -> Result<Self> {
        let mut all = Self::default();
        for text in texts {
            all.add(text, containers)?;
        }
        Ok(all)
    }

    fn add(&mut self, text: &str, containers: &Containers) -> Result<()> {
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
            "ancestor" => self.ancestors.push(Ancestor::of(value, containers)),
            "exited" => {
                let code = value
                    .parse()
                    .map_err(|_| wrong("an exit code is a number: exited=0"))?;
                self.exited.push(code);
            }
            "volume" => self.volumes.push(value.to_owned()),
            "network" => self.networks.push(value.to_owned()),
            "since" => self.since.push(created(containers, value)?),
            "before" => self.before.push(created(containers, value)?),
            "publish" => self
                .publish
                .extend(ports(value).map_err(|hint| wrong(&hint))?),
            "expose" => self
                .expose
                .extend(ports(value).map_err(|hint| wrong(&hint))?),
            "health" if HEALTHS.contains(&value) => self.health.push(value.to_owned()),
            "health" => {
                return Err(wrong(
                    "no health check is run, so each container has health=none",
                ));
            }
            _ => return Err(wrong(KEYS)),
        }
        Ok(())
    }

    /// Whether they choose by state, so that containers that do not run are looked at too.
    pub fn are_of_states(&self) -> bool {
        !self.states.is_empty() || !self.exited.is_empty()
    }

    /// As docker's: one of the values for each key, but all of the labels.
    pub fn pass(&self, entry: &Entry) -> bool {
        let Entry {
            container, state, ..
        } = entry;
        let slashed = format!("/{}", container.name);
        any(&self.states, |wanted| word(state) == wanted)
            && any(&self.names, |name| {
                name.is_match(&container.name) || name.is_match(&slashed)
            })
            && any(&self.ids, |id| id.is_match(&container.id))
            && self.labels.iter().all(|label| has_label(container, label))
            && any(&self.ancestors, |image| image.is_of(container))
            && any(&self.exited, |code| {
                word(state) == "exited" && exit_code(state) == *code
            })
            && any(&self.volumes, |volume| mounts(container, volume))
            && any(&self.networks, |network| mode(container) == *network)
            && any(&self.since, |created| container.created > *created)
            && any(&self.before, |created| container.created < *created)
            && any(&self.publish, |port| publishes(container, state, *port))
            && any(&self.expose, |port| exposes(container, *port))
            && any(&self.health, |health| health == "none")
    }
}

/// When a container was made.
fn created(containers: &Containers, name: &str) -> Result<String> {
    let (_, container) = containers.find(name).map_err(fault)?;
    Ok(container.created)
}

/// `80`, `80/udp`, `8000-8010/tcp`; or what a port is.
fn ports(text: &str) -> std::result::Result<Vec<Exposed>, String> {
    parse_expose(text).map_err(|error| format!("{error}: a port is 80, 80/udp or 8000-8010"))
}

/// Whether a port of the host leads to the container, or does while it runs.
fn publishes(container: &Container, state: &RunState, wanted: Exposed) -> bool {
    let of = if state.is_running() {
        &state.ports
    } else {
        &container.ports
    };
    of.iter()
        .any(|port| (port.proto, port.host_port) == (wanted.proto, wanted.port))
}

fn exposes(container: &Container, wanted: Exposed) -> bool {
    container.exposed.contains(&wanted.to_string())
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

/// An image that containers are of.
#[derive(Debug)]
enum Ancestor {
    /// The ID of an image in the store, whatever it was called by.
    Stored(String),
    /// What the store does not have: containers of it may be left.
    Called(String),
}

impl Ancestor {
    fn of(text: &str, containers: &Containers) -> Self {
        let found = runpack::Store::open(&containers.roots.root).resolve(text);
        found.map_or_else(
            |_| Self::Called(text.to_owned()),
            |image| Self::Stored(image.id.to_string()),
        )
    }

    fn is_of(&self, container: &Container) -> bool {
        container.image.as_ref().is_some_and(|image| match self {
            Self::Stored(id) => image.id == *id,
            Self::Called(wanted) => {
                let bare = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
                let id = wanted.strip_prefix("sha256:").unwrap_or(wanted);
                bare(&image.name) == bare(wanted)
                    || !id.is_empty() && image.id.trim_start_matches("sha256:").starts_with(id)
            }
        })
    }
}

/// Whether the container has a mount of this name, source on the host, or mount point.
fn mounts(container: &Container, volume: &str) -> bool {
    let is = |path: &std::path::Path| path == std::path::Path::new(volume);
    let mut mounts = container.mounts.iter();
    mounts.any(|mount| mount.name == volume || is(&mount.source) || is(&mount.destination))
}
