//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

const OF: [(&str, &str); 5] = [
    (
        "add",
        "  rnetns add blue                       a namespace with lo up
  rnetns add --explain red green        two more, each step told",
    ),
    (
        "del",
        "  rnetns del blue                       programs inside keep it until they end
  rnetns list -q | grep -e red -e green | rnetns del -   what the one lists the other takes",
    ),
    (
        "list",
        "  rnetns list                           a table
  rnetns list --jsonl | jq -r .name     for other programs",
    ),
    (
        "show",
        "  rnetns show blue                      its number, and who is in it",
    ),
    (
        "exec",
        "  rnetns exec blue ip addr              a program inside
  rnetns exec blue -- sh -c 'echo $$'   -- ends what is rnetns's own",
    ),
];
