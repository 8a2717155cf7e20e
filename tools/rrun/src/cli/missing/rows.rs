//! The rows of `missing`.

use super::value::{self, ADDRESSES};
use super::{Missing, row};

const CABLE: &str = "rnetns add {NETNS} && rveth add eth0@{NETNS} veth9 {VALUE} && rrun {VERB} --net ns:{NETNS} {WORDS}";
const OWN_NETNS: &str = "a network namespace of yours has the address that you give it";
const WEIGHT: &str = "rrun {VERB} --blkio-weight {VALUE} {WORDS}";
const WINDOWS: &str = "the flag is for Windows alone: leave it out";
const ONE_PLATFORM: &str = "an image in the store is of one platform: leave it out";
const OF_ALL_DEVICES: &str = "the weight is of all devices together";
const OWN: &str =
    "each container has a namespace of its own of this kind; in the host's, with the image's files";
const ON_HOST: &str = "rrun create --name {NAME} {IMAGE} && rrun bundle {NAME} {DIR} && chroot {DIR}/rootfs {COMMAND}";
pub(super) const NO_BUNDLE: &str = "rrun bundle --umount {NAME} {DIR} && rm {DIR}/config.json && rmdir {DIR}/rootfs {DIR} && rrun rm {NAME}";

pub(super) const RUN: &[&str] = &["run", "create"];

