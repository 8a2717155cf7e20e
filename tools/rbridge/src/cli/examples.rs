//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

const OF: [(&str, &str); 12] = [
    (
        "add",
        "  rbridge add br0 --addr 10.1.0.1/24    a bridge, up, with an address
  rbridge add br1                       one without",
    ),
    (
        "del",
        "  rbridge del br0 br1                   what was plugged in stays",
    ),
    (
        "set",
        "  rbridge set br0 --addr 10.2.0.1/24    one more address
  rbridge set br0 --del-addr 10.2.0.1/24",
    ),
    (
        "list",
        "  rbridge list                          a table
  rbridge list --jsonl | jq -r .name    for other programs",
    ),
    (
        "show",
        "  rbridge show br0                      its addresses, links and published ports",
    ),
    (
        "attach",
        "  rbridge attach br0 veth0              the link is plugged in, and up",
    ),
    (
        "detach",
        "  rbridge detach veth0                  it is pulled out",
    ),
    (
        "nat",
        "  rbridge nat --dry-run br0 on          what it would do, as a script of sh
  rbridge nat br0 on                    its network reaches the world",
    ),
    (
        "publish",
        "  rbridge publish 8080:10.1.0.2:80      port 8080 of this host leads inside
  rbridge publish 127.0.0.1:5300:10.1.0.2:53/udp",
    ),
    (
        "unpublish",
        "  rbridge unpublish 8080                it is this host's own again
  rbridge unpublish 127.0.0.1:5300/udp",
    ),
    (
        "default",
        "  rbridge default                       the addresses of the containers' network
  rbridge default --addr 10.9.0.1/16    others, from the next network on",
    ),
    (
        "repair",
        "  rbridge repair                        rules that another program flushed come back",
    ),
];
