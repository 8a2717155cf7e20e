# rbridge: a switch with a router on it, in a namespace of its own; seen with ip(8) and nft(8).
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

ns=smoke$$
ip netns add "$ns"
in_ns() { ip netns exec "$ns" "$@"; }

ok "add with an address" in_ns rbridge add sw0 --addr 10.99.0.1/24
is "it is a bridge" bridge "$(in_ns ip -d -j link show sw0 | jq -r '.[0].linkinfo.info_kind')"
is "with that address" 10.99.0.1 "$(in_ns ip -j -4 addr show sw0 | jq -r '.[0].addr_info[0].local')"
in_ns ip link add port0 type veth peer name port1
ok "attach" in_ns rbridge attach sw0 port0
is "the link is plugged in" sw0 "$(in_ns ip -j link show port0 | jq -r '.[0].master')"
ok "nat on" in_ns rbridge nat sw0 on
ok "masquerade is in a table of ours" sh -c "ip netns exec $ns nft list ruleset | grep -q masquerade"
ok "publish" in_ns rbridge publish 8080:10.99.0.2:80
ok "the port is in a map" sh -c "ip netns exec $ns nft list ruleset | grep -q 8080"
ok "unpublish" in_ns rbridge unpublish 8080
ok "the port is gone from it" sh -c "! ip netns exec $ns nft list ruleset | grep -q 8080"
ok "nat off" in_ns rbridge nat sw0 off
ok "detach" in_ns rbridge detach port0
is "the link is out" null "$(in_ns ip -j link show port0 | jq -r '.[0].master')"
ok "del" in_ns rbridge del sw0
fails "a second del is an error" 1 in_ns rbridge del sw0
ip netns del "$ns"
