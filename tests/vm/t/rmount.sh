# rmount: overlay, bind and tmpfs as findmnt(8) sees them, and what an upper directory changed.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

cd "$scratch" || exit
mkdir base app
echo base >base/kept
echo base >base/gone
echo app >app/kept
on() { findmnt -rno "$2" "$scratch/$1"; }

ok "overlay" rmount overlay -m -l app -l base --upper up --work wk root
is "it is an overlay" overlay "$(on root FSTYPE)"
is "the first lower is on top" app "$(cat root/kept)"
rm root/gone
echo new >root/new
is "diff" "A /new
D /gone" "$(rmount diff root | sort)"
ok "bind, read-only" rmount bind --ro -m base seen
fails "which nobody writes to" 1 touch seen/file
ok "tmpfs" rmount tmpfs -m --size 1m memory
is "it is a tmpfs of that size" 1M "$(on memory SIZE)"
is "list names all three" 3 "$(rmount list -q --under "$scratch" | wc -l)"
fails "a lower that is not there is refused" 1 rmount overlay -m -l missing other
# More layers than a page holds: Linux 6.5 takes them, an older kernel is said to be one.
long=$(printf 'a%.0s' $(seq 200))
set --
for n in $(seq 30); do
    mkdir -p "$long$n"
    set -- "$@" -l "$long$n"
done
if printf '6.5\n%s\n' "$(uname -r)" | sort -VC; then
    ok "layers of more than a page" rmount overlay -m "$@" many
    ok "which go" rmount umount many
else
    rmount overlay -m "$@" many 2>said
    ok "layers of more than a page are refused for their true cause" grep -q 'before Linux 6.5 they must fit one page' said
fi
ok "umount" rmount umount memory seen root
fails "a second umount is an error" 1 rmount umount root
is "nothing is mounted" "" "$(rmount list -q --under "$scratch")"

# What --dry-run prints, sh can do.
rmount tmpfs -m --size 1m --dry-run memory >script
is "the dry run mounted nothing" "" "$(on memory FSTYPE)"
ok "sh runs the dry run" sh script
is "and the tmpfs is there" tmpfs "$(on memory FSTYPE)"
ok "which rmount unmounts" rmount umount memory
cd /
