# shellcheck shell=sh disable=SC2154,SC2034 # run and this file share their variables
# What the machine boots: Debian's cloud kernel and two cpio archives, laid end to end.
# base: busybox, modules, ip, nft, jq and their libraries; it changes with the machine's packages.
# ours: our binaries and the guest's scripts; it is made anew for each run.
# Sourced by `run`, which sets $here, $cache, $work and $bins.

# What the assertions are made with, and Debian's own where busybox's lacks a flag. The shell is dash: Debian's
# busybox shell runs its applets in place of the programs of the same name, so `ip` would never be iproute2's.
guest_programs="dash env ip nft jq findmnt mount umount unshare nsenter setpriv prlimit flock install readlink stat head socat"

# fetch_kernel: the newest cloud kernel of this Debian, unpacked beneath the cache; sets $kernel and $release.
fetch_kernel() {
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p')
    [ -n "$package" ] || die "apt knows no linux-image-cloud-amd64" "this needs Debian's package lists: apt-get update"
    kernel=$cache/$package
    release=${package#linux-image-}
    [ -e "$kernel/boot/vmlinuz-$release" ] && return 0
    echo "vm: fetching $package" >&2
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") || die "cannot download $package" "is a Debian mirror reachable?"
    # Unpacked, not installed: nothing is put into /boot, and no hook of the package runs.
    dpkg-deb -x "$work/$package"_*.deb "$work/kernel"
    modules=$work/kernel/lib/modules/$release
    [ -d "$modules" ] || die "$package has no /lib/modules/$release" ""
    busybox depmod -b "$work/kernel" "$release"
    mkdir -p "$cache"
    # Two runs may fetch at once: the second finds the first one's and keeps that.
    mv -T "$work/kernel" "$kernel" 2>/dev/null || [ -e "$kernel/boot/vmlinuz-$release" ]
}

# closure: the files of the modules named on stdin and of all they need, relative to the modules' directory.
closure() {
    awk '
        function name(path) { sub(/.*\//, "", path); sub(/\.ko.*/, "", path); gsub(/-/, "_", path); return path }
        NR == FNR { key = $1; sub(/:$/, "", key); file[name(key)] = key; needs[key] = $0; sub(/^[^:]*: */, "", needs[key]); next }
        /^[ \t]*(#|$)/ { next }
        { gsub(/-/, "_", $1); if (!($1 in file)) { print "vm: no module " $1 > "/dev/stderr"; bad = 1; next } queue[++n] = file[$1] }
        END {
            if (bad) exit 1
            for (i = 1; i <= n; i++) {
                if (queue[i] in seen) continue
                seen[queue[i]]; print queue[i]
                k = split(needs[queue[i]], dep, " ")
                for (j = 1; j <= k; j++) queue[++n] = dep[j]
            }
        }' "$1" -
}

# copy_program FILE TREE: the program, its interpreter and its libraries, at the paths they have here.
copy_program() {
    target=$2/usr/bin/$(basename "$1")
    cp -L "$1" "$target"
    # ldd runs the program's own interpreter: these come from Debian's packages, not from a stranger.
    ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
        [ -e "$2$library" ] && continue
        mkdir -p "$2$(dirname "$library")"
        cp -L "$library" "$2$library"
    done
}

# build_base: sets $base. Named by all that goes into it, so that a new package version makes a new one.
build_base() {
    busybox=$(command -v busybox) || die "no busybox" "apt-get install busybox-static"
    programs=
    for name in $guest_programs; do
        programs="$programs $(command -v "$name")" || die "no $name, which the guest's assertions need" "scripts/test installs it"
    done
    # shellcheck disable=SC2086 # a list of paths without blanks
    key=$({ echo "$release"; cat "$here/modules.txt" "$here/image.sh" "$here/guest/init"; ls -lL --time-style=full-iso "$busybox" $programs; } | sha256sum | cut -c1-16)
    base=$cache/base-$key.cpio
    [ -e "$base" ] && return 0
    tree=$work/base
    mkdir -p "$tree/usr/bin" "$tree/usr/sbin" "$tree/usr/lib" "$tree/usr/lib64" "$tree/etc"
    # Merged /usr, as Debian has it: the libraries' paths from ldd start with /lib.
    for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$tree/$directory"; done
    cp -L "$busybox" "$tree/usr/bin/busybox"
    "$busybox" --list | while read -r applet; do ln -s busybox "$tree/usr/bin/$applet" 2>/dev/null || true; done
    ln -s ../bin/busybox "$tree/usr/sbin/modprobe" # the kernel's own path for it
    for program in $programs; do
        rm -f "$tree/usr/bin/$(basename "$program")"
        copy_program "$program" "$tree"
    done
    ln -sf dash "$tree/usr/bin/sh"
    modules=$kernel/lib/modules/$release
    # The names that ip and nft print instead of numbers.
    for file in /etc/protocols /etc/services /etc/iproute2; do
        if [ -e "$file" ]; then cp -rL "$file" "$tree/etc/"; fi
    done
    closure "$modules/modules.dep" <"$here/modules.txt" >"$work/modules" || die "a module of tests/vm/modules.txt is not in $release" ""
    while read -r file; do
        mkdir -p "$tree/lib/modules/$release/$(dirname "$file")"
        cp "$modules/$file" "$tree/lib/modules/$release/$file"
    done <"$work/modules"
    busybox depmod -b "$tree" "$release"
    cp "$here/guest/init" "$tree/init"
    pack "$tree" "$work/base.cpio"
    rm -f "$cache"/base-*.cpio
    mv "$work/base.cpio" "$base"
}

# build_ours: our commands, stripped, and the guest's scripts; the Rust tests too, if their turn comes.
build_ours() {
    tree=$work/ours
    mkdir -p "$tree/usr/bin" "$tree/vm"
    for command in $commands; do
        [ -x "$bins/$command" ] || die "no $bins/$command" "build first: cargo build --workspace --locked"
        strip -o "$tree/usr/bin/$command" "$bins/$command"
    done
    cp -r "$here/guest/." "$here/t" "$tree/vm"
    # A beginner's first commands, with what they would have built: BOXKIT_BIN=/usr/bin.
    mkdir -p "$tree/vm/scripts" "$tree/usr/bin/examples"
    cp "$top/scripts/quickstart" "$top/scripts/run.sh" "$tree/vm/scripts"
    for example in hello-web fetch; do
        [ -x "$bins/examples/$example" ] || die "no $bins/examples/$example" "build first: cargo build --workspace --locked --examples"
        strip -o "$tree/usr/bin/examples/$example" "$bins/examples/$example"
    done
    case ,$only, in *,rust,* | ,,) add_rust_tests "$tree" ;; esac
    pack "$tree" "$work/ours.cpio"
}

# add_rust_tests TREE: the test binaries of rust-tests.txt. They are static, so they run anywhere; and they look for the
# commands in the directory above their own, as beneath target/.
add_rust_tests() {
    names=$(sed -e 's/#.*//' -e '/^skip /d' "$here/rust-tests.txt")
    [ -n "$names" ] || return 0
    mkdir -p "$1/vm/rust/deps"
    cp "$here/rust-tests.txt" "$1/vm"
    for command in $commands; do ln -s "/usr/bin/$command" "$1/vm/rust/$command"; done
    # shellcheck disable=SC2046,SC2086 # a list of flags
    (cd "$top" && cargo test --quiet --workspace --locked --no-run --message-format=json $(printf -- '--test %s ' $names)) >"$work/artifacts" ||
        die "the Rust tests do not build" "cargo test --workspace --no-run"
    # Those of tests/: a crate may have one of the same name in its own.
    jq -r --arg top "$top/tests/" 'select(.reason == "compiler-artifact" and .profile.test and .executable)
        | select(.target.src_path | startswith($top) or contains("/../")) | "\(.target.name) \(.executable)"' "$work/artifacts" |
        while read -r name file; do strip -o "$1/vm/rust/deps/$name" "$file"; done
}

# pack TREE FILE: uncompressed, since under emulation reading is cheaper than decompressing.
pack() {
    (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --quiet --null -o -H newc -R 0:0) >"$2"
}
