# shellcheck shell=sh disable=SC2154 # scripts/test sets the variables
# What the tests could leave on the machine: compared before and after. By our mark where others are at work too.

# leftovers: one line for each thing there is now.
leftovers() {
    $as_root ip -o link 2>/dev/null | awk -F': ' '{ print "link " $2 }'
    $as_root ip netns 2>/dev/null | sed 's/^/netns /'
    $as_root nft -s list ruleset 2>/dev/null | sed 's/^/nft /'
    # ip(8) makes /run/netns a mount of its own with the first namespace, and leaves it
    findmnt -rno TARGET,FSTYPE 2>/dev/null | sed -e 's/^/mount /' -e '/^mount \/run\/netns /d'
    $as_root find /sys/fs/cgroup -type d -name '*boxkit*' 2>/dev/null | sed 's/^/cgroup /'
    $as_root find /run/boxkit /var/lib/boxkit -mindepth 1 2>/dev/null | sed 's/^/file /'
    $as_root find /tmp -maxdepth 1 -name '*boxkit*' 2>/dev/null | sed 's/^/file /'
}

# nothing_left BEFORE: the kernel tears a namespace down in its own time; it gets ten seconds.
nothing_left() {
    tries=0
    while :; do
        leftovers | sort >"$logs/after"
        diff "$1" "$logs/after" >"$logs/diff" && return 0
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || break
        sleep 0.5
    done
    sed -n -e 's/^> /left behind: /p' -e 's/^< /taken away: /p' "$logs/diff"
    return 1
}
