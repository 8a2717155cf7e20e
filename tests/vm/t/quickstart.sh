# quickstart: the README's first command, as on a fresh Debian.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

cd "$scratch" || exit
ok "it runs to its end" sh -c "BOXKIT_BIN=/usr/bin TMPDIR='$scratch' /vm/scripts/quickstart >said 2>&1 || { cat said; exit 1; }"
is "the page was fetched through the published port" 1 "$(grep -c '^Hello from a container' said)"
is "its last words" "== Done." "$(tail -n 1 said | cut -c 1-8)"
is "its directory is gone" "" "$(find . -name 'boxkit-quickstart*')"
cd /
