#!/bin/sh
# What `rrun run -p PORT:8080 -m 64m IMAGE CMD…` does, by the commands that each own one kernel primitive.
# Usage, as root: scripts/run.sh IMAGE PORT CMD…    (the commands are looked for on PATH)
set -eu
image=$1 port=$2
shift 2

name=box$$ # of the namespace, the cgroup and the links
place=$(mktemp -d)
cleanup() {
    trap '' INT TERM HUP
    set +e
    rbridge unpublish "$port:10.99.0.2:8080" 2>/dev/null
    rbridge nat "$name" off 2>/dev/null
    rbridge del "$name" 2>/dev/null
    rnetns del --force "$name" # its end of the cable goes with it, and so does ours
    rcgroup del --force "$name"
    rmount umount "$place/root" 2>/dev/null
    rm -rf "$place"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# An image is layers: directories, stacked, with one of our own on top.
mkdir "$place/layer" "$place/upper" "$place/work" "$place/root"
runpack unpack "$image" "$place/layer/fs"
rmount overlay --lower "$place/layer/fs" --upper "$place/upper" --work "$place/work" "$place/root"

# A network stack of its own, a switch with a router on it, and a cable between the two.
rnetns add "$name"
rbridge add "$name" --addr 10.99.0.1/24
rbridge nat "$name" on
rveth add "v$name" "eth0@$name" --peer-addr 10.99.0.2/24 --peer-gw 10.99.0.1
rbridge attach "$name" "v$name"
rbridge publish "$port:10.99.0.2:8080"

# This much memory and no more.
rcgroup create "$name" -m 64m

# And a process in all of it.
rrun run --rm --rootfs "$place/root" --net "ns:$name" --cgroup "$name" -- "$@"
