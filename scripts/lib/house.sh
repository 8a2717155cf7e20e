# shellcheck shell=sh disable=SC2154 # scripts/test sets the variables
# The house rules that no compiler checks. Each function prints what breaks its rule and fails if there is any.

# files PATTERN…: what git tracks or would track; without git, what is there.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null | while IFS= read -r file; do
        [ -e "$file" ] && printf '%s\n' "$file"
    done
}

# Every tests/x.rs, tests/x/main.rs, benches/x.rs and benches/x/main.rs is a target of some crate, and every other file of tests/x/ a module of
# its main.rs: at a virtual root Cargo ignores a stray one without a word.
house_orphans() {
    cargo metadata --no-deps --locked --format-version 1 >"$logs/metadata" || return 1
    bad=0
    for file in tests/*.rs tests/*/main.rs benches/*.rs benches/*/main.rs; do
        [ -e "$file" ] || continue
        grep -qF "\"src_path\":\"$top/$file\"" "$logs/metadata" && continue
        grep -qF "/../$file\"" "$logs/metadata" && continue
        echo "no Cargo.toml names $file: Cargo never runs it"
        bad=1
    done
    for file in tests/*/*.rs; do
        module=$(basename "$file" .rs)
        if [ ! -e "$file" ] || [ "$module" = main ]; then continue; fi
        grep -qx "mod $module;" "${file%/*}/main.rs" && continue
        echo "$file is no module of ${file%/*}/main.rs: Cargo never runs it"
        bad=1
    done
    # A build directory of another name, or a file that a redirection made, comes in by `git add -A`.
    for entry in $(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u); do
        case $entry in
        .cargo | .ci | .config | .gitignore | benches | docs | scripts | tests | tools | *.md | *.toml | Cargo.lock | LICENSE-*) ;;
        *) echo "$entry is tracked by git, and nothing says what it is" && bad=1 ;;
        esac
    done
    return $bad
}

# No file over 400 lines, generated tables aside.
house_lines() {
    bad=0
    for file in $(files '*.rs' '*.sh' 'scripts/*' 'docs/*.sh' '.ci/*'); do
        head -n 5 "$file" | grep -q '@generated' && continue
        lines=$(wc -l <"$file")
        [ "$lines" -le 400 ] || { echo "$file has $lines lines: a file over 400 is two files"; bad=1; }
    done
    return $bad
}

# `unsafe` is in tools/kit/sys alone, and every crate takes the workspace's lints.
house_unsafe() {
    bad=0
    for file in $(files '*.rs' | grep -v '^tools/kit/sys/'); do
        # Code only: not a comment, not the lint's own name, not a word inside a string.
        sed -e 's,//.*,,' -e 's/"[^"]*"//g' "$file" | grep -nE '(^|[^_[:alnum:]])unsafe([^-_[:alnum:]]|$)|(allow|expect)\(unsafe_code\)' | sed "s,^,$file:," | grep . && bad=1
    done
    for manifest in tools/*/Cargo.toml tools/kit/*/Cargo.toml tools/box/*/Cargo.toml; do
        grep -A1 '^\[lints\]' "$manifest" | grep -q '^workspace = true' || { echo "$manifest does not take the workspace's lints"; bad=1; }
    done
    return $bad
}

# No crate depends on itself through others; Cargo itself lets a circle of dev-dependencies pass.
house_circles() {
    cargo metadata --no-deps --locked --format-version 1 |
        jq -r '.packages[] | .name as $from | .dependencies[] | select(.path) | "\($from) \(.name)"' >"$logs/edges" || return 1
    [ -s "$logs/edges" ] || { echo "no dependencies among the crates were found"; return 1; }
    tsort "$logs/edges" 2>&1 >/dev/null | grep . && return 1
    return 0
}

# No library prints or exits: that is for kit/cli, main.rs and cli.rs.
house_prints() {
    bad=0
    for file in $(files 'tools/*.rs' | grep -v -e '^tools/kit/cli/' -e '^tools/kit/test/' -e '/main\.rs$' -e '/build\.rs$' -e '/cli\.rs$' -e '/cli/' -e '/examples/' -e '/tests/' -e '/tests\.rs$' -e '/tests_[a-z]*\.rs$'); do
        awk '/^#\[cfg\(test\)\]/ { exit } /^ *\/\// { next } /(^|[^a-z_])(e?println!|eprint!|print!|dbg!)\(/ || /process::exit\(/ { print FILENAME ":" FNR ": " $0; bad = 1 } END { exit bad }' "$file" || bad=1
    done
    return $bad
}

