//! Containers: begun and ended, entered, listed, stopped, and what they say kept. crun(1) gets the equal bundle: the
//! configuration that `rrun bundle` writes of the same container, its root mounted already.

use super::{BOTH, Media, Row, Unit};
use crate::side::Side;

pub const ROWS: &[&Row] = &[
    &RUN_NONE,
    &RUN_BRIDGED,
    &RUN_LIMITED,
    &RUN_DOCKER,
    &EXEC,
    &START_250,
    &STOP_250,
    &PS_300,
    &LOGS,
    &PSS,
];

const CRUN: Side = Side {
    needs: &["crun"],
    setup: "bundle true",
    clean: "no_bundle",
    ..Side::new(
        "crun run",
        &["crun --root {run}/crun run -b {dir}/bundle {n}"],
    )
};

// The least that a person would do by hand, with no cgroup, no limits, no filter and no state.
const BY_HAND: Side = Side {
    setup: "
        mkdir merged upper work
        runpack unpack bench by-hand
        echo 'mount -t overlay -o lowerdir={dir}/by-hand,upperdir={dir}/upper,workdir={dir}/work overlay {dir}/merged &&
            mount -t proc proc {dir}/merged/proc && exec chroot {dir}/merged true' >by-hand.sh",
    ..Side::new(
        "unshare, mount",
        &["unshare --mount --uts --ipc --net --pid --fork sh {dir}/by-hand.sh"],
    )
};

const RUN_NONE: Row = Row {
    paces: BOTH,
    media: Media::Both,
    setup: "image",
    ..Row::new(
        "rrun/run-none",
        "run --rm --net none",
        Side::new("rrun", &["rrun run --rm --net none bench true"]),
        &[CRUN, BY_HAND],
    )
};

const RUN_BRIDGED: Row = Row {
    paces: BOTH,
    media: Media::Both,
    setup: "image",
    ..Row::new(
        "rrun/run-bridged",
        "run --rm -p 8080:80, bridged with NAT",
        Side::new("rrun", &["rrun run --rm -p 127.0.0.1:{port}:80 bench true"]),
        &[Side {
            name: "crun run, no network",
            ..CRUN
        }],
    )
};

const RUN_LIMITED: Row = Row {
    paces: BOTH,
    media: Media::Both,
    setup: "image",
    ..Row::new(
        "rrun/run-limited",
        "run --rm -p 8080:80 -m --pids-limit --cpus",
        Side::new(
            "rrun",
            &["rrun run --rm -p 127.0.0.1:{port}:80 -m 64m --pids-limit 100 --cpus 1 bench true"],
        ),
        &[Side {
            name: "crun run, no network",
            needs: &["crun", "jq"],
            setup: "bundle true; limit_bundle",
            ..CRUN
        }],
    )
};

const RUN_DOCKER: Row = Row {
    paces: BOTH,
    media: Media::Disk,
    needs: &["docker", "dockerd"],
    setup: "image",
    ..Row::new(
        "rrun/run-docker",
        "run --rm --net none, beside a daemon",
        Side::new("rrun", &["rrun run --rm --net none bench true"]),
        &[Side {
            setup: "daemon; docker_image",
            clean: "no_daemon",
            ..Side::new("docker run", &["docker run --rm --network none bench true"])
        }],
    )
};

const EXEC: Row = Row {
    paces: BOTH,
    setup: "image",
    ..Row::new(
        "rrun/exec",
        "exec",
        Side {
            setup: "rrun run -d --net none --name {n} bench sleep 1000",
            clean: "rrun rm -f {n}",
            ..Side::new("rrun", &["rrun exec {n} true"])
        },
        &[Side {
            needs: &["crun"],
            setup: "bundle sleep 1000; crun_here run -d -b bundle {n}",
            clean: "crun_here delete -f {n}; no_bundle",
            ..Side::new("crun exec", &["crun --root {run}/crun exec {n} true"])
        }],
    )
};

