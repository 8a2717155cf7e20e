//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

const OF: [(&str, &str); 9] = [
    (
        "create",
        "  rcgroup create web -m 64m --pids-limit 50    a group with limits
  rcgroup create --dry-run work --cpus 1.5     the script of sh that does the same",
    ),
    (
        "del",
        "  rcgroup del web                              an empty group
  rcgroup del --force db                       what runs in it is killed",
    ),
    (
        "list",
        "  rcgroup list                                 a table
  rcgroup list --jsonl | jq -r .name           for other programs",
    ),
    (
        "show",
        "  rcgroup show web                             its limits, and what it uses of them
  rcgroup show --json web | jq '.[0].pids_limit'",
    ),
    (
        "set",
        "  rcgroup set web -m 128m                      the value that the kernel took is read back
  rcgroup set web --pids-limit -1              no limit",
    ),
    (
        "get",
        "  rcgroup get web pids.max                     a control file, as the kernel shows it",
    ),
    (
        "exec",
        "  rcgroup exec web -- sh -c 'cat /proc/self/cgroup'",
    ),
    (
        "stats",
        "  rcgroup stats web                            what it uses
  rcgroup stats --jsonl web                    for other programs",
    ),
    (
        "map",
        "  rcgroup map --cpu-shares 512                 which kernel file that becomes, by which formula",
    ),
];