# Every script of the project, told by its first line, is clean to shellcheck of the project, told by its first line.
house_shell() {
    for file in $(files 'scripts/*' 'tests/*' '.ci/*' 'benches/*' 'docs/*'); do
        case $(head -n 2 "$file" 2>/dev/null | tr -d '\0') in '#!/bin/sh'* | '#!/usr/bin/env bash'* | *'shellcheck shell='*) printf '%s\n' "$file" ;; esac
    done >"$logs/scripts"
    [ -s "$logs/scripts" ] || { echo "no scripts were found"; return 1; }
    xargs shellcheck -x <"$logs/scripts"
}

# docs/dry-run.md lists each step that has no form in sh, with its reason, and no other.
house_nones() {
    for file in $(files 'tools/*.rs' | grep -v '^tools/kit/'); do
        tr '\n' ' ' <"$file" | grep -oE 'Shell::None\([[:space:]]*"[^"]*"' | sed "s,^[^\"]*\"\(.*\)\"\$,- \`$file\`: \1,"
    done | sort >"$logs/nones"
    [ -s "$logs/nones" ] || { echo "no step without a form in sh was found"; return 1; }
    # Those that are not followed by a reason in quotes would not be seen.
    all=$(files 'tools/*.rs' | grep -v '^tools/kit/' | xargs grep -ohE 'Shell::None\((reason)?' | grep -cv reason)
    [ "$all" -eq "$(wc -l <"$logs/nones")" ] || { echo "$all steps have no form in sh, and $(wc -l <"$logs/nones") of them a reason"; return 1; }
    grep '^- `' docs/dry-run.md | sort | diff - "$logs/nones"
}

# docs/pictures: each is what its script draws now. docs/pictures/speed.json is what `scripts/bench --json` measured last: its ratios are
# those of its single figures, and the picture of the speed is drawn from it.
house_pictures() {
    bad=0
    for picture in floors run; do
        "docs/pictures/$picture.sh" | cmp -s - "docs/pictures/$picture.svg" && continue
        echo "docs/pictures/$picture.svg is out of date: docs/pictures/$picture.sh >docs/pictures/$picture.svg"
        bad=1
    done
    # The gate says that there is no jq, of the rules before this one.
    command -v jq >/dev/null || return $bad
    record=docs/pictures/speed.json
    if ! docs/pictures/speed.sh "$record" | cmp -s - docs/pictures/speed.svg; then
        echo "docs/pictures/speed.svg is out of date: docs/pictures/speed.sh $record >docs/pictures/speed.svg"
        bad=1
    fi
    speed_by_pairs "$record" || bad=1
    return $bad
}

# house_speed: both READMEs have the table, the date and the machine that scripts/bench prints of the record. It builds the instrument.
house_speed() {
    bad=0
    for page in README.md README.zh.md; do
        case $page in *.zh.md) language=zh colon=： ;; *) language=en colon=: ;; esac
        scripts/bench --from docs/pictures/speed.json --markdown="$language" | grep . >"$logs/table" || return 1
        # The day and the machine end a paragraph, two lines above the picture; the table is the one with these columns.
        sed -n "s/^.*\\(20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]$colon.*\\)$colon\$/\\1/p" "$page" >"$logs/page"
        awk '/^\| (what \| on|做什么 \| 在) \|/ { on = 1 } !/^\|/ { on = 0 } on' "$page" >>"$logs/page"
        diff "$logs/page" "$logs/table" && continue
        echo "$page is out of date: scripts/bench --from docs/pictures/speed.json --markdown=$language prints its date, its machine and its table"
        bad=1
    done
    return $bad
}

