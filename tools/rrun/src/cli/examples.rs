//! What stands at the end of each verb's help; a test types it.

use clap::Command;

pub(super) fn of(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF)
}

/// The same of a verb of `volume`.
pub(super) fn of_volume(verb: Command) -> Command {
    kit_cli::with_examples(verb, &OF_VOLUME)
}

/// The examples of a group.
pub(super) fn examples(group: &str) -> &'static str {
    let found = OF_GROUPS.iter().find(|(name, _)| *name == group);
    found.map_or("", |(_, examples)| examples)
}

const OF_VOLUME: [(&str, &str); 3] = [
    (
        "ls",
        "  rrun volume ls
  rrun volume ls -q -f name=^data -f dangling=true",
    ),
    (
        "rm",
        "  rrun volume rm -f data                           though it may not exist",
    ),
    (
        "prune",
        "  rrun volume prune -f                             those without a name, unasked",
    ),
];

const OF_GROUPS: [(&str, &str); 2] = [
    (
        "container",
        "  rrun container ls -a                             as rrun ps -a",
    ),
    (
        "image",
        "  rrun image ls                                    as rrun images",
    ),
];

const OF: [(&str, &str); 22] = [
    (
        "run",
        "  rrun run -it --rm tools sh                       a shell in a container
  rrun run -d --name web -p 8080:80 tools sleep 1000
  rrun run --rm -m 64m --cpus 0.5 -v data:/data tools ls /data
  rrun run --rm --explain tools id                 each step, and why",
    ),
    (
        "create",
        "  rrun create --name db tools sleep 1000           made, and not started
  rrun create --dry-run tools id                   the script of sh that does the same",
    ),
    (
        "start",
        "  rrun start db                                    in the background",
    ),
    (
        "restart",
        "  rrun restart -t 1 web                            a second to end by itself",
    ),
    (
        "wait",
        "  rrun wait web                                    prints its exit code once it has ended",
    ),
    (
        "ps",
        "  rrun ps -a                                       those that have ended too
  rrun ps --format '{{.Names}} {{.Status}}'
  rrun ps -aq --filter status=exited | rrun rm -",
    ),
    (
        "logs",
        "  rrun logs --tail 20 web
  rrun logs --since 10m -t web                     with the times",
    ),
    (
        "exec",
        "  rrun exec web ls /                               one more program in it
  rrun exec -it web sh                             a shell",
    ),
    (
        "attach",
        "  rrun attach web                                  Ctrl-P Ctrl-Q leaves it running",
    ),
    (
        "stop",
        "  rrun stop web                                    SIGTERM, and SIGKILL 10 seconds later
  rrun ps -q | rrun stop -t 1 -                    all of them",
    ),
    (
        "kill",
        "  rrun kill db                                     at once
  rrun kill -s HUP web                             any signal",
    ),
    (
        "rm",
        "  rrun rm -f web                                   though it runs",
    ),
    (
        "rename",
        "  rrun rename db cache",
    ),
    (
        "inspect",
        "  rrun inspect web | jq '.[0].State'
  rrun inspect -f '{{.State.Status}}' web",
    ),
    (
        "top",
        "  rrun top web
  rrun top web -o pid,rss,args                     the columns of your choice",
    ),
    (
        "port",
        "  rrun port web                                    all of its published ports
  rrun port web 80                                 of one",
    ),
    (
        "bundle",
        "  rrun bundle cache dir                            dir/config.json and dir/rootfs, for runc run -b dir
  rrun bundle --umount cache dir                   the root is let go",
    ),
    (
        "gc",
        "  rrun gc --dry-run                                what killed processes left, as a script
  rrun gc                                          it goes",
    ),
    (
        "info",
        "  rrun info
  rrun info -f '{{.DockerRootDir}}'",
    ),
    (
        "version",
        "  rrun version",
    ),
    (
        "doctor",
        "  rrun doctor                                      what this kernel can do, by doing it",
    ),
    (
        "volume",
        "  rrun volume ls
  rrun volume ls -q -f name=^data -f dangling=true
  rrun volume rm data
  rrun volume prune -f                             those without a name, unasked",
    ),
];
