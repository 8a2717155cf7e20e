//! `--change`: an instruction of a Dockerfile that sets something in an image's configuration.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use oci_spec::image::{Config, ImageConfiguration};

/// One instruction, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Cmd(Vec<String>),
    Entrypoint(Vec<String>),
    Env(String, String),
    Expose(String),
    Label(String, String),
    User(String),
    Volume(String),
    Workdir(String),
    Stopsignal(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading change {text:?}: {reason}")]
pub struct ChangeError {
    text: String,
    reason: &'static str,
}

impl ChangeError {
    pub fn hint(&self) -> &'static str {
        "one of CMD, ENTRYPOINT, ENV K=V, EXPOSE PORT, LABEL K=V, USER, VOLUME, WORKDIR, STOPSIGNAL"
    }
}

impl FromStr for Change {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
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
        let pair = || {
            let pair = rest
                .split_once('=')
                .or_else(|| rest.split_once(char::is_whitespace));
            let (key, value) = pair.ok_or_else(|| wrong("it is not KEY=VALUE"))?;
            if key.is_empty() {
                return Err(wrong("it has no key"));
            }
            Ok((key.trim().to_owned(), unquoted(value.trim())))
        };
        let one = || rest.to_owned();
        Ok(match word.to_ascii_uppercase().as_str() {
            "CMD" => Self::Cmd(command(rest)),
            "ENTRYPOINT" => Self::Entrypoint(command(rest)),
            "ENV" => pair().map(|(key, value)| Self::Env(key, value))?,
            "LABEL" => pair().map(|(key, value)| Self::Label(key, value))?,
            "EXPOSE" => Self::Expose(if rest.contains('/') {
                one()
            } else {
                format!("{rest}/tcp")
            }),
            "USER" => Self::User(one()),
            "VOLUME" => Self::Volume(one()),
            "WORKDIR" => Self::Workdir(one()),
            "STOPSIGNAL" => Self::Stopsignal(one()),
            _ => return Err(wrong("it is not an instruction that sets something")),
        })
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

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
        match self {
            Self::Cmd(words) => write!(f, "CMD {}", json(words)),
            Self::Entrypoint(words) => write!(f, "ENTRYPOINT {}", json(words)),
            Self::Env(key, value) => write!(f, "ENV {key}={value}"),
            Self::Expose(port) => write!(f, "EXPOSE {port}"),
            Self::Label(key, value) => write!(f, "LABEL {key}={value}"),
            Self::User(user) => write!(f, "USER {user}"),
            Self::Volume(path) => write!(f, "VOLUME {path}"),
            Self::Workdir(path) => write!(f, "WORKDIR {path}"),
            Self::Stopsignal(signal) => write!(f, "STOPSIGNAL {signal}"),
        }
    }
}

impl Change {
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
                config.set_working_dir(Some(path.clone()));
            }
            Self::Stopsignal(signal) => {
                config.set_stop_signal(Some(signal.clone()));
            }
        }
        image.set_config(Some(config));
    }
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
        let cmd: Change = "CMD [\"sh\", \"-l\"]".parse().unwrap();
        assert_eq!(cmd, Change::Cmd(vec!["sh".into(), "-l".into()]));
        for text in [
            "cmd echo hi",
            "ENV A=b c",
            "EXPOSE 80",
            "LABEL a=\"b\"",
            "USER 1:2",
        ] {
            let change: Change = text.parse().unwrap();
            assert_eq!(change.to_string().parse(), Ok(change));
        }
        for text in ["", "CMD", "RUN x", "ENV =x", "ENV a"] {
            assert!(text.parse::<Change>().is_err(), "{text:?}");
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
}
