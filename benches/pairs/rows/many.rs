//! Three hundred names through a pipe, beside the tools that take a list too: `ip -batch`, brctl(8), cgcreate(1).

use super::Row;
use crate::side::Side;

pub const ROWS: &[&Row] = &[
    &NETNS_ADD,
    &NETNS_DEL,
    &CABLES,
    &ATTACH,
    &CGROUP_CREATE,
    &CGROUP_DEL,
];

const NETNS: &str = "
    for i in $(seq 300); do echo {n}-$i; done >names
    sed 's/^/netns add /' names >add
    sed 's/^/netns del /' names >del";
const IP_ADD: &str = "ip -batch add";
const IP_DEL: &str = "ip -batch del";

const NETNS_ADD: Row = Row {
    needs: &["ip"],
    setup: NETNS,
    ..Row::new(
        "rnetns/add-300",
        "rnetns add --lo-down -, 300 names",
        Side {
            after: IP_DEL,
            ..Side::new("rnetns", &["rnetns add --lo-down - <{dir}/names"])
        },
        &[Side {
            after: IP_DEL,
            ..Side::new("ip -batch", &["ip -batch {dir}/add"])
        }],
    )
};

const NETNS_DEL: Row = Row {
    needs: &["ip"],
    setup: NETNS,
    ..Row::new(
        "rnetns/del-300",
        "rnetns del -, 300 names",
        Side {
            before: IP_ADD,
            ..Side::new("rnetns", &["rnetns del - <{dir}/names"])
        },
        &[Side {
            before: IP_ADD,
            ..Side::new("ip -batch", &["ip -batch {dir}/del"])
        }],
    )
};

const NO_CABLES: &str = "seq 300 | sed 's/.*/link del a&/' | ip -batch -";
const CABLES: Row = Row {
    apart: true,
    needs: &["ip"],
    setup: "
        seq 300 | sed 's/.*/a& b&/' >pairs
        seq 300 | sed 's/.*/link add a& up type veth peer name b&\\nlink set b& up/' >batch",
    ..Row::new(
        "rveth/add-300",
        "rveth add -, 300 cables",
        Side {
            after: NO_CABLES,
            ..Side::new("rveth", &["rveth add - <{dir}/pairs"])
        },
        &[Side {
            after: NO_CABLES,
            ..Side::new("ip -batch", &["ip -batch {dir}/batch"])
        }],
    )
};

const PULL_OUT: &str = "seq 300 | sed 's/.*/link set a& nomaster/' | ip -batch -";
const ATTACH: Row = Row {
    apart: true,
    needs: &["ip"],
    setup: "
        ip link add br0 up type bridge
        seq 300 | sed 's/.*/link add a& up type veth peer name b&/' | ip -batch -
        seq 300 | sed 's/^/a/' >names
        seq 300 | sed 's/.*/link set a& master br0/' >batch
        echo exec brctl addif br0 $(cat names) >brctl.sh",
    ..Row::new(
        "rbridge/attach-300",
        "rbridge attach br0 -, 300 links",
        Side {
            after: PULL_OUT,
            ..Side::new("rbridge", &["rbridge attach br0 - <{dir}/names"])
        },
        &[
            Side {
                needs: &["brctl"],
                after: PULL_OUT,
                ..Side::new("brctl addif", &["sh {dir}/brctl.sh"])
            },
            Side {
                after: PULL_OUT,
                ..Side::new("ip -batch", &["ip -batch {dir}/batch"])
            },
        ],
    )
};

// Both make the same directories: cgcreate is told which hierarchies rcgroup takes. cgdelete removes a group from the first
// hierarchy it is told and from no other, so it is called once for each.
const CGROUPS: &str = "cgroup_lists {n}";
const NO_CGROUPS: &str = "rcgroup del - <names";
const CGROUPS_AS_OURS: &str = "rcgroup create -m 64m --pids-limit 50 - <names";

const CGROUP_CREATE: Row = Row {
    needs: &["cgcreate"],
    setup: CGROUPS,
    ..Row::new(
        "rcgroup/create-300",
        "rcgroup create -m --pids-limit -, 300 names",
        Side {
            after: NO_CGROUPS,
            ..Side::new(
                "rcgroup",
                &["rcgroup create -m 64m --pids-limit 50 - <{dir}/names"],
            )
        },
        &[Side {
            after: NO_CGROUPS,
            ..Side::new("cgcreate, no limits", &["sh {dir}/cgcreate.sh"])
        }],
    )
};

const CGROUP_DEL: Row = Row {
    needs: &["cgcreate"],
    setup: CGROUPS,
    ..Row::new(
        "rcgroup/del-300",
        "rcgroup del -, 300 names",
        Side {
            before: CGROUPS_AS_OURS,
            ..Side::new("rcgroup", &["rcgroup del - <{dir}/names"])
        },
        &[Side {
            before: CGROUPS_AS_OURS,
            ..Side::new("cgdelete", &["sh -e {dir}/cgdelete.sh"])
        }],
    )
};
