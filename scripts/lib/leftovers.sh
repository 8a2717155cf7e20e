# shellcheck shell=sh disable=SC2154 # scripts/test sets the variables
# What the tests could leave on the machine, compared before and after: what has our mark, and what has a name that a test gives.
# Links, rules, namespaces and mounts of others come and go meanwhile, and so do instances of boxkit that are not the tests'.

# By this in its environment a process that the tests leave is told from somebody else's.
export BOXKIT_TESTED_BY="$logs"

# Of network namespaces and cgroups that tests make where others see them; most names end in the number of a process.
named_by_tests='^((smoke|near|far)[0-9]+|(bk|t)-.*-[0-9]+.*|rbt-[0-9]+.*|n?new[0-9]+x[0-9]+|(debian|bundle|runpack-test)-[0-9]+|(bad|kill)tmp[A-Za-z0-9]+.*|bd1|db)$'

# instance RUN: the name of the instance with this run root, as tools/kit/home/src/roots.rs makes it: FNV-1a, folded to 24 bits.
instance() {
    run=$(realpath -m -- "$1")
    [ "$run" != /run/boxkit ] || { echo boxkit; return; }
    hash=2166136261
    for byte in $(printf %s "$run" | od -An -v -tu1); do hash=$((((hash ^ byte) * 16777619) & 4294967295)); done
    printf 'boxkit-%06x\n' $(((hash >> 24) ^ (hash & 16777215)))
}

# others: the instances that somebody else has at work, by the environments of their processes.
others() {
    $as_root find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' \( -lname '*/rrun' -o -lname '*/rrun (deleted)' \) 2>/dev/null |
        while IFS= read -r exe; do
            $as_root cat "${exe%exe}environ" 2>/dev/null | tr '\0' '\n' >"$logs/environ"
            [ -s "$logs/environ" ] || continue
            grep -qxF "BOXKIT_TESTED_BY=$logs" "$logs/environ" && continue
            run=$(sed -n 's/^BOXKIT_RUN=//p' "$logs/environ")
            instance "${run:-/run/boxkit}"
        done
}

# leftovers: one line for each thing there is now: whose, an instance's or of none, its kind and its name. Last whose are others'.
leftovers() {
    # A link's group is its instance: "bk", and the 24 bits.
    $as_root ip -o link 2>/dev/null | awk '
        { group = 0; for (i = 3; i < NF; i++) if ($i == "group") group = $(i + 1) + 0 }
        group == 25195 { print "boxkit link " $2 }
        int(group / 16777216) == 107 { printf "boxkit-%06x link %s\n", group % 16777216, $2 }'
    $as_root nft -s list ruleset 2>/dev/null | awk '
        /^table / { ours = $3 ~ /^boxkit(-.*)?$/ ? $3 : "" }
        ours != "" { print ours " nft " $0 }'
    $as_root ip netns 2>/dev/null | cut -d' ' -f1 | grep -E "$named_by_tests" | sed 's/^/- netns /'
    $as_root find /sys/fs/cgroup -mindepth 1 -type d 2>/dev/null | awk -v named="$named_by_tests" '
        {
            whose = ""
            count = split($0, parts, "/")
            for (i = 1; i <= count; i++) if (parts[i] ~ /boxkit/) { whose = parts[i]; break }
            if (whose == "" && parts[count] ~ named) whose = "-"
            if (whose != "") print whose " cgroup " $0
        }'
    temp=${TMPDIR:-/tmp}
    findmnt -rno TARGET,FSTYPE 2>/dev/null | while IFS= read -r mount; do
        case $mount in
        "$temp"/.tmp* | "$temp"/tmp.* | "$temp"/*boxkit* | "$temp"/r[a-z]*.??????/*) ;;
        /dev/shm/bk.* | "${CARGO_TARGET_DIR:-$top/target}"/*) ;;
        "/run/boxkit"[/\ ]* | "/var/lib/boxkit"[/\ ]*) printf 'boxkit mount %s\n' "$mount"; continue ;;
        *) continue ;;
        esac
        printf -- '- mount %s\n' "$mount"
    done
    $as_root find /run/boxkit /var/lib/boxkit -mindepth 1 2>/dev/null | sed 's/^/boxkit file /'
    $as_root find "$temp" -maxdepth 1 -name '*boxkit*' 2>/dev/null | sed 's/^/- file /'
    others | sort -u | sed 's/^/others /'
}

# of_tests LIST: its lines but for those of others' instances, who are in $logs/others. The guard on forwarding is for all of them.
of_tests() {
    awk -v theirs=" $(tr '\n' ' ' <"$logs/others")" '
        $1 == "others" || index(theirs, " " $1 " ") || ($1 == "boxkit-forward" && theirs != " ") { next }
        { sub(/^- /, ""); print }' "$1"
}

# nothing_left BEFORE: the kernel tears a namespace down in its own time; it gets ten seconds.
nothing_left() {
    tries=0
    while :; do
        leftovers | sort >"$logs/after"
        sed -n 's/^others //p' "$1" "$logs/after" | sort -u >"$logs/others"
        of_tests "$1" >"$logs/was"
        of_tests "$logs/after" >"$logs/is"
        diff "$logs/was" "$logs/is" >"$logs/diff" && return 0
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || break
        sleep 0.5
    done
    sed -n -e 's/^> /left behind: /p' -e 's/^< /taken away: /p' "$logs/diff"
    return 1
}
