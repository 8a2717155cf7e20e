# shellcheck shell=sh disable=SC2154 # scripts/test sets the variables
# The gate's bookkeeping: steps, counts, skips. Sourced by scripts/test, which sets $top and $logs.

passed=0
failed=0
skipped=0
failures=

say() { printf '%s\n' "$*"; }

# pass NAME, fail NAME: one more of either.
pass() {
    passed=$((passed + 1))
    say "ok      $1"
}
fail() {
    failed=$((failed + 1))
    failures="$failures
  $1"
    say "FAILED  $1"
}

# expected TEST: is the skip of this test in the list?
expected() {
    while IFS= read -r line; do
        case $line in '' | '#'*) continue ;; esac
        # shellcheck disable=SC2254 # a pattern is what the list holds
        case $1 in ${line%%: *}) return 0 ;; esac
    done <"$top/tests/expected-skips.txt"
    return 1
}

# skip TEST REASON: counted; in CI one that the list does not expect is a failure.
skip() {
    skipped=$((skipped + 1))
    say "skip: $1: $2"
    if [ "${CI:-}" = true ] && ! expected "$1"; then fail "unexpected skip of $1"; fi
}

# skips_in LOG: the skip lines that tests printed, each test once.
skips_in() { sed -n 's/^ *\(skip: [^:].*: .*\)$/\1/p' "$1" | sort -u; }

# count_skips LOG: takes them over as skips; $found is their number.
count_skips() {
    found=0
    skips_in "$1" >"$logs/skips"
    while IFS= read -r line; do
        line=${line#skip: }
        found=$((found + 1))
        skip "${line%%: *}" "${line#*: }"
    done <"$logs/skips"
}

# step NAME CMD…: silent if it succeeds, everything it said if not.
step() {
    name=$1
    shift
    began=$(date +%s)
    if "$@" >"$logs/step" 2>&1 </dev/null; then
        pass "$name ($(($(date +%s) - began)) s)"
    else
        cat "$logs/step"
        fail "$name"
    fi
}

# tests NAME CMD…: a step that counts what cargo nextest, cargo test or tests/vm/run counted.
tests() {
    name=$1
    shift
    began=$(date +%s)
    code=0
    "$@" >"$logs/tests" 2>&1 </dev/null || code=$?
    # nextest: "Summary [1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 0 skipped"; cargo: "test result: ok. 8 passed; 0 failed; …";
    # ours: "vm: 8 passed, 0 failed, 0 skipped". What each calls skipped or ignored was not asked for; our skips are lines.
    counts=$(awk '
        /^ *Summary \[/ || /^test result: / || /^vm: [0-9]+ passed/ {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed[,;]?$/ || $i ~ /^passed$/) p += $(i - 1)
                if ($i ~ /^failed[,;]?$/ || $i ~ /^timed$/) f += $(i - 1)
            }
        }
        END { print p + 0, f + 0 }' "$logs/tests")
    good=${counts% *}
    bad=${counts#* }
    count_skips "$logs/tests"
    # A skipped Rust test has returned, so its runner calls it passed; the machine's suite counts its own skips apart.
    case $name in vm) ;; *) good=$((good - found)) ;; esac
    passed=$((passed + good))
    seconds=$(($(date +%s) - began))
    if [ "$code" -eq 0 ] && [ "$bad" -eq 0 ]; then
        say "ok      $name: $good passed, $found skipped ($seconds s)"
    else
        # Passing tests' output is only there for its skip lines.
        grep -v -e '^ *PASS ' "$logs/tests"
        [ "$bad" -eq 0 ] || failed=$((failed + bad - 1))
        fail "$name: $good passed, $bad failed, exit code $code ($seconds s)"
    fi
}

# closing: the last line, and the exit code.
closing() {
    [ -z "$failures" ] || say "failed:$failures"
    say "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
