//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

const OF: [(&str, &str); 4] = [
    (
        "add",
        "  rveth add left@blue right@green       a cable between two namespaces
  rveth add v0 eth0@blue --addr 10.0.0.1/24 --peer-addr 10.0.0.2/24 --peer-gw 10.0.0.1",
    ),
    (
        "del",
        "  rveth del v0                          its other end goes with it
  rveth list --netns blue -q | rveth del -",
    ),
    (
        "list",
        "  rveth list                            the links of this namespace
  rveth list --netns blue --jsonl       those of another, for programs",
    ),
    (
        "set",
        "  rveth set v0 --mtu 1400 --up          two changes, undone together if one fails
  rveth set left@blue --netns green --name west --up",
    ),
];
