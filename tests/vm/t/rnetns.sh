# rnetns: namespaces that ip(8) sees, and sees go.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

name=smoke$$
ok "add" rnetns add "$name"
ok "ip(8) sees it" test -e "/run/netns/$name"
is "lo is up" UNKNOWN "$(ip -n "$name" -j link show lo | jq -r '.[0].operstate')"
is "exec is inside" "lo" "$(rnetns exec "$name" -- ip -j link | jq -r '.[].ifname')"
fails "exec gives the program's exit code" 7 rnetns exec "$name" -- sh -c 'exit 7'
ok "list names it" sh -c "rnetns list -q | grep -qx $name"
fails "a name taken is refused" 1 rnetns add "$name"
ok "del" rnetns del "$name"
fails "a second del is an error" 1 rnetns del "$name"
ok "del --force is quiet about it" rnetns del --force "$name"
fails "no name is a usage error" 2 rnetns add

# What --dry-run prints, sh can do.
rnetns add --dry-run "$name" >"$scratch/script"
ok "the dry run made nothing" test ! -e "/run/netns/$name"
ok "sh runs the dry run" sh "$scratch/script"
ok "and the namespace is there" ip netns exec "$name" true
ok "which rnetns deletes" rnetns del "$name"
