# The machine itself: what every later test takes for granted, shown with foreign tools alone.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

is "the root is a tmpfs, so pivot_root can leave it" tmpfs "$(stat -f -c %T /)"
is "/sys/fs/cgroup is cgroup v2" cgroup2fs "$(stat -f -c %T /sys/fs/cgroup)"
is "no v1 hierarchy is mounted" "" "$(awk '$(NF-2) == "cgroup"' /proc/self/mountinfo)"
is "the controllers are on in the root" "cpuset cpu io memory pids" "$(cat /sys/fs/cgroup/cgroup.subtree_control)"
is "the suite is not in the root cgroup" "0::/user.slice/session" "$(cat /proc/self/cgroup)"

mkdir "$scratch/lower" "$scratch/upper" "$scratch/work" "$scratch/merged"
echo below >"$scratch/lower/file"
ok "overlay mounts" mount -t overlay overlay -o "lowerdir=$scratch/lower,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/merged"
is "overlay shows the lower file" below "$(cat "$scratch/merged/file")"
umount "$scratch/merged"

ok "a netns" ip netns add vm-a
ok "a veth pair" ip link add vm0 type veth peer name vm1 netns vm-a
ok "a bridge" ip link add vmbr type bridge
ok "a dummy, which other test hosts lack" ip link add vmdummy type dummy
ok "a macvlan" ip link add link vmdummy name vmmac type macvlan
ok "a vxlan" ip link add vmvx type vxlan id 7 dev vmdummy dstport 4789
for link in vmvx vmmac vmdummy vmbr vm0; do ip link del "$link"; done
ip netns del vm-a

ok "an nft table with a map, dnat and masquerade" nft -f - <<'N'
table ip vmtest {
    map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
    chain pre { type nat hook prerouting priority dstnat; dnat to meta l4proto . th dport map @ports; }
    chain post { type nat hook postrouting priority srcnat; fib daddr type != local masquerade; }
}
add element ip vmtest ports { tcp . 8080 : 10.0.0.2 . 80 }
N
nft delete table ip vmtest

ok "a container's namespaces" unshare -m -p -f -n -u -i -C sh -c 'mkdir -p /run/p && mount -t tmpfs tmpfs /run/p && mkdir /run/p/old && cd /run/p && pivot_root . old'
rmdir /run/p