# speed_by_pairs RECORD: each median and quartile is that of the figures beside it, the ratios' taken round by round.
speed_by_pairs() {
    jq -r '
        def at($share): sort | ($share * (length - 1)) as $at | .[$at | floor] + (.[$at | ceil] - .[$at | floor]) * ($at - ($at | floor));
        def spread: {median: at(0.5), q1: at(0.25), q3: at(0.75)};
        def is($figures): . as $told | ($figures | spread | to_entries | all(($told[.key] - .value) | fabs < 0.000001));
        .pairs[] | .beside as $beside | .ours_raw as $ours
        | "\(.row) on \(.on), \(.pace)\(if $beside then ", beside " + $beside.name else "" end)" as $which
        | (if .rounds != ($ours | length) then "\($which): not \(.rounds) rounds" else empty end),
          (if .ours | is($ours) then empty else "\($which): ours is not the median and the quartiles of its figures" end),
          (if $beside == null then empty else
              (if $beside.theirs | is($beside.theirs_raw) then empty else "\($which): theirs is not the median and the quartiles of its figures" end),
              (if $beside.ratio | is([$ours, $beside.theirs_raw] | transpose | map(.[0] / .[1])) then empty
               else "\($which): the ratio is not the median and the quartiles of the pairs" end)
           end)' "$1" >"$logs/unpaired" || return 1
    cat "$logs/unpaired"
    [ ! -s "$logs/unpaired" ]
}

# Who may know whom, by the crates' own manifests (dev-dependencies aside): docs/design.md, "Floors and crates".
house_floors() {
    cargo metadata --no-deps --locked --format-version 1 |
        jq -r '.packages[] | .name as $from | .dependencies[] | select(.kind == null) | "\($from) \(.name)"' >"$logs/known" || return 1
    [ -s "$logs/known" ] || { echo "no dependencies were found"; return 1; }
    # Who may know whom: the table of docs/design.md, crate by crate. What a crate has no row for, it may not know.
    awk '
        BEGIN {
            kit = "kit-sys kit-units kit-home kit-plan kit-net kit-undo kit-seccomp"
            own("kit-sys", "")
            own("kit-units", "")
            own("kit-home", "kit-sys")
            own("kit-plan", "kit-home kit-sys")
            own("kit-net", "kit-plan kit-sys kit-units")
            own("kit-undo", "kit-plan kit-home kit-net kit-sys kit-units")
            own("kit-seccomp", "kit-sys")
            own("kit-cli", "kit-plan kit-undo kit-sys kit-units")
            own("kit-test", "")
            own("rnetns", kit " kit-cli")
            own("rveth", kit " kit-cli rnetns")
            own("rbridge", kit " kit-cli rveth rnetns")
            own("rcgroup", kit " kit-cli")
            own("rmount", kit " kit-cli")
            own("runpack", kit " kit-cli rmount")
            own("box-engine", kit " rcgroup rmount")
            own("box-state", kit)
            own("box-wire", "kit-plan")
            own("box-net", kit " box-engine box-state rbridge rveth")
            own("box-monitor", kit " box-engine box-state box-wire box-net rnetns rveth rbridge rcgroup rmount")
            own("box-ops", kit " box-engine box-state box-wire box-net box-monitor rnetns rveth rbridge rcgroup rmount runpack")
            own("rrun", kit " kit-cli box-engine box-state box-wire box-net box-monitor box-ops rnetns rveth rbridge rcgroup rmount runpack")
        }
        function own(crate, all, n, i, names) {
            ours[crate] = 1
            n = split(all, names, " ")
            for (i = 1; i <= n; i++) may[crate, names[i]] = 1
        }
        function refuse(why) { print $1 " knows " $2 ": " why; bad = 1 }
        !($1 in ours) { refuse("the table of scripts/lib/house.sh has no " $1) }
        $2 in ours && !(($1, $2) in may) { refuse("the table of docs/design.md does not have it") }
        $1 ~ /^box-/ && $2 ~ /^(clap.*|anyhow)$/ { refuse("box has no command line") }
        END { exit bad }' "$logs/known"
}

