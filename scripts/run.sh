#!/bin/sh
# What `rrun run -p PORT:8080 -m 64m IMAGE CMD…` does, by the commands that each own one kernel primitive.
# Usage, as root: scripts/run.sh IMAGE PORT CMD…    (the commands are looked for on PATH)
set -eu
[ $# -ge 3 ] || { echo "usage: scripts/run.sh IMAGE PORT CMD…" >&2; exit 2; }
image=$1 port=$2
shift 2

name=box$$ # of the namespace, the cgroup and the links
net=10.99.$(($$ % 256)) # so that two of these do not meet
place=${TMPDIR:-/tmp}/$name
[ ! -e "$place" ] || { echo "run.sh: $place is there already: remove it first" >&2; exit 1; }
program=
cleanup() {
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    rcgroup del --force "$name" # and kills what is in it
    [ -z "$program" ] || wait "$program"
    rbridge unpublish "$port:$net.2:8080" 2>/dev/null
    rbridge nat "$name" off 2>/dev/null
    rbridge del "$name" 2>/dev/null
    rnetns del --force "$name" # its end of the cable goes with it, and so does ours
    rmount umount "$place/root" 2>/dev/null
    rm -rf "$place"
}
trap cleanup EXIT # and each signal's own: one that comes just as this begins would end it
trap 'cleanup; exit 130' INT
trap 'cleanup; exit 143' TERM HUP

# An image is layers: directories, stacked, with one of our own on top.
mkdir -m 700 "$place"
mkdir "$place/layer" "$place/upper" "$place/work" "$place/root"
runpack unpack "$image" "$place/layer/fs"
rmount overlay --lower "$place/layer/fs" --upper "$place/upper" --work "$place/work" "$place/root"

# A network stack of its own, a switch with a router on it, and a cable between the two.
rnetns add "$name"
rbridge add "$name" --addr "$net.1/24"
rbridge nat "$name" on
rveth add "v$name" "eth0@$name" --peer-addr "$net.2/24" --peer-gw "$net.1"
rbridge attach "$name" "v$name"
rbridge publish "$port:$net.2:8080"

# This much memory and no more.
rcgroup create "$name" -m 64m

# And a process in all of it. It is waited for, since a shell hears no signal before its foreground command is done.
rrun run --rm --rootfs "$place/root" --net "ns:$name" --cgroup "$name" -- "$@" <&0 &
program=$!
wait "$program"
