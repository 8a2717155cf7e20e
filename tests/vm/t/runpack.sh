# runpack: an image of this machine's own programs, by name, into a directory, and away again.
# shellcheck shell=sh source=tests/vm/guest/lib
. "${SMOKE_LIB:-/vm/lib}"

cd "$scratch" || exit
jq=$(command -v jq)
ok "pack" runpack pack -t tool:1 --bin "$jq" --cmd "$jq --version"
tags() { runpack images --jsonl | jq -r '"\(.Repository):\(.Tag)"'; }
is "images names it" tool:1 "$(tags)"
ok "the store is an OCI image layout" jq -e '.imageLayoutVersion == "1.0.0"' "$BOXKIT_ROOT/images/oci-layout"
is "its blobs are what their names say" "" "$(cd "$BOXKIT_ROOT/images/blobs/sha256" && for blob in *; do sha256sum "$blob" | awk '$1 != $2'; done)"
ok "unpack" runpack unpack tool:1 tree
ok "the program runs in there, with its libraries" chroot tree "$jq" --version
ok "tag" runpack tag tool:1 tool:2
ok "save" sh -c 'runpack save tool:2 >saved.tar'
ok "rmi" runpack rmi tool:1 tool:2
is "no image is left" "" "$(runpack images -q)"
fails "a second rmi is an error" 1 runpack rmi tool:1
ok "load brings it back" runpack load saved.tar
is "under its name" tool:2 "$(tags)"
fails "what is not an archive is refused" 1 runpack load /etc/passwd
cd /