# What deny.toml asks, without cargo-deny, whose own 500 crates are minutes to build: licences, one version of a crate, none of
# those that it bans, all from the one registry.
house_crates() {
    platforms=$(sed -n 's/^targets = //p' deny.toml | jq -r '.[] | "--filter-platform \(.)"') || return 1
    # shellcheck disable=SC2086 # a list of flags
    cargo metadata --locked --format-version 1 --all-features $platforms >"$logs/crates" || return 1
    listed() { sed -n "/^$1 = \[/,/^\]/s/$2/\1/p" deny.toml | jq -R . | jq -s .; }
    jq -r --argjson allowed "$(listed allow '^ *"\(.*\)",')" --argjson twice "$(listed skip '.*crate = "\([^"@]*\).*')" \
        --argjson banned "$(listed deny '.*crate = "\([^"@]*\).*')" '
        .workspace_members as $ours | .packages as $all
        | ($all | map(.source // empty) | unique | select(length > 1) | "more than one registry: \(.)"),
          ($all[] | .name as $name | .license // "none" | gsub("[()]"; "") | gsub(" */ *"; " OR ") | split(" AND ")[]
              | select(split(" OR ") | any(IN($allowed[])) | not) | "\($name): licence \(.) is not in deny.toml"),
          ($all | group_by(.name)[] | select(length > 1 and (.[0].name | IN($twice[]) | not)) | "\(.[0].name): \(map(.version))"),
          ($all[] | select(.name | IN($banned[])) | "\(.name): banned by deny.toml"),
          ($all[] | select(.id | IN($ours[])) | .name as $name | .dependencies[] | select(.req == "*" and .path == null) | "\($name) takes any \(.name)")
        ' "$logs/crates" >"$logs/found" || return 1
    cat "$logs/found"
    [ ! -s "$logs/found" ]
}

# A primitive without its feature "cli", and box/ops on top of them all, bring no command line into the program that takes them.
house_faces() {
    bad=0
    for crate in rnetns rveth rbridge rcgroup rmount runpack box-ops; do
        tree=$(cargo tree --locked -q -p "$crate" -e normal --no-default-features --prefix none) || return 1
        found=$(printf '%s\n' "$tree" | grep -E '^(clap|kit-cli|indicatif|comfy-table)[-_ ]') || continue
        printf '%s without its command still brings:\n%s\n' "$crate" "$found"
        bad=1
    done
    return $bad
}

# What a builder of a runtime reads: every public item of every library says what it is; the compiler checks.
house_docs() {
    bad=0
    for file in tools/kit/*/src/lib.rs tools/r*/src/lib.rs tools/box/*/src/lib.rs; do
        case $file in tools/kit/test/* | tools/rrun/*) continue ;; esac
        grep -qx '#!\[warn(missing_docs)\]' "$file" || { echo "$file has no #![warn(missing_docs)]"; bad=1; }
    done
    return $bad
}

# docs/design.md is read in one sitting: under 250 lines of at most 120 characters. Reasons go to docs/why.md, plans to docs/plan.md.
house_design() {
    bad=0
    file=docs/design.md
    lines=$(wc -l <"$file")
    [ "$lines" -lt 250 ] || { echo "$file has $lines lines: it stays under 250"; bad=1; }
    # Characters, in any awk and any locale: the bytes that only continue one are taken out.
    LC_ALL=C tr -d '\200-\277' <"$file" | LC_ALL=C awk -v file="$file" 'length > 120 { print file ":" FNR ": " length " characters, of at most 120"; bad = 1 } END { exit bad }' || bad=1
    return $bad
}

# No function over 60 lines outside tests, but for those that scripts/lib/long-functions.txt names, and those are all long:
# the list only shrinks. A dispatch, one arm a verb, is a table.
house_functions() {
    for file in $(files 'tools/*.rs' | grep -v -e '/tests/' -e '/tests\.rs$' -e '/examples/'); do
        awk '
            /^#\[cfg\(test\)\]/ { exit }
            !name && match($0, /^ *(pub(\([a-z]+\))? )?(const )?(unsafe )?fn [a-z_0-9]+/) && !/;$/ {
                name = substr($0, RSTART, RLENGTH); sub(/.*fn /, "", name)
                match($0, /^ */); indent = RLENGTH; began = FNR
                next
            }
            name && /^ *}$/ { match($0, /^ */); if (RLENGTH == indent) { if (FNR - began >= 60 && name != "dispatch") print FILENAME " " name; name = "" } }
        ' "$file"
    done | sort >"$logs/long"
    grep -v '^#' scripts/lib/long-functions.txt | sort | diff - "$logs/long"
}
