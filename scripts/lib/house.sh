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
    for file in $(files 'tools/*.rs' | grep -v -e '^tools/kit/cli/' -e '^tools/kit/test/' -e '/main\.rs$' -e '/cli\.rs$' -e '/cli/' -e '/examples/' -e '/tests/' -e '/tests\.rs$'); do
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

# docs/pictures: each is what its script draws now; that of the speed is drawn from what was measured.
house_pictures() {
    bad=0
    for picture in floors run; do
        "docs/pictures/$picture.sh" | cmp -s - "docs/pictures/$picture.svg" && continue
        echo "docs/pictures/$picture.svg is out of date: docs/pictures/$picture.sh >docs/pictures/$picture.svg"
        bad=1
    done
    return $bad
}