// A loop of a shell's own, a process each.
const START_250: Row = Row {
    setup: "
        image
        seq 250 | sed 's/.*/rrun run -d --net none --name c& bench sleep 1000/' >rrun.sh",
    ..Row::new(
        "rrun/start-250",
        "run -d, 250 times",
        Side {
            after: "ours_gone",
            ..Side::new("rrun", &["sh -e {dir}/rrun.sh"])
        },
        &[Side {
            needs: &["crun"],
            setup: "
                bundle sleep 1000
                seq 250 | sed 's,.*,crun --root {run}/crun run -d -b bundle c&,' >crun.sh",
            after: "crun_gone",
            clean: "no_bundle",
            ..Side::new("crun run -d", &["sh -e {dir}/crun.sh"])
        }],
    )
};

// The first process of a PID namespace gets no signal that it does not handle: sleep ignores TERM.
const STOP_250: Row = Row {
    setup: "
        image
        echo exec rrun stop -t 1 $(seq -f c%.0f 250) >rrun.sh",
    ..Row::new(
        "rrun/stop-250",
        "stop -t 1, 250 that ignore TERM",
        Side {
            before: "many 250 ours_sleeps",
            after: "ours_gone",
            ..Side::new("rrun", &["sh -e {dir}/rrun.sh"])
        },
        &[
            Side {
                needs: &["crun"],
                setup: "
                    bundle sleep 1000
                    seq 250 | sed 's,.*,crun --root {run}/crun kill c& TERM,' >crun.sh
                    echo sleep 1 >>crun.sh
                    seq 250 | sed 's,.*,crun --root {run}/crun kill c& KILL,' >>crun.sh",
                before: "many 250 crun_sleeps",
                after: "crun_gone",
                clean: "no_bundle",
                ..Side::new("crun kill, sleep 1, crun kill", &["sh -e {dir}/crun.sh"])
            },
            Side {
                needs: &["docker", "dockerd"],
                setup: "
                    daemon; docker_image
                    echo exec docker stop -t 1 $(seq -f c%.0f 250) >docker.sh",
                before: "many 250 docker_sleeps",
                after: "docker_gone",
                clean: "no_daemon",
                ..Side::new("docker stop", &["sh -e {dir}/docker.sh"])
            },
        ],
    )
};

const PS_300: Row = Row {
    paces: BOTH,
    setup: "
        image
        for i in $(seq 300); do rrun create --net none --name c$i bench true; done",
    ..Row::new(
        "rrun/ps-300",
        "ps -a, 300 containers",
        Side::new("rrun", &["rrun ps -a"]),
        &[
            Side {
                needs: &["crun"],
                setup: "bundle sleep 1000; many 300 crun_sleeps",
                clean: "crun_gone; no_bundle",
                ..Side::new("crun list", &["crun --root {run}/crun list"])
            },
            Side {
                needs: &["docker", "dockerd"],
                setup: "
                    daemon; docker_image
                    for i in $(seq 300); do docker create --network none --name c$i bench true; done",
                clean: "docker_gone; no_daemon",
                ..Side::new("docker ps -a", &["docker ps -a"])
            },
        ],
    )
};

// 200 MB in lines of 70 bytes, from the container's standard output to its log.
const LOGS: Row = Row {
    media: Media::Disk,
    setup: "
        image
        yes 'a line of a log that has seventy bytes with its end, as many lines do' | head -c 200000000 >lines",
    ..Row::new(
        "rrun/logs",
        "logs to disk, 200 MB of 70-byte lines",
        Side {
            before: "sync -f .",
            after: "rrun rm -f {n}",
            ..Side::new(
                "rrun run -d, wait",
                &[
                    "rrun run -d --net none --name {n} -v {dir}/lines:/lines bench cat /lines",
                    "rrun wait {n}",
                ],
            )
        },
        &[Side {
            before: "rm -f copy; sync -f .",
            ..Side::new("cat >file", &["cat {dir}/lines >{dir}/copy"])
        }],
    )
};

const PSS: Row = Row {
    unit: Unit::KiB,
    setup: "image",
    ..Row::new(
        "rrun/monitor-pss",
        "monitor, idle: PSS",
        Side {
            before: "ours_sleeps {n}",
            after: "rrun rm -f {n}",
            ..Side::new("rrun", &["monitor_pss {n}"])
        },
        &[Side {
            needs: &["docker", "dockerd"],
            setup: "daemon; docker_image",
            before: "docker_sleeps {n}",
            after: "docker rm -f {n}",
            clean: "no_daemon",
            ..Side::new("docker's shim", &["shim_pss {n}"])
        }],
    )
};
