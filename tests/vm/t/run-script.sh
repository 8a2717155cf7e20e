# run.sh: a container by the commands one by one, and their cgroup on v2 given to rrun.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

cd "$scratch" || exit
server=/usr/bin/examples/hello-web
ok "an image" runpack pack -t site --bin "$server"
TMPDIR=$scratch /vm/scripts/run.sh site 8080 "$server" >said 2>&1 &
script=$!
is "its page, through the published port, tells its limit" "memory limit: 64 MiB" \
    "$(/usr/bin/examples/fetch --retry 300 http://127.0.0.1:8080/ 2>&1 | tail -n 1)"
kill "$script"
wait "$script"
is "SIGTERM ends it" 143 "$?"
ok "gc" rrun gc
is "its directory is gone" "" "$(find . -name 'box*' -not -path './root/layers/*')"
cd /