/// All of docker 28's.
pub const FLAGS_MISSING: &[Missing] = &[
    row(
        RUN,
        &["--add-host"],
        "a file of hosts",
        "printf '%s\\n' '127.0.0.1 localhost' {VALUE} >box-hosts && rrun {VERB} -v \"$PWD/box-hosts:/etc/hosts:ro\" {WORDS}",
    )
    .value("'10.0.0.5 db'", value::host)
    .undone("rm box-hosts"),
    row(
        RUN,
        &["--annotation"],
        "a label is kept with the container",
        "rrun {VERB} {VALUE} {WORDS}",
    )
    .value("-l key=value", value::label),
    row(
        RUN,
        &["--blkio-weight-device"],
        OF_ALL_DEVICES,
        WEIGHT,
    )
    .value("500", value::weight),
    row(
        RUN,
        &["--cgroup-parent"],
        "a group of yours",
        "rcgroup create {VALUE}/{NAME} && rrun {VERB} --cgroup {VALUE}/{NAME} {WORDS}",
    )
    .value("{NAME}", value::parent)
    .undone("rcgroup del {VALUE}/{NAME}"),
    row(
        RUN,
        &["--cgroupns", "--ipc", "--pid", "--uts"],
        OWN,
        ON_HOST,
    )
    .undone(NO_BUNDLE),
    row(
        RUN,
        &["--userns"],
        "containers run without a user namespace: leave it out",
        "",
    ),
    row(
        RUN,
        &["--cpu-period", "--cpu-quota"],
        "the quota divided by the period",
        "rrun {VERB} --cpus {VALUE} {WORDS}",
    )
    .value("0.5", value::cpus),
    row(
        RUN,
        &["--cpu-rt-period", "--cpu-rt-runtime"],
        "no limit of real-time scheduling is set: leave it out",
        "",
    ),
    row(
        RUN,
        &[
            "--cpu-count",
            "--cpu-percent",
            "--io-maxbandwidth",
            "--io-maxiops",
            "--isolation",
        ],
        WINDOWS,
        "",
    ),
    row(
        RUN,
        &["--device"],
        "every device may be opened with --privileged",
        "rrun {VERB} --privileged {VALUE} {WORDS}",
    )
    .value("-v /dev/kmsg:/dev/kmsg", value::device),
    row(
        RUN,
        &["--device-cgroup-rule"],
        "every device may be opened with --privileged",
        "rrun {VERB} --privileged {WORDS}",
    ),
    row(
        RUN,
        &["--gpus"],
        "the devices of NVIDIA's driver, whose libraries the image has to have",
        "rrun {VERB} --privileged $(find /dev -maxdepth 1 -name 'nvidia*' -printf '-v %p:%p ') {WORDS}",
    ),
    row(
        RUN,
        &["--device-read-bps", "--device-read-iops", "--device-write-bps", "--device-write-iops"],
        OF_ALL_DEVICES,
        WEIGHT,
    )
    .value("500", value::weight),
    row(
        RUN,
        &["--disable-content-trust"],
        "no signature is verified: leave it out",
        "",
    ),
    row(
        RUN,
        &["--dns", "--dns-option", "--dns-opt", "--dns-search"],
        "a file for the resolver",
        "printf '%s\\n' {VALUE} >box-resolv.conf && rrun {VERB} -v \"$PWD/box-resolv.conf:/etc/resolv.conf:ro\" {WORDS}",
    )
    .value("'nameserver 9.9.9.9'", value::resolver)
    .undone("rm box-resolv.conf"),
    row(
        RUN,
        &["--domainname"],
        "the host name may have a domain",
        "rrun {VERB} -h {VALUE} {WORDS}",
    )
    .value("web.example", value::domain),
    row(
        RUN,
        &["--group-add"],
        "one group goes with the user",
        "rrun {VERB} -u {VALUE} {WORDS}",
    )
    .value("0:5", value::group),
    row(
        RUN,
        &[
            "--health-cmd",
            "--health-interval",
            "--health-retries",
            "--health-start-interval",
            "--health-start-period",
            "--health-timeout",
        ],
        "a check is a program in the container",
        "rrun exec {C} sh -c {VALUE}",
    )
    .value("true", value::check),
    row(
        RUN,
        &["--no-healthcheck"],
        "no health check is run: leave it out",
        "",
    ),
    row(
        RUN,
        &["--ip", "--ip6", "--link-local-ip"],
        OWN_NETNS,
        CABLE,
    )
    .value(ADDRESSES, value::cable)
    .undone("rnetns del {NETNS}"),
    row(
        RUN,
        &["--mac-address"],
        OWN_NETNS,
        CABLE,
    )
    .value("--mac 02:00:00:00:00:09 --addr 10.9.0.2/24 --gw 10.9.0.1 --peer-addr 10.9.0.1/24", value::cable)
    .undone("rnetns del {NETNS}"),
    row(
        RUN,
        &["--link"],
        "two containers of one network namespace reach each other at localhost",
        "rrun {VERB} --net container:{VALUE} {WORDS}",
    )
    .value("{C}", value::container),
    row(
        RUN,
        &["--network-alias", "--net-alias"],
        "a file of hosts, which containers that look for the name mount with -v at /etc/hosts",
        "echo $(rrun inspect -f '{{.NetworkSettings.IPAddress}}' {C}) {VALUE} >box-hosts",
    )
    .value("db", value::each)
    .undone("rm box-hosts"),
    row(
        RUN,
        &["--kernel-memory"],
        "the memory limit counts the kernel's too",
        "rrun {VERB} -m {VALUE} {WORDS}",
    )
    .value("512m", value::last),
    row(
        RUN,
        &["--label-file"],
        "each line is a label without blanks",
        "rrun {VERB} $(sed -n '/^[^#]/s/^/-l /p' {VALUE}) {WORDS}",
    )
    .value("{FILE}", value::each),
    row(
        RUN,
        &["--log-driver", "--log-opt"],
        "the log is JSON lines",
        "rrun logs {C} | logger -t {C}",
    ),
    row(
        RUN,
        &["--memory-swappiness"],
        "memory and swap together have a limit",
        "rrun {VERB} -m {VALUE} --memory-swap {VALUE} {WORDS}",
    )
    .value("512m", value::memory),
    row(
        RUN,
        &["--oom-kill-disable"],
        "the kernel chooses whom it kills, and a container that may be the first says so",
        "rrun {VERB} --oom-score-adj 500 {WORDS}",
    ),
    row(
        RUN,
        &["--pull"],
        "nothing is pulled as a container starts",
        "skopeo copy -q docker://{IMAGE} docker-archive:/dev/stdout:{IMAGE} | rrun load",
    ),
    row(
        RUN,
        &["--quiet", "-q"],
        "no progress of a pull is printed: leave it out",
        "",
    ),
    row(
        RUN,
        &["--restart"],
        "until it ends with 0",
        "until rrun run --rm {WORDS}; do sleep 1; done",
    ),
    row(
        RUN,
        &["--runtime"],
        "another runtime takes a bundle",
        "rrun create --name {NAME} {WORDS} && rrun bundle {NAME} {DIR} && {VALUE} run -b {DIR} {ID}",
    )
    .value("runc", value::runtime)
    .undone(NO_BUNDLE),
    row(
        RUN,
        &["--shm-size"],
        "",
        "rrun {VERB} --tmpfs /dev/shm:size={VALUE} {WORDS}",
    )
    .value("128m", value::size),
    row(
        RUN,
        &["--storage-opt"],
        "the root has the size of the disk: leave it out",
        "",
    ),
    row(
        RUN,
        &["--sysctl"],
        "net.*, fs.mqueue.*, kernel.domainname, and kernel.msg*, sem and shm* of System V are a container's own; any other is the whole host's, where its owner sets it: leave it out",
        "",
    ),
    row(
        RUN,
        &["--use-api-socket"],
        "rrun has no daemon and no socket: leave it out",
        "",
    ),
    row(
        RUN,
        &["--volume-driver"],
        "what is mounted on this host can be a volume",
        "rrun {VERB} -v \"$PWD/{DIR}:/data\" {WORDS}",
    ),
    row(
        RUN,
        &["--volumes-from"],
        "",
        "rrun {VERB} $(rrun inspect -f '{{range .Mounts}}-v {{if .Name}}{{.Name}}{{else}}{{.Source}}{{end}}:{{.Destination}}{{if not .RW}}:ro{{end}} {{end}}' {VALUE}) {WORDS}",
    )
    .value("{C}", value::containers),
    row(
        &["create"],
        &["--attach", "-a"],
        "the start attaches",
        "rrun start -a {C}",
    ),
    row(
        &["start"],
        &["--checkpoint", "--checkpoint-dir"],
        "no checkpoint can be made: leave it out",
        "",
    ),
    row(
        &["rm"],
        &["--link", "-l"],
        "containers have no links: leave it out",
        "",
    ),
    row(
        &["logs"],
        &["--details"],
        "the log keeps the text alone",
        "rrun logs -t {C}",
    ),
    row(
        &["save", "import", "rmi", "history"],
        &["--platform"],
        ONE_PLATFORM,
        "",
    ),
    row(
        &["images"],
        &["--digests", "--tree"],
        "",
        "rrun images --format 'table {{.Repository}}\\t{{.Tag}}\\t{{.Digest}}'",
    ),
    row(
        &["rmi"],
        &["--no-prune"],
        "rmi removes one image and no other: leave it out",
        "",
    ),
    row(
        &["history"],
        &["--format"],
        "",
        "rrun history --json {IMAGE}",
    ),
    row(
        &["history"],
        &["--human", "-H"],
        "sizes are printed for people: leave it out",
        "",
    ),
    row(
        &["restart"],
        &["--signal", "-s"],
        "it is stopped by that signal, and started",
        "rrun stop {VALUE} {C} && rrun start {C}",
    )
    .value("-s INT", value::signal),
    row(
        &["volume prune"],
        &["--filter"],
        "of volumes without a container those that the filter has",
        "rrun volume ls -q -f dangling=true {VALUE} | xargs -r rrun volume rm",
    )
    .value("-f name=^none$", value::filters),
    row(
        &["volume ls"],
        &["--cluster"],
        "volumes are of this machine: leave it out",
        "",
    ),
];
