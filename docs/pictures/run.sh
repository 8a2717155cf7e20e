#!/bin/sh
# docs/pictures/run.sh >docs/pictures/run.svg: what `rrun run` does, who does it and in which order (docs/design.md, docs/why.md).
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=docs/pictures/theme.sh
. docs/pictures/theme.sh

theme 940 982 'What rrun run does, in three lanes: client, monitor, container'
# do LANE|text|more: a box; a second box with = in front stands beside the one before. to FROM TO|label: an arrow.
awk -F '|' '
function box(lane, y, name, more,    x) {
    x = 24 + (lane - 1) * 304
    print "<rect class=\"box\" x=\"" x "\" y=\"" y "\" width=\"284\" height=\"46\" rx=\"6\"/><rect class=\"" class[lane] "\" x=\"" x "\" y=\"" y "\" width=\"4\" height=\"46\" rx=\"2\"/>"
    print "<text x=\"" (x + 14) "\" y=\"" (y + 19) "\">" name "</text><text class=\"faint\" x=\"" (x + 14) "\" y=\"" (y + 36) "\">" more "</text>"
}
BEGIN {
    class[1] = "one"; class[2] = "two"; class[3] = "three"; y = 132
    print "<text class=\"head\" x=\"24\" y=\"36\">What rrun run does</text>"
    print "<text class=\"faint\" x=\"24\" y=\"58\">No daemon: the client starts a monitor for this one container. Each change to the kernel is a step of a plan, and in the journal before it is made.</text>"
    split("client|monitor|container", lane, "|")
    split("reads your words, shows the output|stays as long as the container|the program, in its namespaces", about, "|")
    for (i = 1; i <= 3; i++) {
        x = 166 + (i - 1) * 304
        print "<text class=\"name middle " class[i] "\" x=\"" x "\" y=\"92\">" lane[i] "</text><text class=\"faint middle\" x=\"" x "\" y=\"110\">" about[i] "</text><path class=\"line\" d=\"M" x " 118V962\"/>"
    }
}
{ split($1, word, " ") }
word[1] == "do" { box(word[2], y, $2, $3); last = y; y += 58 }
word[1] == "with" { box(word[2], last, $2, $3) }
word[1] == "to" {
    from = 166 + (word[2] - 1) * 304; to = 166 + (word[3] - 1) * 304; way = to > from ? 1 : -1
    print "<path class=\"arrow\" d=\"M" (from + 5 * way) " " (y + 12) "H" (to - 9 * way) "\"/><path class=\"tip\" d=\"M" (to - 2 * way) " " (y + 12) "l" (-9 * way) " -5v10z\"/>"
    print "<text class=\"faint middle\" x=\"" ((from + to) / 2) "\" y=\"" (y + 6) "\">" $2 "</text>"
    y += 30
}
END { print "</svg>" }
' <<'STEPS'
to 1 2|fork, before it parses
do 1|Flags and image become config.json|pure functions; the same that --dry-run prints
with 2|Makes the network namespace|while the client reads the image
to 1 2|go
do 2|A plan of steps, a journal|config.json is all that the engine understands
do 2|Cgroups with their limits|made by the parent, each with its undo
to 2 3|clone3: new namespaces
do 3|Closes what it inherited, waits|the end of the pipe means: exit
to 2 3|go, with what was filled in since
do 3|Joins its cgroups, mounts its root|overlay, /proc, /dev, masks; then pivot_root
with 2|Bridge, address, cable, port|one end on the bridge, the other is eth0 inside
do 3|Gives up rights|user, capabilities, system call filter
to 3 2|ready: how each step went
to 2 1|running
do 3|execve: your program|its output goes into FIFOs of the monitor
with 2|Output, log, terminal, signals|one thread, one poll loop
with 1|Shows output, passes signals on|may end: the container does not
to 3 2|the program ends: pidfd
do 2|Writes the exit code|then undoes the journal, last step first
do 2|Port, cgroup, name, pin|the directory is renamed to the trash
to 2 1|the exit code
do 2|Deletes the trash, ends|nothing is left: no link, rule, mount, cgroup
with 1|Exits with the program&#8217;s code|
STEPS
