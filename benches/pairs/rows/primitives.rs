//! One object made and taken away, beside ip(8), mount(8) and umount(8).

use super::{BOTH, Row};
use crate::side::Side;

pub const ROWS: &[&Row] = &[&NETNS, &CABLE, &OVERLAY, &BIND];

const NETNS: Row = Row {
    paces: BOTH,
    needs: &["ip"],
    ..Row::new(
        "rnetns/add-del",
        "rnetns add, del",
        Side::new("rnetns", &["rnetns add {n}", "rnetns del {n}"]),
        &[Side::new(
            "ip netns, lo up",
            &[
                "ip netns add {n}",
                "ip -n {n} link set lo up",
                "ip netns del {n}",
            ],
        )],
    )
};

// A cable between two namespaces, with addresses, up. Each is made between namespaces of its own, since the kernel takes
// a cable away in its own time.
const TWO: &str = "ip netns add {n}x; ip netns add {n}y";
const NO_TWO: &str = "ip netns del {n}x; ip netns del {n}y";

const CABLE: Row = Row {
    needs: &["ip"],
    ..Row::new(
        "rveth/add",
        "rveth add, two namespaces, addresses",
        Side {
            before: TWO,
            after: NO_TWO,
            ..Side::new(
                "rveth",
                &["rveth add a@{n}x b@{n}y --addr 10.77.0.1/24 --peer-addr 10.77.0.2/24"],
            )
        },
        &[Side {
            before: TWO,
            after: NO_TWO,
            ..Side::new(
                "ip, five times",
                &[
                    "ip -n {n}x link add name a type veth peer name b netns {n}y",
                    "ip -n {n}x addr add 10.77.0.1/24 dev a",
                    "ip -n {n}x link set dev a up",
                    "ip -n {n}y addr add 10.77.0.2/24 dev b",
                    "ip -n {n}y link set dev b up",
                ],
            )
        }],
    )
};

const OVERLAY: Row = Row {
    paces: BOTH,
    setup: "mkdir lower upper work at; echo hello >lower/file",
    ..Row::new(
        "rmount/overlay",
        "rmount overlay, umount",
        Side::new(
            "rmount",
            &[
                "rmount overlay -l {dir}/lower --upper {dir}/upper --work {dir}/work {dir}/at",
                "rmount umount {dir}/at",
            ],
        ),
        &[Side::new(
            "mount",
            &[
                "mount -t overlay overlay -o lowerdir={dir}/lower,upperdir={dir}/upper,workdir={dir}/work {dir}/at",
                "umount {dir}/at",
            ],
        )],
    )
};

const BIND: Row = Row {
    paces: BOTH,
    setup: "mkdir lower at",
    ..Row::new(
        "rmount/bind",
        "rmount bind --ro, umount",
        Side::new(
            "rmount",
            &[
                "rmount bind --ro {dir}/lower {dir}/at",
                "rmount umount {dir}/at",
            ],
        ),
        &[Side::new(
            "mount",
            &["mount -o bind,ro {dir}/lower {dir}/at", "umount {dir}/at"],
        )],
    )
};
