# shellcheck shell=sh disable=SC2154 # peer_parent is set by peers.sh
# What the scripts of rows call. $BENCH_RUN is a directory on a tmpfs, $BENCH_CACHE one that stays; the current one is the row's.

# image: this machine's own programs.
image() { runpack pack -t bench --bin true sleep sh cat; }

# bundle CMD…: the bundle of a container of ours, its root mounted.
bundle() {
    rrun create --net none --name bundled bench "$@"
    rrun bundle bundled bundle
}
no_bundle() {
    rrun bundle --umount bundled bundle
    rrun rm bundled
}

# limit_bundle: memory, pids and cpus, as `-m 64m --pids-limit 100 --cpus 1`.
limit_bundle() {
    jq '.linux.resources += {memory: {limit: 67108864}, pids: {limit: 100}, cpu: {quota: 100000, period: 100000}}' bundle/config.json >config.tmp
    mv config.tmp bundle/config.json
}

crun_here() { crun --root "$BENCH_RUN/crun" "$@"; }

# many PREFIX COUNT CMD…: the command with each name put in the place of NAME.
many() {
    many_count=$1
    shift
    for many_i in $(seq "$many_count"); do "$@" "c$many_i"; done
}
ours_sleeps() { rrun run -d --net none --name "$1" bench sleep 1000; }
crun_sleeps() { crun_here run -d -b bundle "$1"; }
docker_sleeps() { docker run -d --network none --name "$1" bench sleep 1000; }
# All but the container of the bundle.
ours_gone() { rrun ps -a --format '{{.Names}}' | grep -vx bundled | xargs rrun rm -f; }
crun_gone() { for crun_id in $(crun_here list -q); do crun_here delete -f "$crun_id"; done; }
# shellcheck disable=SC2046 # names of our own
docker_gone() { docker rm -f $(docker ps -aq); }

# daemon: a dockerd of the row's own, without a bridge, its socket where DOCKER_HOST says, its data on the medium of the row. It
# outlives this script.
daemon() {
    peer_dockerd_start "$BENCH_RUN/d" "$PWD/docker"
    echo "$peer_parent" >"$BENCH_RUN/d/parent"
}
docker_image() {
    runpack unpack bench docker-root
    tar -C docker-root -c . | docker import - bench
}
no_daemon() {
    daemon_pid=$(cat "$BENCH_RUN/d/pid")
    kill "$daemon_pid"
    daemon_tries=0
    while [ -e "/proc/$daemon_pid" ] && [ $daemon_tries -lt 100 ]; do
        sleep 0.1
        daemon_tries=$((daemon_tries + 1))
    done
    peer_cgroups_gone "$(cat "$BENCH_RUN/d/parent")"
}

# monitor_pss CONTAINER: what the parent of its program has in memory of its own, in KiB, a moment after the start.
monitor_pss() {
    sleep 0.3
    pss_of "$(rrun inspect -f '{{.State.Pid}}' "$1")"
}
shim_pss() {
    sleep 0.3
    pss_of "$(docker inspect -f '{{.State.Pid}}' "$1")"
}
pss_of() { awk '/^Pss:/ { print $2 }' "/proc/$(awk '/^PPid:/ { print $2 }' "/proc/$1/status")/smaps_rollup"; }

# big_image: 50,000 files in 4 layers of about 700 MB in all: an OCI layout, the layers as tar.gz, a docker archive. It is
# made once and kept.
big_image() {
    [ ! -e "$BENCH_CACHE/whole" ] || return 0
    (
        cd "$BENCH_CACHE" || exit
        rm -rf oci ./*.tar ./*.tar.gz tree
        umoci init --layout oci
        umoci new --image oci:big
        for big_layer in 1 2 3 4; do
            big_tree "$big_layer"
            tar -C tree -cf layer.tar .
            umoci raw add-layer --image oci:big layer.tar
            gzip <layer.tar >"$big_layer.tar.gz"
            rm -rf tree layer.tar
        done
        skopeo copy -q oci:oci:big docker-archive:big.tar:big:latest
        touch whole
    )
}

# big_tree LAYER: 125 directories of 100 files of 14 KB on average, most of them small, text that packs to a third.
big_tree() {
    mkdir tree
    awk -v layer="$1" '
    BEGIN {
        srand(layer)
        for (i = 0; i < 4000; i++) {
            word = ""
            for (j = 2 + rand() * 9; j > 0; j--) word = word sprintf("%c", 97 + rand() * 26)
            words[i] = word
        }
        # A page of words to cut from, so that this takes seconds.
        for (i = 0; i < 60000; i++) page = page words[int(rand() * 4000)] (i % 9 ? " " : "\n")
        length_of_page = length(page)
        for (d = 1; d <= 125; d++) {
            dir = "tree/usr" layer "/d" d
            system("mkdir -p " dir)
            for (f = 1; f <= 100; f++) {
                size = int(14000 * -log(1 - rand()))
                file = dir "/f" f
                printf "%s %d\n", file, size >file
                for (; size > 0; size -= 4096) printf "%s", substr(page, 1 + int(rand() * (length_of_page - 4096)), size < 4096 ? size : 4096) >file
                close(file)
            }
        }
    }'
}

# cgroup_lists PREFIX: 300 names, and the commands of libcgroup that make and remove the same directories as ours.
cgroup_lists() {
    for list_i in $(seq 300); do echo "$1-$list_i"; done >names
    rcgroup create -m 64m --pids-limit 50 "$1-0"
    list_in=
    for list_dir in /sys/fs/cgroup/*/"$1-0"; do
        [ ! -d "$list_dir" ] || list_in=$list_in,$(basename "${list_dir%/*}")
    done
    rcgroup del "$1-0"
    [ -n "$list_in" ] || list_in=,memory,pids # version 2 has one hierarchy
    echo "exec cgcreate $(sed "s/^/-g ${list_in#,}:/" names | tr '\n' ' ')" >cgcreate.sh
    for list_one in $(echo "$list_in" | tr , ' '); do
        echo "cgdelete $(sed "s/^/-g $list_one:/" names | tr '\n' ' ')"
    done >cgdelete.sh
}
