//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

const OF: [(&str, &str); 6] = [
    (
        "overlay",
        "  rmount overlay -l app -l base --upper up --work wk root    two layers, changes go to up",
    ),
    (
        "bind",
        "  rmount bind --ro -m pages root/www                         the same files, read-only there",
    ),
    (
        "tmpfs",
        "  rmount tmpfs -m --size 64m root/tmp                        files in memory",
    ),
    (
        "umount",
        "  rmount umount root/tmp                                     one of them
  rmount list -q --under $PWD/root | tac | rmount umount -   all, the last first",
    ),
    (
        "list",
        "  rmount list --kind overlay                                 a table
  rmount list --under $PWD/root --jsonl | jq -r .name        for other programs",
    ),
    (
        "diff",
        "  rmount diff root                                           what changed, as docker diff",
    ),
];
