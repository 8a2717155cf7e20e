# rcgroup: limits as the kernel's own files hold them, on v1, hybrid and v2, and a program that feels them.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

name=smoke$$
# file V2 V1: the control file of this kernel's kind.
cg=/sys/fs/cgroup
if [ -e "$cg/cgroup.controllers" ]; then
    file() { cat "$cg/$name/$1"; }
else
    file() { cat "$cg/$2"; }
fi

ok "create" rcgroup create "$name" -m 64m --pids-limit 20 --cpus 0.5
is "memory" 67108864 "$(file memory.max "memory/$name/memory.limit_in_bytes")"
is "processes" 20 "$(file pids.max "pids/$name/pids.max")"
is "cpu" 50000 "$(file cpu.max "cpu/$name/cpu.cfs_quota_us" | cut -d' ' -f1)"
ok "set" rcgroup set "$name" -m 32m
is "the new memory" 33554432 "$(file memory.max "memory/$name/memory.limit_in_bytes")"
ok "exec is inside" sh -c "rcgroup exec $name -- cat /proc/self/cgroup | grep -q $name"
fails "exec gives the program's exit code" 7 rcgroup exec "$name" -- sh -c 'exit 7'
# More than 32 MiB at once: the kernel kills it. With swap it would not: then this says nothing.
if [ "$(awk '/^SwapTotal/ { print $2 }' /proc/meminfo)" = 0 ]; then
    fails "what takes more memory is killed" 137 rcgroup exec "$name" -- sh -c 'head -c 64m /dev/zero | tail -c 64m >/dev/null'
else
    skip "what takes more memory is killed" "this machine has swap"
fi
ok "stats" sh -c "rcgroup stats --json $name | jq -e '.[0]'"
ok "list names it" sh -c "rcgroup list -q | grep -q $name"
fails "a name taken is refused" 1 rcgroup create "$name"
ok "del" rcgroup del "$name"
is "it is gone from every hierarchy" "" "$(find $cg -type d -name "$name")"
fails "a second del is an error" 1 rcgroup del "$name"
