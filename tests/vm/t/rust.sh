# The Rust tests named in rust-tests.txt, as they are. One line a test, as the other files print them.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

# Of the points to kill at, some: each takes a second or two here, and all of them are the host's to try.
export BOXKIT_KILL_EVERY=31
for binary in /vm/rust/deps/*; do
    [ -x "$binary" ] || continue
    name=$(basename "$binary")
    start=$(cut -d' ' -f1 /proc/uptime)
    sed -n "s/^skip $name::\([^ ]*\): .*/--skip \1/p" /vm/rust-tests.txt >"$scratch/flags"
    sed -n "s/^skip \($name::.*\)/skip: vm \1/p" /vm/rust-tests.txt
    # shellcheck disable=SC2046 # a list of flags
    "$binary" --test-threads=2 --show-output $(cat "$scratch/flags") >"$scratch/log" 2>&1
    code=$?
    sed -n 's/^\(skip: .*: .*\)$/\1/p' "$scratch/log" | sort -u
    # A skipped test has returned, so its runner calls it ok.
    sed -n 's/^skip: \([^ ]*\): .*/\1/p' "$scratch/log" >"$scratch/skipped"
    awk -v name="$name" -v skipped="$scratch/skipped" '
        BEGIN { while ((getline line < skipped) > 0) { sub(/.*::/, "", line); skip[line] } }
        /^test .* \.\.\. (ok|FAILED)$/ { test = $2; sub(/.*::/, "", test); if (!(test in skip)) print ($NF == "ok" ? "ok" : "not ok") " " name "::" $2 }' "$scratch/log"
    echo "# $name took $(awk -v a="$start" '{ printf "%.1f", $1 - a }' /proc/uptime) s"
    if [ "$code" -ne 0 ]; then
        echo "not ok $name: exit code $code"
        sed 's/^/# /' "$scratch/log"
    fi
done
