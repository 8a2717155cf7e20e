# rveth: a cable between two namespaces, with addresses and a route in one call, seen with ip(8).
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

near=near$$ far=far$$
ip netns add "$near"
ip netns add "$far"

ok "add" rveth add "a0@$near" "b0@$far" --addr 10.98.0.1/24 --peer-addr 10.98.0.2/24 --peer-gw 10.98.0.1 --mtu 1400
is "the near end is up" UP "$(ip -n "$near" -j link show a0 | jq -r '.[0].operstate')"
is "the far end has its MTU" 1400 "$(ip -n "$far" -j link show b0 | jq -r '.[0].mtu')"
is "the far end has its address" 10.98.0.2 "$(ip -n "$far" -j -4 addr show b0 | jq -r '.[0].addr_info[0].local')"
is "and its way out" 10.98.0.1 "$(ip -n "$far" -j route show default | jq -r '.[0].gateway')"
ok "list names the end" sh -c "rveth list -q --netns $near | grep -q '^a0'"
fails "a name taken is refused" 1 rveth add "a0@$near" "c0@$far"
fails "a name of 16 characters is refused" 2 rveth add "abcdefghijklmnop@$near" "c0@$far"
ok "del takes both ends" rveth del "a0@$near"
is "the far end is gone" "lo" "$(ip -n "$far" -j link | jq -r '.[].ifname')"
ip netns del "$near"
ip netns del "$far"
