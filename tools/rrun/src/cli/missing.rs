//! docker's flags that a verb has not got yet, each with what does the same meanwhile.

use super::elsewhere::Way;

const OWN_ADDRESS: &str = "rnetns add {NETNS} && rveth add eth0@{NETNS} veth9 --addr 10.9.0.2/24 --gw 10.9.0.1 --peer-addr 10.9.0.1/24 && rrun run --net ns:{NETNS} {IMAGE}";
const RESOLV: &str = "rrun run -v \"$PWD/{FILE}:/etc/resolv.conf:ro\" {IMAGE}";
const DEVICE: &str = "rrun run --privileged -v /dev/kmsg:/dev/kmsg {IMAGE}";
const HEALTH: &str = "rrun exec {C} {COMMAND}";
const WINDOWS: &str = "the flag is for Windows alone: leave it out";
const ONE_PLATFORM: &str = "an image in the store is of one platform: leave it out";
const OF_ALL_DEVICES: &str = "the weight is of all devices together";
const OWN: &str =
    "each container has a namespace of its own of this kind; in the host's, with the image's files";
const ON_HOST: &str = "rrun create --name {NAME} {IMAGE} && rrun bundle {NAME} {DIR} && chroot {DIR}/rootfs {COMMAND}";

/// Verbs, flags, and the way.
type Row = (&'static [&'static str], &'static [&'static str], Way);

const fn row(
    verbs: &'static [&'static str],
    flags: &'static [&'static str],
    note: &'static str,
    sh: &'static str,
) -> Row {
    let word = flags[0];
    (verbs, flags, Way { word, note, sh })
}

const RUN: &[&str] = &["run", "create"];

/// All of docker 28's.
pub const FLAGS_MISSING: &[Row] = &[
    row(
        RUN,
        &["--add-host"],
        "a file of hosts",
        "rrun run -v \"$PWD/{FILE}:/etc/hosts:ro\" {IMAGE}",
    ),
    row(
        RUN,
        &["--annotation"],
        "a label is kept with the container",
        "rrun run -l key=value {IMAGE}",
    ),
    row(
        RUN,
        &["--blkio-weight-device"],
        OF_ALL_DEVICES,
        "rrun run --blkio-weight 500 {IMAGE}",
    ),
    row(
        RUN,
        &["--cgroup-parent"],
        "a group of yours",
        "rcgroup create {NAME} && rrun run --cgroup {NAME} {IMAGE}",
    ),
    row(
        RUN,
        &["--cgroupns", "--ipc", "--pid", "--uts"],
        OWN,
        ON_HOST,
    ),
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
        "rrun run --cpus 0.5 {IMAGE}",
    ),
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
        &["--device", "--device-cgroup-rule", "--gpus"],
        "every device may be opened with --privileged",
        DEVICE,
    ),
    row(
        RUN,
        &[
            "--device-read-bps",
            "--device-read-iops",
            "--device-write-bps",
            "--device-write-iops",
        ],
        OF_ALL_DEVICES,
        "rrun run --blkio-weight 500 {IMAGE}",
    ),
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
        RESOLV,
    ),
    row(
        RUN,
        &["--domainname"],
        "the host name may have a domain",
        "rrun run -h web.example {IMAGE}",
    ),
    row(
        RUN,
        &["--group-add"],
        "one group goes with the user",
        "rrun run -u 0:5 {IMAGE}",
    ),
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
        HEALTH,
    ),
    row(
        RUN,
        &["--no-healthcheck"],
        "no health check is run: leave it out",
        "",
    ),
    row(
        RUN,
        &["--ip", "--ip6", "--link-local-ip", "--mac-address"],
        "a network namespace of yours has the address that you give it",
        OWN_ADDRESS,
    ),
    row(
        RUN,
        &["--link"],
        "two containers of one network namespace reach each other at localhost",
        "rrun run --net container:{C} {IMAGE}",
    ),
    row(
        RUN,
        &["--network-alias", "--net-alias"],
        "a file of hosts",
        "rrun run -v \"$PWD/{FILE}:/etc/hosts:ro\" {IMAGE}",
    ),
    row(
        RUN,
        &["--kernel-memory"],
        "the memory limit counts the kernel's too",
        "rrun run -m 512m {IMAGE}",
    ),
    row(
        RUN,
        &["--label-file"],
        "each line is a label",
        "rrun run $(sed 's/^/-l /' {FILE}) {IMAGE}",
    ),
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
        "rrun run -m 512m --memory-swap 512m {IMAGE}",
    ),
    row(
        RUN,
        &["--oom-kill-disable"],
        "the kernel chooses whom it kills, and a container that may be the first says so",
        "rrun run --oom-score-adj 500 {IMAGE}",
    ),
    row(
        RUN,
        &["--pull"],
        "nothing is pulled as a container starts",
        "rm -f image.tar && skopeo copy docker://{IMAGE} docker-archive:image.tar:{IMAGE} && rrun load -i image.tar",
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
        "until rrun run --rm {IMAGE}; do sleep 1; done",
    ),
    row(
        RUN,
        &["--runtime"],
        "another runtime takes a bundle",
        "rrun create --name {NAME} {IMAGE} && rrun bundle {NAME} {DIR} && runc run -b {DIR} {ID}",
    ),
    row(
        RUN,
        &["--shm-size"],
        "",
        "rrun run --tmpfs /dev/shm:size=128m {IMAGE}",
    ),
    row(
        RUN,
        &["--storage-opt"],
        "the root has the size of the disk: leave it out",
        "",
    ),
    row(
        RUN,
        &["--sysctl"],
        "a network namespace of yours has the settings that you give it",
        "rnetns add {NETNS} && rnetns exec {NETNS} sysctl -w net.ipv4.ip_unprivileged_port_start=0 && rrun run --net ns:{NETNS} {IMAGE}",
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
        "rrun run -v \"$PWD/{DIR}:/data\" {IMAGE}",
    ),
    row(
        RUN,
        &["--volumes-from"],
        "",
        "rrun run $(rrun inspect -f '{{range .Mounts}}-v {{if .Name}}{{.Name}}{{else}}{{.Source}}{{end}}:{{.Destination}}{{if not .RW}}:ro{{end}} {{end}}' {C}) {IMAGE}",
    ),
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
];

/// What does the same as a flag that a verb has not got.
pub(super) fn way(verb: &str, flag: &str) -> Option<&'static Way> {
    let found = FLAGS_MISSING
        .iter()
        .find(|(verbs, flags, _)| verbs.contains(&verb) && flags.contains(&flag));
    found.map(|(.., way)| way)
}
