//! `rrun volume ls -f KEY=VALUE`: docker's filters. As of `ps`, one that would match nothing in silence is refused.

use box_ops::volume::remove::Volume;
use kit_cli::{Failure, Result};
use regex_lite::Regex;

const KEYS: &str = "name=REGEX, driver=local, label=K[=V], dangling=true or dangling=false";

/// docker's label of a volume without a name of the user's. No other is kept.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// The driver of each volume here.
pub(super) const LOCAL: &str = "local";

/// The filters of one command line, by their keys.
#[derive(Default)]
pub(super) struct Filters {
    names: Vec<Regex>,
    drivers: Vec<String>,
    labels: Vec<String>,
    dangling: Option<bool>,
}

impl Filters {
    pub(super) fn parse(texts: &[String]) -> Result<Self> {
        let mut all = Self::default();
        for text in texts {
            all.add(text)?;
        }
        Ok(all)
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let wrong = |hint: &str| Failure::usage(format!("invalid filter '{text}'")).hint(hint);
        let (key, value) = text.split_once('=').ok_or_else(|| wrong(KEYS))?;
        match key {
            "name" => {
                self.names.push(Regex::new(value).map_err(|e| {
                    wrong(&format!("a name is matched as a regular expression: {e}"))
                })?);
            }
            "driver" => self.drivers.push(value.to_owned()),
            "label" => self.labels.push(value.to_owned()),
            "dangling" => {
                let dangling = match value {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(wrong(KEYS)),
                };
                if self.dangling.replace(dangling) == Some(!dangling) {
                    return Err(wrong("a volume is in use or is not: give one of the two"));
                }
            }
            _ => return Err(wrong(KEYS)),
        }
        Ok(())
    }

    /// As docker's: one of the names, one of the drivers, all of the labels.
    pub(super) fn pass(&self, volume: &Volume) -> bool {
        any(&self.names, |name| name.is_match(&volume.name))
            && any(&self.drivers, |driver| driver == LOCAL)
            && self.labels.iter().all(|label| has_label(volume, label))
            && self
                .dangling
                .is_none_or(|dangling| volume.user().is_none() == dangling)
    }
}

/// True if no value was given: there is no condition then.
fn any<T>(wanted: &[T], is: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

/// As docker prints them.
pub(super) fn labels(volume: &Volume) -> String {
    if volume.is_anonymous() {
        format!("{ANONYMOUS}=")
    } else {
        String::new()
    }
}

fn has_label(volume: &Volume, label: &str) -> bool {
    let (key, value) = label.split_once('=').unwrap_or((label, ""));
    volume.is_anonymous() && key == ANONYMOUS && value.is_empty()
}
