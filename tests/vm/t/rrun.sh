# rrun: containers of an image of this machine's own programs, as a user of docker runs them.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

cd "$scratch" || exit
ok "an image" runpack pack -t tools --bin sh cat id sleep hostname tail readlink mknod
is "run gives the program's output" 0 "$(rrun run --rm tools id -u)"
fails "and its exit code" 7 rrun run --rm tools sh -c 'exit 7'
fails "a command not found" 127 rrun run --rm tools nosuch
is "stdin is passed on" hi "$(echo hi | rrun run -i --rm tools cat)"
id=$(rrun run -d --name box -p 8080:80 -m 64m --pids-limit 50 -v data:/data tools sleep 1000)
is "run -d prints the ID" 64 "${#id}"
is "ps names it" box "$(rrun ps | awk 'END { print $NF }')"
is "exec is inside" "$(rrun inspect -f '{{.Config.Hostname}}' box)" "$(rrun exec box hostname)"
ok "exec writes to the volume" rrun exec box sh -c 'echo kept >/data/file'
is "the memory limit" 67108864 "$(rrun exec box cat /sys/fs/cgroup/memory.max 2>/dev/null || rrun exec box cat /sys/fs/cgroup/memory/memory.limit_in_bytes)"
is "docker's capabilities" 00000000a80425fb "$(rrun exec box cat /proc/self/status | awk '/CapBnd/ { print $2 }')"
ok "a node of any device can be made" rrun exec box mknod /node c 200 5
is "but the device rules refuse to open it" "Operation not permitted" "$(rrun exec box cat /node 2>&1 | sed 's/.*: //')"
ok "those of docker's list open" rrun exec box sh -c ': <>/dev/null && : <>/dev/zero && : </dev/urandom && : <>/dev/ptmx'
is "with --privileged the driver answers, not a rule" "No such device or address" "$(rrun run --rm --privileged tools sh -c 'mknod /node c 200 5; cat /node' 2>&1 | sed 's/.*: //')"
is "a network of its own" different "$([ "$(rrun exec box readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ] || echo different)"
fails "a port in use is refused" 125 rrun run --rm -p 8080:81 tools id
ok "stop" rrun stop -t 0 box
is "wait gives its exit code" 137 "$(rrun wait box)"
is "the volume lasts" kept "$(rrun run --rm -v data:/data tools cat /data/file)"
fails "what takes more memory than it may is killed" 137 rrun run --rm -m 32m --memory-swap 32m tools tail /dev/zero
ok "rm" rrun rm box
ok "gc" rrun gc
is "no container is left" "" "$(rrun ps -aq)"
is "no cgroup is left" "" "$(find /sys/fs/cgroup -type d -path "*$id*")"
cd /
