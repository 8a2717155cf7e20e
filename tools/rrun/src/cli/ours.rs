//! docker's flags that have one value which changes nothing here: what it asks for is how every container runs. That value
//! is taken, any other is refused with the way out of `missing`.

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use kit_cli::{Failure, Result};

use super::missing;
use super::switches::switch;
use super::typed::Typed;

/// Which values change nothing. Of a flag with a value an empty one never does: scripts pass flags whether they have a value
/// or not.
pub enum Ours {
    /// One of these words.
    Words(&'static [&'static str]),
    /// This size, however it is written.
    Bytes(u64),
    /// A switch: this side of it.
    Switch(bool),
}

/// A flag of `run` and `create`, without its dashes, its letter, and its value.
pub struct Row {
    /// The flag, without its dashes.
    pub flag: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// The value that changes nothing.
    pub ours: Ours,
}

const fn words(flag: &'static str, words: &'static [&'static str]) -> Row {
    let ours = Ours::Words(words);
    Row {
        flag,
        short: None,
        ours,
    }
}

const fn switch_of(flag: &'static str, short: Option<char>, on: bool) -> Row {
    let ours = Ours::Switch(on);
    Row { flag, short, ours }
}

/// What has no row has no value that changes nothing, or is a flag of ours.
pub const OURS: &[Row] = &[
    words("cgroup-parent", &[]),
    words("cgroupns", &["private"]),
    words("cpu-count", &["0"]),
    words("cpu-percent", &["0"]),
    words("cpu-period", &["0"]),
    words("cpu-quota", &["0", "-1"]),
    words("cpu-rt-period", &["0"]),
    words("cpu-rt-runtime", &["0"]),
    // No signature is verified.
    switch_of("disable-content-trust", None, true),
    words("domainname", &[]),
    words("health-cmd", &[]),
    words("health-interval", &["0", "0s"]),
    words("health-retries", &["0"]),
    words("health-start-interval", &["0", "0s"]),
    words("health-start-period", &["0", "0s"]),
    words("health-timeout", &["0", "0s"]),
    words("io-maxbandwidth", &["0"]),
    words("io-maxiops", &["0"]),
    words("ip", &[]),
    words("ip6", &[]),
    words("ipc", &["private"]),
    words("isolation", &["default"]),
    words("kernel-memory", &["0"]),
    words("log-driver", &["json-file"]),
    words("mac-address", &[]),
    // -1 is docker's word for the kernel's own.
    words("memory-swappiness", &["-1"]),
    switch_of("no-healthcheck", None, true),
    switch_of("oom-kill-disable", None, false),
    words("pid", &[]),
    // An image that is not in the store is an error of its own.
    words("pull", &["missing", "never"]),
    switch_of("quiet", Some('q'), true),
    words("restart", &["no"]),
    words("runtime", &[]),
    Row {
        flag: "shm-size",
        short: None,
        ours: Ours::Bytes(box_ops::spec::build::SHM_BYTES),
    },
    switch_of("use-api-socket", None, false),
    words("userns", &["host"]),
    words("uts", &[]),
    words("volume-driver", &["local"]),
];

impl Row {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.flag).long(self.flag).hide(true);
        let arg = match self.short {
            Some(letter) => arg.short(letter),
            None => arg,
        };
        match self.ours {
            Ours::Switch(_) => switch(arg),
            _ => arg.allow_hyphen_values(true),
        }
    }

    /// Whether a value of a flag that is no switch changes nothing.
    fn is_ours(&self, value: &str) -> bool {
        value.is_empty()
            || match self.ours {
                Ours::Words(words) => words.contains(&value),
                Ours::Bytes(bytes) => box_ops::spec::sizes::parse_bytes(value)
                    .is_ok_and(|given| u64::try_from(given) == Ok(bytes)),
                Ours::Switch(_) => false,
            }
    }

    /// What is taken, as it is typed.
    fn taken(&self) -> Vec<String> {
        let flag = self.flag;
        match self.ours {
            Ours::Words(words) => words
                .iter()
                .map(|word| format!("\"--{flag} {word}\""))
                .collect(),
            Ours::Bytes(bytes) => vec![format!("\"--{flag} {}m\"", bytes >> 20)],
            Ours::Switch(on) => vec![format!("\"--{flag}={on}\"")],
        }
    }

    /// The error of any other value.
    pub fn refusal(&self, verb: &str) -> String {
        match self.taken().join(" or ").as_str() {
            "" => format!("rrun {verb} has no flag --{}", self.flag),
            taken => format!("rrun {verb} takes {taken} only"),
        }
    }

    /// Whether this flag was given a value that is not ours.
    fn is_refused(&self, matches: &ArgMatches) -> bool {
        if matches.value_source(self.flag) != Some(clap::parser::ValueSource::CommandLine) {
            return false;
        }
        match self.ours {
            Ours::Switch(on) => matches.get_flag(self.flag) != on,
            _ => matches
                .get_one::<String>(self.flag)
                .is_some_and(|value| !self.is_ours(value)),
        }
    }
}

/// The flags of [`OURS`] on a command line.
pub struct Neutral {
    refused: Option<&'static Row>,
}

impl Neutral {
    /// Refuses the first flag with a value that would change something.
    pub fn check(&self, verb: &str) -> Result<()> {
        let refused = self.refused.map(|row| {
            let failure = Failure::usage(row.refusal(verb));
            let typed = Typed::of(&super::words(std::env::args_os()));
            failure.hint_from(missing::hint(verb, &format!("--{}", row.flag), &typed))
        });
        refused.map_or(Ok(()), Err)
    }
}

impl Args for Neutral {
    fn augment_args(command: Command) -> Command {
        command.args(OURS.iter().map(Row::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Neutral {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, Error> {
        let refused = OURS.iter().find(|row| row.is_refused(matches));
        Ok(Self { refused })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
