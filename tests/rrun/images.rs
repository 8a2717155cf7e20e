//! What an image says of a container, and the image verbs under docker's names.

use kit_test::Host;

/// With overlayfs it is the upper directory's own that show.
#[test]
fn the_root_directory_of_a_container_is_its_images() {
    let host = Host::new();
    host.ok("runpack unpack tools tree && chmod 711 tree && chown 7:8 tree && touch -d @1000000000 tree
        tar -C tree -c . | runpack import -c 'CMD [\"sh\"]' - own && rrun create --net none --name dry own && rrun create --dry-run --net none --name sh own > s && sh -e s");
    for name in ["dry", "sh"] {
        let upper = format!("root/containers/$(rrun inspect -f '{{{{.Id}}}}' {name})/upper");
        assert_eq!(
            host.ok(&format!("stat -c '%a %u:%g %Y' {upper}")),
            "711 7:8 1000000000\n"
        );
    }
    // The layer of one of --rm is elsewhere.
    let stat = "own stat -c '%a %u:%g %Y' /";
    let own = "711 7:8 1000000000\n";
    assert_eq!(host.ok(&format!("rrun run --rm --net none {stat}")), own);
    host.ok(&format!("rrun run --dry-run --rm --net none {stat} >s"));
    assert_eq!(host.ok("BOXKIT_PARTIAL=1 sh s"), own);
    host.ok("rrun run -d --net none --name own own sleep 100");
    let pid = host.ok("rrun inspect -f '{{.State.Pid}}' own");
    let root = format!("/proc/{}/root/.", pid.trim());
    assert_eq!(host.ok(&format!("stat -c '%a %u:%g' {root}")), "711 7:8\n");
    // What a container made of it stays.
    host.ok(&format!("chmod 755 {root} && rrun restart -t 0 own"));
    let pid = host.ok("rrun inspect -f '{{.State.Pid}}' own");
    let root = format!("/proc/{}/root/.", pid.trim());
    assert_eq!(host.ok(&format!("stat -c '%a %u:%g' {root}")), "755 7:8\n");
}

/// A file with two names was two files, and a hole of eight gigabytes as many of zeros.
#[test]
fn a_volume_begins_with_the_links_and_holes_that_the_image_has() {
    let host = Host::new();
    host.ok("mkdir -p t/data/d && echo x > t/data/a && ln t/data/a t/data/d/b && truncate -s 8G t/data/big && ln -s a t/data/l && mkfifo t/data/p
        runpack unpack tools u && cp -a --sparse=always t/data u/ && tar -S -C u -c . | runpack import - data
        rrun create --name vol -v v:/data data true");
    let facts = "find . -printf '%P %y %m %n %s %l\n' | sort";
    let (theirs, ours) = (
        host.ok(&format!("cd t/data && {facts}")),
        host.ok(&format!("cd root/volumes/v/_data && {facts}")),
    );
    assert_eq!(theirs, ours);
    assert_eq!(
        host.ok("du -s root/volumes | awk '{print $1 < 1000}'"),
        "1\n"
    );
}

#[test]
fn a_refused_removal_names_the_container() {
    let host = Host::new();
    host.ok("rrun create --name web tools true");
    for tool in ["rrun", "runpack"] {
        let (code, _, said) = host.outcome(&format!("{tool} rmi tools"));
        assert_eq!(code, 1);
        assert_eq!(
            said,
            format!(
                "{tool}: removing image \"tools\": it is used by container \"web\"\n\
                 hint: rrun rm -f web removes it; or --force, which takes the image's name alone\n"
            )
        );
    }
    host.ok("rrun rm -f web && rrun rmi tools");
}

#[test]
fn images_are_listed_by_filters_and_templates() {
    let host = Host::new();
    host.ok("rrun tag tools team/web:1 && mkdir e && tar -C e -cf e.tar . && runpack import -c 'LABEL k=v' e.tar lab && runpack import e.tar lab2 && runpack import -m other e.tar lab2");
    for (flags, listed) in [
        (
            "--format '{{.Repository}}:{{.Tag}}' -f reference='t*'",
            "tools:latest\n",
        ),
        ("--format '{{.Repository}}' team/web", "team/web\n"),
        ("--format '{{.Repository}}' 'team/*'", "team/web\n"),
        ("--format '{{.Repository}}' -f label=k=v", "lab\n"),
        (
            "--format '{{.Repository}}' -f label=k -f reference=tools",
            "",
        ),
        ("--format '{{.Repository}}' -f dangling=true", "<none>\n"),
        (
            "--format '{{json .Tag}}' -f reference=lab -f reference=team/web",
            "\"latest\"\n\"1\"\n",
        ),
        (
            "--format 'table {{.Repository}}\\t{{.CreatedSince}}' tools",
            "REPOSITORY   CREATED\ntools        N/A\n",
        ),
    ] {
        assert_eq!(host.ok(&format!("rrun images {flags}")), listed, "{flags}");
    }
    assert_eq!(
        host.ok("rrun images --format json tools | jq -r .Repository"),
        "tools\n"
    );
    assert_eq!(host.ok("rrun images --json | jq length"), "5\n");
    let (code, _, said) = host.outcome("rrun images -f bogus=1");
    assert_eq!(code, 2);
    assert!(
        said.starts_with("rrun: invalid filter \"bogus=1\": "),
        "{said}"
    );
    assert_eq!(host.code("rrun images --format '{{.Tag'"), 2);
}

#[test]
fn archives_are_saved_and_loaded_by_any_name() {
    let host = Host::new();
    host.ok(
        "rrun images -q | rrun save - > all.tar && rrun save -o \"$(printf 'caf\\351.tar')\" tools",
    );
    for load in [
        "-i all.tar",
        "--input=all.tar",
        "-q --input all.tar",
        "< all.tar",
        "all.tar",
        "-i \"$(printf 'caf\\351.tar')\"",
        "\"$(printf 'oci-archive:caf\\351.tar')\"",
    ] {
        assert_eq!(
            host.ok(&format!("rrun load {load}")),
            "Loaded image: tools:latest\n"
        );
    }
    host.ok("here=$PWD; runpack unpack ./all.tar a; runpack unpack $here/all.tar b; runpack unpack all.tar c; runpack unpack tools d
        runpack unpack \"$(printf 'caf\\351.tar')\" \"$(printf 'caf\\351')\"; diff -r a b; diff -r c d");
    assert_eq!(host.ok("runpack unpack --layout=overlay all.tar \"$(printf 'o\\351')\" | grep -ac \"$(printf 'o\\351/1')\""), "1\n");
    host.ok("mkdir n && tar -C n -xf all.tar && cd n && jq '.manifests[].annotations = {}' index.json > i && mv i index.json && rrun rmi -f tools");
    let (code, out, said) = host.outcome("rrun load n");
    assert!(
        code == 0 && out.starts_with("Loaded image ID: sha256:"),
        "{out}"
    );
    assert!(said.starts_with("rrun: loading an image: "), "{said}");
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: "));
    let command = hint.unwrap().split(" NAME").next().unwrap();
    host.ok(&format!(
        "{command} again && rrun run --rm --net none again sh -c :"
    ));
}

/// The first run unpacks a packed image: that is no change of it.
#[test]
fn an_images_size_is_the_same_before_and_after_its_first_run() {
    let host = Host::new();
    host.ok("runpack pack -t fresh --bin id ls");
    let ask = "rrun images --format '{{.Size}} {{.SizeBytes}}' fresh; rrun history --json fresh | jq -r '.[].Size'";
    let before = host.ok(ask);
    host.ok("rrun run --rm --net none fresh id");
    assert_eq!(host.ok(ask), before);
}

#[test]
fn an_import_says_where_it_is_from_as_docker_does() {
    let host = Host::new();
    host.ok(
        "echo x >x; tar -cf x.tar x; rrun import -m 'a note' x.tar noted; rrun import x.tar plain",
    );
    let rows = "rrun history --json noted | jq -r '.[0] | .CreatedBy, .Comment'; rrun history --json plain | jq -r '.[0].Comment'";
    assert_eq!(host.ok(rows), "\na note\nImported from x.tar\n");
    for (typed, hint) in [
        (
            "import http://127.0.0.1/x.tar x",
            "curl -fsSL http://127.0.0.1/x.tar | runpack import - NAME",
        ),
        (
            "load https://127.0.0.1/x.tar",
            "curl -fsSL https://127.0.0.1/x.tar | runpack load",
        ),
    ] {
        let (code, _, said) = host.outcome(&format!("rrun {typed}"));
        assert_eq!(code, 1, "{said}");
        assert_eq!(
            said.lines().nth(1),
            Some(format!("hint: {hint}").as_str()),
            "{said}"
        );
    }
    // curl is not there everywhere; what it is piped into is run with a file of this machine.
    host.ok(
        "cat x.tar | runpack import - piped; runpack save -o a.tar piped; cat a.tar | runpack load",
    );
    let (_, _, said) = host.outcome("rrun save -o /nosuch/x.tar plain");
    assert_eq!(
        said,
        "rrun: create \"/nosuch/x.tar\": No such file or directory\n"
    );
}

/// Whoever can write to the root can put anything into the store: no verb reads it then.
#[test]
fn a_root_that_others_can_write_to_has_one_answer() {
    let host = Host::new();
    host.ok("chmod 1777 root");
    let root = host.path().join("root");
    let said = format!(
        "rrun: using root directory {root:?}: others can write to it\nhint: chmod 0700 {}\n",
        root.display()
    );
    for verb in [
        "rmi tools",
        "tag tools x",
        "images",
        "history tools",
        "save tools",
        "create tools id",
        "run --dry-run tools id",
        "ps",
        "inspect tools",
        "gc --dry-run",
    ] {
        let (_, out, got) = host.outcome(&format!("rrun {verb}"));
        assert_eq!((out.as_str(), got.as_str()), ("", said.as_str()), "{verb}");
    }
    host.ok("chmod 0700 root; rrun tag tools x");
}
