#!/bin/sh
# docs/pictures/floors.sh >docs/pictures/floors.svg: the crates on their four floors, as tools/ has them.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=docs/pictures/theme.sh
. docs/pictures/theme.sh

# floor CLASS NAME CAPTION DIR…: a line for the floor, and one for each crate in it.
floor() {
    printf 'floor|%s|%s|%s\n' "$1" "$2" "$3"
    shift 3
    for dir; do
        printf 'crate|%s|%s\n' "$(basename "$dir")" "$(sed -n 's/^description = "\(.*\)\."$/\1/p' "$dir/Cargo.toml")"
    done
}

theme 940 HEIGHT 'The four floors of boxkit and the crates on each' >"${TMPDIR:-/tmp}/floors.$$"
trap 'rm -f "${TMPDIR:-/tmp}/floors.$$"' EXIT
{
    floor one Faces "docker's words, their output,|the terminal" tools/rrun
    floor two box 'what a container is made of;|no command line, no docker' tools/box/*
    floor three Primitives 'one each, a library and|a command of its own' tools/rnetns tools/rveth tools/rbridge tools/rcgroup tools/rmount tools/runpack
    floor four kit 'what all else stands on;|no notion of a container' tools/kit/*
} | awk -F '|' -v frame="${TMPDIR:-/tmp}/floors.$$" '
function wrapped(text, x, y,    words, count, i, line) {
    count = split(text, words, " ")
    for (i = 1; i <= count; i++) {
        if (line != "" && length(line " " words[i]) > 35) { out("<text class=\"faint\" x=\"" x "\" y=\"" y "\">" line "</text>"); line = ""; y += 14 }
        line = line (line == "" ? "" : " ") words[i]
    }
    out("<text class=\"faint\" x=\"" x "\" y=\"" y "\">" line "</text>")
}
function out(text) { body = body text "\n" }
function close_floor() {
    if (begun == "") return
    if (column > 0) y += 78
    out("<rect class=\"" class "\" x=\"24\" y=\"" begun "\" width=\"5\" height=\"" (y - begun - 8) "\" rx=\"2\"/>")
    y += 18
}
BEGIN { y = 88 }
$1 == "floor" {
    close_floor()
    class = $2; begun = y; column = 0
    out("<text class=\"name " class "\" x=\"40\" y=\"" (y + 18) "\">" $3 "</text><text class=\"faint\" x=\"40\" y=\"" (y + 36) "\">" $4 "</text><text class=\"faint\" x=\"40\" y=\"" (y + 50) "\">" $5 "</text>")
}
$1 == "crate" {
    x = 210 + column * 240
    out("<rect class=\"box\" x=\"" x "\" y=\"" y "\" width=\"232\" height=\"70\" rx=\"6\"/><text class=\"name\" x=\"" (x + 12) "\" y=\"" (y + 20) "\">" $2 "</text>")
    wrapped($3, x + 12, y + 36)
    if (++column == 3) { column = 0; y += 78 }
}
END {
    close_floor()
    while ((getline line <frame) > 0) { gsub("HEIGHT", y, line); print line }
    print "<text class=\"head\" x=\"24\" y=\"36\">Four floors: each knows those below it and none above</text>"
    print "<text class=\"faint\" x=\"24\" y=\"58\">A crate may use what is on its own floor or further down, never above. All unsafe code is in kit/sys.</text>"
    printf "%s</svg>\n", body
}'
