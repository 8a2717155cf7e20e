# shellcheck shell=sh
# Other people's tools, started so that they work beside us: for tests that judge us by them and for benches.
# On a hybrid host (v1 hierarchies and /sys/fs/cgroup/unified) crun refuses: "cgroups in hybrid mode not supported". In a mount
# namespace without `unified` it sees plain v1. runc and dockerd take either; they get the same view, so that figures compare.

# peer_view CMD…: the command, in a private mount namespace that shows either plain v1 or plain v2.
peer_view() {
    # shellcheck disable=SC2016 # the inner shell expands
    unshare -m --propagation private sh -c '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified; exec "$@"' peer_view "$@"
}

# peer_bundle ROOTFS DIR CMD…: a plain OCI bundle in DIR; ROOTFS is used in place.
peer_bundle() {
    peer_rootfs=$(cd "$1" && pwd) && peer_dir=$2 && shift 2 || return 1
    mkdir -p "$peer_dir"
    rm -f "$peer_dir/config.json"
    (cd "$peer_dir" && runc spec) || return 1
    jq --arg root "$peer_rootfs" '.process.terminal = false | .process.args = $ARGS.positional | .root = {path: $root, readonly: false}' \
        "$peer_dir/config.json" --args -- "$@" >"$peer_dir/config.tmp" && mv "$peer_dir/config.tmp" "$peer_dir/config.json"
}

# peer_crun BUNDLE ID, peer_runc BUNDLE ID: run the bundle in the foreground; the exit code is the program's.
# State lives in $PEER_STATE (default: the runtimes' own place).
peer_crun() { peer_view crun ${PEER_STATE:+--root "$PEER_STATE/crun"} run -b "$1" "$2"; }
peer_runc() { peer_view runc ${PEER_STATE:+--root "$PEER_STATE/runc"} run -b "$1" "$2"; }

# peer_exec crun|runc ID CMD…: in a container that peer_crun or peer_runc started.
peer_exec() {
    peer_tool=$1
    shift
    peer_view "$peer_tool" ${PEER_STATE:+--root "$PEER_STATE/$peer_tool"} exec "$@"
}

# podman is not here: it asks for RLIMIT_NOFILE and RLIMIT_NPROC above what a root without CAP_SYS_RESOURCE may set, with any
# --ulimit, and both runtimes then refuse. Where the capability is there, `peer_view podman --cgroup-manager cgroupfs …` does.

# peer_dockerd_start DIR [DATA]: a dockerd of one's own with all its state in DIR, or its images and containers in DATA, and no
# bridge, no iptables: nothing of the host is touched. Sets $DOCKER_HOST; `docker` talks to it. In DIR/log is what it says.
# DIR should be short: a socket's path has 107 characters.
peer_dockerd_start() {
    mkdir -p "$1"
    peer_parent=/peer-docker-$$
    peer_view dockerd --data-root "${2:-$1/data}" --exec-root "$1/run" --pidfile "$1/pid" --host "unix://$1/sock" \
        --bridge none --iptables=false --ip6tables=false --exec-opt native.cgroupdriver=cgroupfs \
        --cgroup-parent "$peer_parent" >"$1/log" 2>&1 &
    peer_job=$!
    peer_pidfile=$1/pid # of the daemon itself: $! is the shell that waits for it
    export DOCKER_HOST="unix://$1/sock"
    peer_tries=0
    until docker version >/dev/null 2>&1; do
        peer_tries=$((peer_tries + 1))
        if [ "$peer_tries" -ge 60 ] || ! kill -0 "$peer_job" 2>/dev/null; then
            tail -n 3 "$1/log" >&2
            peer_dockerd_stop
            return 1
        fi
        sleep 0.5
    done
}

# peer_dockerd_stop: the daemon, its containerd with it, and the cgroups of its containers.
peer_dockerd_stop() {
    kill "$(cat "$peer_pidfile")" 2>/dev/null || :
    wait "$peer_job" 2>/dev/null || :
    unset DOCKER_HOST
    peer_cgroups_gone "$peer_parent"
}

# peer_cgroups_gone NAME: removes the empty cgroups that a peer leaves in each hierarchy (docker leaves the parent).
peer_cgroups_gone() {
    find /sys/fs/cgroup -depth -type d -path "*$1*" -exec rmdir {} + 2>/dev/null || :
}
