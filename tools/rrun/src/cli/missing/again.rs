//! The flags that were typed beside the one that is missing: a hint repeats those that its commands have room for.

use clap::{Args, Command};

use crate::cli::run;
use crate::cli::typed::{Known, Typed};

/// Beginnings of the commands that take IMAGE and the flags before it.
const MAKING: [&str; 3] = ["rrun {VERB} ", "rrun run ", "rrun create "];

/// Flags of which a command may have several that go together.
const SEVERAL: [&str; 12] = [
    "attach",
    "cap-add",
    "cap-drop",
    "env",
    "env-file",
    "expose",
    "label",
    "mount",
    "publish",
    "security-opt",
    "tmpfs",
    "volume",
];

/// What a loop has no use for: each round would return at once, or find the file of the round before.
const NOT_IN_A_LOOP: [&str; 2] = ["detach", "cidfile"];

/// What only the network of a bridge has room for.
const NOT_WITH_ITS_NETWORK: [&str; 2] = ["publish", "publish-all"];

/// The flags of `exec` that `run` has too.
const OF_EXEC: [&str; 8] = [
    "detach",
    "detach-keys",
    "env",
    "env-file",
    "interactive",
    "tty",
    "user",
    "workdir",
];

/// Flags, IMAGE and COMMAND, for the commands `sh`.
pub fn words(sh: &str, typed: &Typed) -> Option<String> {
    let words = typed.image_and_command();
    let room = Room::of(sh);
    let flags = typed.known.iter().filter(|flag| room.is_for(flag));
    let flags: Vec<&str> = flags.map(|flag| flag.sh.as_str()).collect();
    if flags.is_empty() {
        return words;
    }
    let words = words.unwrap_or_else(|| "IMAGE".to_owned());
    Some(format!("{} {words}", flags.join(" ")))
}

/// The flags that `rrun exec` has too, each with a blank behind it.
pub fn of_exec(typed: &Typed) -> String {
    let flags = typed.known.iter();
    let flags = flags.filter(|flag| OF_EXEC.contains(&flag.name.as_str()));
    let words: Vec<&str> = flags.flat_map(|flag| [flag.sh.as_str(), " "]).collect();
    words.concat()
}

/// What the command before `{WORDS}` has already.
struct Room {
    has: Vec<String>,
    is_loop: bool,
    joins: bool,
    creates: Option<Command>,
}

impl Room {
    fn of(sh: &str) -> Self {
        let before = sh.split("{WORDS}").next().unwrap_or_default();
        let starts = MAKING.iter().filter_map(|making| before.rfind(making));
        let command = &before[starts.max().unwrap_or(before.len())..];
        let known = run::Args::augment_args(Command::new("run"));
        let long = |word: &str| {
            let arg = known.get_arguments().find(|arg| {
                let (short, long) = (arg.get_short(), arg.get_long());
                let aliases = arg.get_all_aliases().unwrap_or_default();
                word.strip_prefix("--").map_or_else(
                    || short.is_some_and(|short| word == format!("-{short}")),
                    |name| long == Some(name) || aliases.contains(&name),
                )
            })?;
            arg.get_long().map(str::to_owned)
        };
        Self {
            has: command.split(' ').filter_map(long).collect(),
            is_loop: ["while ", "until ", "for "]
                .iter()
                .any(|word| before.starts_with(word)),
            joins: command.contains("--net container:"),
            creates: command
                .starts_with("rrun create")
                .then(|| run::CreateArgs::augment_args(Command::new("create"))),
        }
    }

    fn is_for(&self, flag: &Known) -> bool {
        let name = flag.name.as_str();
        let is_of_create = |create: &Command| {
            let mut args = create.get_arguments();
            args.any(|arg| arg.get_long() == Some(name))
        };
        let has = |name: &str| self.has.iter().any(|has| has == name);
        let conflicts = has(name) && !SEVERAL.contains(&name)
            || self.is_loop && NOT_IN_A_LOOP.contains(&name)
            || has("network") && NOT_WITH_ITS_NETWORK.contains(&name)
            || self.joins && name == "hostname";
        !conflicts && self.creates.as_ref().is_none_or(is_of_create)
    }
}
