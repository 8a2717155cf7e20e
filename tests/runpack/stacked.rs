//! Layers that only name what is in a directory, and not the directory, and those that take away what they then have: stacked by an overlay
//! they are the tree that umoci makes of them.

use super::*;

/// What a layer is made from, and its members in their order.
type Layer = (&'static str, &'static str);

/// Two directories that nobody would make by accident.
const OWNED: &str = "mkdir -p p/q; chown 7:8 p; chmod 711 p; chown 9:9 p/q; chmod 700 p/q; echo old > p/q/old; echo top > top";

fn same_as_umoci(what: &str, layers: &[Layer]) {
    let room = Room::new();
    room.sh("umoci init --layout lay && umoci new --image lay:x");
    for (at, (make, members)) in layers.iter().enumerate() {
        room.sh(&format!(
            "umask 022; mkdir {at}; cd {at}; {make}
            tar --no-recursion -cf ../{at}.tar {members}; cd ..; umoci raw add-layer --image lay:x {at}.tar"
        ));
    }
    let lowers = room.sh(
        "umask 022; umoci raw unpack --image lay:x theirs
        runpack load oci:lay:x -t x >&2; runpack unpack x flat
        runpack unpack oci:lay:x --layout=overlay ov; runpack inspect x | jq -r '.[0].GraphDriver.Data.LowerDir'",
    );
    eprintln!("{what}");
    assert_same(&room.path("theirs"), &room.path("flat"), false);
    assert_eq!(lowers.lines().count(), 2, "{lowers}");
    for lowers in lowers.lines() {
        // An overlay of one directory alone would not be one.
        room.sh(&format!(
            "mkdir -p m empty && unshare --mount --propagation private sh -euc 'mount -t overlay -o ro,lowerdir={lowers}:empty o m && rm -rf copy && cp -a m copy'"
        ));
        assert_same(&room.path("theirs"), &room.path("copy"), false);
    }
}

#[test]
fn a_root_that_hides_all_below_it() {
    let opaque = (
        "mkdir -p p/q; echo new > p/q/new; touch .wh..wh..opq",
        ".wh..wh..opq p/q/new",
    );
    same_as_umoci("alone", &[(OWNED, "p p/q p/q/old top"), opaque]);
    let more = ("mkdir p; echo more > p/more", "p/more");
    same_as_umoci(
        "in the middle",
        &[(OWNED, "p p/q p/q/old top"), opaque, more],
    );
}

#[test]
fn a_directory_that_is_a_link_below() {
    let lib = (
        "mkdir -p usr/lib/deep; chmod 750 usr/lib/deep; chown 3:4 usr/lib; ln -s usr/lib lib; touch usr/lib/x usr/lib/kept usr/lib/deep/one",
        "usr usr/lib usr/lib/deep lib usr/lib/x usr/lib/kept usr/lib/deep/one",
    );
    let through = (
        "mkdir -p lib/deep/new; touch lib/y lib/.wh.x lib/deep/two lib/deep/new/three; ln lib/y lib/hard",
        "lib/y lib/.wh.x lib/deep/two lib/deep/new/three lib/hard",
    );
    same_as_umoci("once", &[lib, through]);
    let opaque = (
        "mkdir -p lib/deep usr/lib; touch lib/deep/.wh..wh..opq lib/deep/four usr/lib/five lib/six",
        "lib/deep/.wh..wh..opq lib/deep/four usr/lib/five lib/six",
    );
    same_as_umoci("thrice", &[lib, through, opaque]);
    let chain = (
        "mkdir -p c/d/e; chmod 701 c/d; ln -s b a; ln -s ./c/../c/d b; ln -s /a/e c/back; touch c/d/f",
        "c c/d c/d/e a b c/back c/d/f",
    );
    let each = (
        "mkdir -p a b c/d c/back; touch a/1 b/2 c/d/3 c/back/4",
        "a/1 b/2 c/d/3 c/back/4",
    );
    same_as_umoci("a chain", &[chain, each]);
    let gone = ("touch .wh.lib", ".wh.lib");
    let new = (
        "mkdir -p lib/deep; touch lib/y lib/deep/two",
        "lib/y lib/deep/two",
    );
    same_as_umoci("a link that is gone", &[lib, gone, new]);
    let replaced = (
        "mkdir lib; chmod 711 lib; chown 5 lib; touch lib/own",
        "lib lib/own",
    );
    same_as_umoci("a link that is a directory now", &[lib, replaced, new]);
}

#[test]
fn a_directory_where_the_layer_took_something_away() {
    let file = ("echo file > foo", "foo");
    let again = ("mkdir foo; touch .wh.foo foo/bar", ".wh.foo foo/bar");
    same_as_umoci("a file", &[file, again]);
    let dir = (
        "mkdir -p foo/sub; chmod 700 foo foo/sub; chown 1 foo foo/sub; touch foo/old foo/sub/old",
        "foo foo/sub foo/old foo/sub/old",
    );
    let deep = (
        "mkdir -p foo/sub; touch .wh.foo foo/sub/new",
        ".wh.foo foo/sub/new",
    );
    same_as_umoci("a directory", &[dir, deep]);
}

#[test]
fn a_directory_is_not_like_one_that_is_hidden() {
    let owned = (OWNED, "p p/q p/q/old top");
    let inside = ("mkdir -p p/q; touch p/q/new", "p/q/new");
    same_as_umoci("seen", &[owned, inside]);
    same_as_umoci("whited out", &[owned, ("touch .wh.p", ".wh.p"), inside]);
    let opaque = (
        "mkdir p; chmod 755 p; touch p/.wh..wh..opq",
        "p p/.wh..wh..opq",
    );
    same_as_umoci("opaque", &[owned, opaque, inside]);
    let between = (
        "mkdir -p p/q; chmod 777 p/q; touch p/q/between",
        "p/q p/q/between",
    );
    same_as_umoci("new again", &[owned, opaque, between, inside]);
}

#[test]
fn a_directory_that_the_same_layer_replaces() {
    let file = "mkdir -p x/y/z; touch x/y/z/f; tar --no-recursion -cf ../1.tar x/y/z/f; rm -r x/y; echo file > x/y";
    let below = ("mkdir -p x/y; chmod 700 x/y; touch x/kept", "x x/y x/kept");
    let room = Room::new();
    // umoci refuses such a layer, so what it ends with is what there has to be.
    room.sh(&format!("umoci init --layout lay && umoci new --image lay:x; mkdir 0 1; cd 0; {}; tar --no-recursion -cf ../0.tar {}; cd ..
        cd 1; {file}; tar --no-recursion -rf ../1.tar x/y; cd ..
        for at in 0 1; do umoci raw add-layer --image lay:x $at.tar; done
        runpack load oci:lay:x -t x", below.0, below.1));
    room.sh("runpack unpack x flat; test \"$(cat flat/x/y)\" = file; test -e flat/x/kept
        test \"$(cat \"$(runpack inspect x | jq -r '.[0].GraphDriver.Data.LowerDir' | cut -d: -f1)\"/x/y)\" = file");
}
