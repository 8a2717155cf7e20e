//! Rows of `missing` for some of a flag's values.

use super::rows::RUN;
use super::{Missing, row, value};

/// A way, and of which values it is.
type OfValue = (Missing, fn(&str) -> bool);

/// Those whose way is another one at such a value.
pub const OF_VALUE: &[OfValue] = &[
    (
        row(
            RUN,
            &["--add-host"],
            "a file of hosts",
            "printf '127.0.0.1 localhost\\n%s %s\\n' \"$(rbridge default | awk -F'[ /]+' 'NR == 2 { print $3 }')\" {VALUE} >box-hosts && rrun {VERB} -v \"$PWD/box-hosts:/etc/hosts:ro\" {WORDS}",
        )
        .value("host.docker.internal", value::gateway)
        .undone("rm box-hosts"),
        |value| value.ends_with("host-gateway"),
    ),
    (
        row(
            RUN,
            &["--ipc", "--pid"],
            "one more program in that container",
            "rrun exec {VALUE} {COMMAND}",
        )
        .value("{C}", value::other),
        |value| value.starts_with("container:"),
    ),
    (
        row(
            RUN,
            &["--restart"],
            "again each time it ends",
            "while sleep 1; do rrun run --rm {WORDS}; done",
        ),
        |value| matches!(value, "always" | "unless-stopped"),
    ),
    (
        row(
            RUN,
            &["--restart"],
            "until it ends with 0, or so many times",
            "for n in $(seq {VALUE}); do rrun run --rm {WORDS} && break; sleep 1; done",
        )
        .value("6", value::runs),
        |value| value.starts_with("on-failure:"),
    ),
    (
        row(
            RUN,
            &["--sysctl"],
            "once it runs",
            "nsenter -i -u -t $(rrun inspect -f '{{.State.Pid}}' {C}) sysctl -w {VALUE}",
        )
        .value("kernel.shmmni=100", value::each),
        |value| value.contains('=') && !value.starts_with("net."),
    ),
    (
        row(
            RUN,
            &["--volumes-from"],
            "",
            "rrun {VERB} $(rrun inspect -f '{{range .Mounts}}-v {{if .Name}}{{.Name}}{{else}}{{.Source}}{{end}}:{{.Destination}}:ro {{end}}' {VALUE}) {WORDS}",
        )
        .value("{C}", value::containers),
        |value| value.ends_with(":ro"),
    ),
];
