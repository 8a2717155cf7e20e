//! Rows of `missing` for some of a flag's values.

use super::rows::{NO_BUNDLE, RUN};
use super::sysctl::{self, Of};
use super::{Missing, row, value};
use crate::cli::typed::Typed;

/// A way, and of which values of the flag it is.
pub type OfValue = (Missing, fn(&[&str], &Typed) -> bool);

/// Those whose way is another one at such a value.
pub const OF_VALUE: &[OfValue] = &[
    (
        row(
            RUN,
            &["--group-add"],
            "one group goes with the user here, and another runtime gives several",
            "rrun create --name {NAME} {WORDS} && rrun bundle {NAME} {DIR} && jq '.process.user.additionalGids = [{VALUE}]' {DIR}/config.json >{DIR}/groups.json && mv {DIR}/groups.json {DIR}/config.json && runc run -b {DIR} {ID}",
        )
        .value("5,6", value::groups)
        .undone(NO_BUNDLE),
        |values, typed| values.len() > 1 && value::groups(values, typed).is_some(),
    ),
    (
        row(
            RUN,
            &["--group-add"],
            "of several groups each is given by its number, which the image's /etc/group has",
            "",
        ),
        |values, _| values.len() > 1,
    ),
    (
        row(
            RUN,
            &["--ipc", "--pid"],
            "one more program in that container",
            "rrun exec {VALUE} {COMMAND}",
        )
        .value("{C}", value::other),
        |values, typed| value::other(values, typed).is_some(),
    ),
    (
        row(
            RUN,
            &["--restart"],
            "again each time it ends",
            "while sleep 1; do rrun run --rm {WORDS}; done",
        ),
        |values, _| matches!(values.last(), Some(&("always" | "unless-stopped"))),
    ),
    (
        row(
            RUN,
            &["--restart"],
            "until it ends with 0, or so many times",
            "for n in $(seq {VALUE}); do rrun run --rm {WORDS} && break; sleep 1; done",
        )
        .value("6", value::runs),
        |values, typed| value::runs(values, typed).is_some(),
    ),
    (
    row(
        RUN,
        &["--sysctl"],
        "a network namespace of yours has the settings that you give it",
        "rnetns add {NETNS} && rnetns exec {NETNS} sysctl -w {VALUE} && rrun {VERB} --net ns:{NETNS} {WORDS}",
    )
    .value("net.ipv4.ip_unprivileged_port_start=0", value::each)
    .undone("rnetns del {NETNS}"),
        |values, typed| sysctl::are(values, typed, Of::Network),
    ),
    (
        row(
            RUN,
            &["--sysctl"],
            "once it runs",
            "nsenter -i -u -t $(rrun inspect -f '{{.State.Pid}}' {C}) sysctl -w {VALUE}",
        )
        .value("kernel.shmmni=100", value::each),
        |values, typed| sysctl::are(values, typed, Of::Ipc),
    ),
    (
        row(
            RUN,
            &["--sysctl"],
            "once it runs",
            "nsenter -n -i -u -t $(rrun inspect -f '{{.State.Pid}}' {C}) sysctl -w {VALUE}",
        )
        .value(
            "kernel.shmmni=100 net.ipv4.ip_unprivileged_port_start=0",
            value::each,
        ),
        |values, typed| sysctl::are(values, typed, Of::Both),
    ),
    (
        row(
            RUN,
            &["--volumes-from"],
            "",
            "rrun {VERB} $(rrun inspect -f '{{range .Mounts}}-v {{if .Name}}{{.Name}}{{else}}{{.Source}}{{end}}:{{.Destination}}:ro {{end}}' {VALUE}) {WORDS}",
        )
        .value("{C}", value::containers),
        |values, _| values.last().is_some_and(|value| value.ends_with(":ro")),
    ),
];
