//! Images unpacked and loaded, beside tar(1), which checks nothing, umoci(1) and docker(1).

use super::{Media, Row};
use crate::side::Side;

pub const ROWS: &[&Row] = &[&SMALL, &BIG, &LOAD];

const FRESH: &str = "rm -rf out; mkdir out";

// Two copies of the time zones, as every Debian has them: 2,600 files.
const SMALL: Row = Row {
    media: Media::Disk,
    needs: &["umoci"],
    setup: "
        mkdir tree; cp -a /usr/share/zoneinfo tree/one; cp -a /usr/share/zoneinfo tree/two; tar -C tree -cf layer.tar .
        gzip -k layer.tar; umoci init --layout oci; umoci new --image oci:files
        umoci raw add-layer --image oci:files layer.tar",
    ..Row::new(
        "runpack/unpack",
        "runpack unpack",
        Side {
            before: FRESH,
            ..Side::new("runpack", &["runpack unpack oci:{dir}/oci:files {dir}/out/root"])
        },
        &[
            Side {
                before: FRESH,
                ..Side::new("tar -xzf", &["tar -C {dir}/out -xzf {dir}/layer.tar.gz"])
            },
            Side {
                before: FRESH,
                ..Side::new(
                    "umoci unpack",
                    &["umoci unpack --image {dir}/oci:files {dir}/out/bundle"],
                )
            },
        ],
    )
};

// What the last one wrote is on the disk before the next begins.
const FRESH_SYNCED: &str = "rm -rf out; mkdir out; sync -f .";

const BIG: Row = Row {
    media: Media::Disk,
    needs: &["umoci", "skopeo"],
    setup: "big_image",
    ..Row::new(
        "runpack/unpack-700m",
        "runpack unpack, 700 MB, 50,000 files, 4 layers",
        Side {
            before: FRESH_SYNCED,
            ..Side::new(
                "runpack",
                &["runpack unpack oci:{cache}/oci:big {dir}/out/root"],
            )
        },
        &[
            Side {
                before: FRESH_SYNCED,
                ..Side::new(
                    "tar -xzf, 4 times",
                    &[
                        "tar -C {dir}/out -xzf {cache}/1.tar.gz",
                        "tar -C {dir}/out -xzf {cache}/2.tar.gz",
                        "tar -C {dir}/out -xzf {cache}/3.tar.gz",
                        "tar -C {dir}/out -xzf {cache}/4.tar.gz",
                    ],
                )
            },
            Side {
                before: FRESH_SYNCED,
                ..Side::new(
                    "umoci unpack",
                    &["umoci unpack --image {cache}/oci:big {dir}/out/bundle"],
                )
            },
        ],
    )
};

// Both take the archive into a store of their own, layers unpacked.
const LOAD: Row = Row {
    media: Media::Disk,
    needs: &["umoci", "skopeo"],
    setup: "big_image",
    ..Row::new(
        "rrun/load-700m",
        "load, 700 MB, 50,000 files, 4 layers",
        Side {
            before: "rrun rmi -f big >/dev/null 2>&1 || :; rrun gc; sync -f .",
            ..Side::new("rrun load", &["rrun load -i {cache}/big.tar"])
        },
        &[Side {
            needs: &["docker", "dockerd"],
            setup: "daemon",
            before: "docker rmi -f big:latest >/dev/null 2>&1 || :; sync -f .",
            clean: "no_daemon",
            ..Side::new("docker load", &["docker load -q -i {cache}/big.tar"])
        }],
    )
};
