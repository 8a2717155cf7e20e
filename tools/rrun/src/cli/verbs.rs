//! The ways that stand for docker's verbs that are none of ours.

use super::elsewhere::{Way, way};

const DISK: &str = "du -sh \"$(rrun info -f '{{.DockerRootDir}}')\"/*";
const ONE_HOST: &str = "containers run on this machine only";
const ELSEWHERE: &str = "ssh {HOST} rrun run {IMAGE}";
const SCRIPT: &str = "a shell script of rrun run lines does it";
const MOUNTED: &str = "rrun run -v \"$PWD/{FILE}:/run/secrets/file:ro\" {IMAGE}";

/// docker's verbs that are none of ours, each with the way that works.
pub const VERBS_ELSEWHERE: &[Way] = &[
    way(
        "pull",
        "",
        "skopeo copy -q docker://{IMAGE} docker-archive:/dev/stdout:{IMAGE} | rrun load",
    ),
    way(
        "push",
        "",
        "(file=$(mktemp); trap 'rm -f $file' EXIT; rrun save -o $file {IMAGE} && skopeo copy docker-archive:$file docker://{IMAGE})",
    ),
    way(
        "build",
        "an image of programs of this machine",
        "runpack pack -t {NAME} --bin {PROGRAM}",
    ),
    way(
        "buildx",
        "an image of programs of this machine",
        "runpack pack -t {NAME} --bin {PROGRAM}",
    ),
    way(
        "commit",
        "without the image's CMD and ENV, which import -c sets",
        "tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' {C})/root --one-file-system -c . | rrun import - {NAME}",
    ),
    way(
        "export",
        "",
        "(set -C; tar -C /proc/$(rrun inspect -f '{{.State.Pid}}' {C})/root --one-file-system -c . >box-{C}.tar)",
    ),
    way(
        "cp",
        "a file out of a container, and a file into one",
        "rrun exec {C} cat {PATH} >{FILE}; rrun exec -i {C} sh -c 'cat >{PATH}' <{FILE}",
    ),
    way(
        "diff",
        "",
        "rmount diff $(rrun inspect -f '{{.GraphDriver.Data.UpperDir}}' {C})",
    ),
    way(
        "stats",
        "",
        "ps -o pid,%cpu,rss,args -p $(pgrep -d, --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid)",
    ),
    way(
        "pause",
        "",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid | xargs kill -STOP",
    ),
    way(
        "unpause",
        "",
        "pgrep --ns $(rrun inspect -f '{{.State.Pid}}' {C}) --nslist pid | xargs kill -CONT",
    ),
    way(
        "update",
        "of a limit that the container was started with",
        "rcgroup set \"$(rrun info -f '{{.Instance}}')/$(rrun inspect -f '{{.Id}}' {C})\" {VALUE}",
    )
    .such_as("-m 512m"),
    way(
        "network",
        "a network of your own is a namespace that rveth and rbridge connect",
        "rnetns add {NETNS} && rrun run --net ns:{NETNS} {IMAGE}",
    )
    .undone("rnetns del {NETNS}"),
    way(
        "network create",
        "a network of your own is a namespace, which rrun run --net ns:NETNS joins",
        "rnetns add {NETNS}",
    )
    .undone("rnetns del {NETNS}"),
    way("network rm", "", "rnetns del {NETNS}"),
    way("network inspect", "", "rbridge list --json"),
    way(
        "network connect",
        "a cable of its own",
        "rveth add eth9@pid:$(rrun inspect -f '{{.State.Pid}}' {C}) bkcable9 --addr 10.98.0.2/24 --peer-addr 10.98.0.1/24",
    )
    .undone("rveth del bkcable9"),
    way(
        "network disconnect",
        "the cable that rveth add laid",
        "rveth del bkcable9",
    ),
    way("network ls", "", "rbridge list"),
    way("network prune", "", "rrun gc"),
    way(
        "volume create",
        "a volume is made by its first use",
        "rrun run --rm -v {NAME}:/data {IMAGE} true",
    ),
    way("volume inspect", "", "rrun volume ls --json"),
    way(
        "container prune",
        "",
        "rrun ps -aq -f status=exited -f status=created | rrun rm -",
    ),
    way(
        "image prune",
        "",
        "rrun images -q -f dangling=true | xargs -r rrun rmi; rrun gc",
    ),
    way(
        "system",
        "",
        "rrun info; du -sh \"$(rrun info -f '{{.DockerRootDir}}')\"; rrun gc",
    ),
    way("system df", "", DISK),
    way("df", "", DISK),
    way(
        "system prune",
        "",
        "rrun ps -aq -f status=exited -f status=created | rrun rm -; rrun gc",
    ),
    way("login", "", "skopeo login {REGISTRY}"),
    way("logout", "", "skopeo logout {REGISTRY}"),
    way(
        "search",
        "the tags of one repository",
        "skopeo list-tags docker://{IMAGE}",
    ),
    way("manifest", "", "skopeo inspect --raw docker://{IMAGE}"),
    way("compose", SCRIPT, ""),
    way("up", SCRIPT, ""),
    way(
        "down",
        "of each container that a script of rrun run lines started",
        "rrun rm -f {C}",
    ),
    way(
        "mount",
        "the root of a container that runs; rmount makes mounts",
        "ls /proc/$(rrun inspect -f '{{.State.Pid}}' {C})/root",
    ),
    way(
        "umount",
        "the root that rrun bundle mounted",
        "rrun bundle --umount {C} {DIR}",
    ),
    way(
        "events",
        "the end of one container, and what it writes",
        "rrun wait {C}; rrun logs -f {C}",
    ),
    way(
        "context",
        "no daemon is to be chosen: BOXKIT_ROOT and BOXKIT_RUN name an instance",
        "",
    ),
    way("builder", "no build leaves a cache", "rrun gc"),
    way(
        "plugin",
        "the primitives are commands: rnetns, rveth, rbridge, rcgroup, rmount, runpack",
        "",
    ),
    way("swarm", ONE_HOST, ELSEWHERE),
    way("node", ONE_HOST, ELSEWHERE),
    way("service", ONE_HOST, ELSEWHERE),
    way("stack", ONE_HOST, ELSEWHERE),
    way("secret", "a file that the container may read", MOUNTED),
    way("config", "a file that the container may read", MOUNTED),
    way("checkpoint", "no checkpoint can be made of a container", ""),
    way(
        "trust",
        "no signature is verified: an image is named by its digest",
        "rrun images --format '{{.Repository}} {{.Digest}}'",
    ),
    way(
        "scan",
        "scanners read an archive",
        "(set -C; rrun save {IMAGE} >box-image.tar)",
    ),
    way(
        "scout",
        "scanners read an archive",
        "(set -C; rrun save {IMAGE} >box-image.tar)",
    ),
];

/// The same of a container that does not run: nothing of it is in /proc.
pub const OF_STOPPED: &[Way] = &[
    way("mount", "", "rrun bundle {C} {DIR} && ls {DIR}/rootfs").undone(
        "rrun bundle --umount {C} {DIR} && rm {DIR}/config.json && rmdir {DIR}/rootfs {DIR}",
    ),
    way(
        "commit",
        "without the image's CMD and ENV, which import -c sets",
        "rrun bundle {C} {DIR} && tar -C {DIR}/rootfs -c . | rrun import - {NAME}; rrun bundle --umount {C} {DIR} && rm {DIR}/config.json && rmdir {DIR}/rootfs {DIR}",
    ),
    way(
        "export",
        "",
        "rrun bundle {C} {DIR} && (set -C; tar -C {DIR}/rootfs -c . >box-{C}.tar); rrun bundle --umount {C} {DIR} && rm {DIR}/config.json && rmdir {DIR}/rootfs {DIR}",
    ),
];
