//! Names inside a container and of it: users and their groups, the files of host names, images that a filter names, names
//! that a listing gives to a verb.

use kit_test::Host;

/// A host with files of users: `web` is 33, its own group 34, and it is a member of two others.
fn with_users() -> Host {
    let host = Host::new();
    host.ok(
        "printf 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n' >passwd
         printf 'root:x:0:\nwww:x:34:\nlog:x:4:root,web\ndisk:x:6:web\n' >group",
    );
    host
}

const FILES: &str = "-v $PWD/passwd:/etc/passwd -v $PWD/group:/etc/group";

/// CVE-2022-36109: a set-group-ID program would escape what a file denies to the user's own group.
#[test]
fn the_supplementary_groups_have_the_users_own_group() {
    let host = with_users();
    host.ok(&format!(
        "rrun run -d --name box --net none {FILES} tools sleep 1000"
    ));
    for (user, wanted) in [
        ("", "Groups: 0 4"),
        ("-u root", "Groups: 0 4"),
        ("-u 0:0", "Groups: 0"),
        ("-u web", "Groups: 4 6 34"),
        ("-u 33", "Groups: 4 6 34"),
        ("-u web:disk", "Groups: 6"),
        ("-u 1000", "Groups: 0"),
        ("-u 1000:1001", "Groups: 1001"),
    ] {
        let run = format!("rrun run --rm --net none {user} {FILES} tools");
        let seen = |command: &str| {
            let out = host.ok(&format!(
                "{command} cat /proc/self/status >status; grep Groups: status"
            ));
            out.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(seen(&run), wanted, "run {user}");
        assert_eq!(
            seen(&format!("rrun exec {user} box")),
            wanted,
            "exec {user}"
        );
    }
    assert_eq!(host.ok("rrun exec -u web box id -G"), "34 4 6\n");
    assert_eq!(host.ok("rrun exec -u '' box id -G"), "0 4\n");
    // What another runtime is given.
    let user = "rrun bundle box b >/dev/null; jq -c '.process.user' b/config.json; rrun bundle --umount box b; rrun rm box";
    host.ok("rrun rm -f box; rrun create --name box --net none -u 0:6 tools id");
    assert_eq!(
        host.ok(user).lines().next(),
        Some(r#"{"uid":0,"gid":6,"additionalGids":[6]}"#)
    );
    host.ok("rrun create --name box --net none tools id");
    let bundled = host.ok(user);
    assert!(
        bundled.starts_with(r#"{"uid":0,"gid":0,"additionalGids":[0"#),
        "{bundled}"
    );
    assert_eq!(
        host.ok(
            "rrun create --name box tools id >/dev/null; rrun inspect -f '[{{.Config.User}}]' box"
        ),
        "[]\n"
    );
}

/// docker resolves the name first: the image counts, not how it was called.
#[test]
fn containers_of_an_image_are_found_by_each_of_its_names() {
    let host = Host::new();
    host.ok(
        "rrun tag tools alias:2; rrun create --name one tools id; rrun create --name two alias:2 id
         echo x >x; tar -c x | rrun import - other; rrun create --name three other /x",
    );
    let of = |image: &str| {
        host.ok(&format!(
            "rrun ps -a --filter ancestor={image} --format '{{{{.Names}}}}' | sort"
        ))
    };
    for image in [
        "tools",
        "tools:latest",
        "alias:2",
        "$(rrun images -q tools)",
        "$(rrun images -q --no-trunc tools)",
    ] {
        assert_eq!(of(image), "one\ntwo\n", "{image}");
    }
    assert_eq!(of("other"), "three\n");
    assert_eq!(of("nosuch"), "");
    // A name that moved to another image is that image's.
    host.ok("rrun tag other alias:2");
    assert_eq!(of("alias:2"), "three\n");
}

/// Each object has the name that the verb takes, in an array, one a line, and on lines of docker's.
#[test]
fn a_listing_in_json_is_piped_into_a_verb() {
    let host = Host::new();
    for list in ["ps -a --json", "ps -a --jsonl", "ps -a --format json"] {
        host.ok("rrun create --name one --net none tools id; rrun create --name two --net none -v vol:/v tools id");
        let removed = host.ok(&format!("rrun {list} | rrun rm -"));
        assert_eq!(removed, "two\none\n", "{list}");
        assert_eq!(host.ok("rrun ps -aq"), "", "{list}");
    }
    // Nobody runs any more, and nothing is done.
    assert_eq!(host.ok("rrun ps --json | rrun rm -"), "");
    assert_eq!(host.ok("rrun volume ls --json | rrun volume rm -"), "vol\n");
    host.ok("rrun tag tools again:1; rrun tag tools more:1");
    for (list, verb, said) in [
        (
            "rrun images -f reference=again --json",
            "rrun rmi -",
            "Untagged: again:1\n",
        ),
        (
            "runpack list --json | jq 'map(select(.name == \"more:1\"))'",
            "runpack rm -",
            "Untagged: more:1\n",
        ),
    ] {
        assert_eq!(host.ok(&format!("{list} | {verb}")), said, "{list}");
    }
    // An image is no container, whatever it is called.
    host.ok("rrun create --name tools --net none tools id");
    let refused =
        "rrun: reading \"tools:latest\" from standard input: it is an image, not a container\n";
    assert_eq!(
        host.outcome("rrun images --json | rrun rm -f -"),
        (2, String::new(), refused.to_owned())
    );
}

#[test]
fn a_host_name_with_a_domain_is_also_known_without_it() {
    let host = Host::new();
    let last = "tools tail -n 1 /etc/hosts";
    let ours = host.ok(&format!("rrun run --rm -h h1.dom.x {last}"));
    assert!(ours.ends_with("\th1.dom.x h1\n"), "{ours}");
    let plain = host.ok(&format!("rrun run --rm -h h1 {last}"));
    assert!(plain.ends_with("\th1\n"), "{plain}");
    let script =
        format!("rrun run --dry-run --rm -h h1.dom.x {last} >s; BOXKIT_PARTIAL=1 sh s 2>/dev/null");
    let replayed = host.ok(&script);
    assert!(replayed.ends_with("\th1.dom.x h1\n"), "{replayed}");
}

/// docker copies the file there.
#[test]
fn a_container_on_the_hosts_network_has_the_hosts_names() {
    let host = Host::new();
    let read = "rrun run --rm --net host tools cat /etc/hosts";
    let own = "printf '192.0.2.9 vm.example\\n' >hosts; mount --bind hosts /etc/hosts";
    assert_eq!(
        host.ok(&format!("unshare -m sh -c \"{own}; {read}\"")),
        "192.0.2.9 vm.example\n"
    );
    let replayed = format!(
        "unshare -m sh -c \"{own}; rrun run --dry-run --rm --net host tools cat /etc/hosts >s; BOXKIT_PARTIAL=1 sh s 2>/dev/null\""
    );
    assert_eq!(host.ok(&replayed), "192.0.2.9 vm.example\n");
    let none = host.ok("rrun run --rm --net none tools cat /etc/hosts");
    assert!(none.starts_with("127.0.0.1\tlocalhost\n"), "{none}");
}

/// Two that draw one name. The slower is held up before it takes the name (strace(1)), and the name is taken.
#[test]
fn a_drawn_name_that_another_was_quicker_to_take_is_drawn_again() {
    let host = Host::new();
    host.ok("rrun create --name keeper tools id");
    let out = host.ok("strace -f -qq -o log -e trace=link,linkat -e inject=link,linkat:delay_enter=3000000:when=1 rrun create tools id >made & \
        until name=$(jq -r .name root/containers/.*.new/container.json 2>/dev/null) && [ -n \"$name\" ]; do sleep 0.02; done; \
        rrun ps -aq --no-trunc -f name=keeper >\"root/names/$name\"; wait $! || exit; \
        echo $name; rrun inspect -f '{{.Name}}' $(cat made)");
    let names: Vec<&str> = out.lines().collect();
    assert!(
        names.len() == 2 && names[1] != format!("/{}", names[0]),
        "{out}"
    );
    // Also when the one that was quicker is gone again before anybody looks.
    let quicker = "strace -f -qq -o log -e trace=link,linkat -e inject=link,linkat:error=EEXIST:when=1 rrun create";
    let id = host.ok(&format!("{quicker} tools id"));
    assert_eq!(host.ok(&format!("rrun inspect -f '{{{{.Id}}}}' {id}")), id);
    // A name that was given is not.
    assert_eq!(host.code(&format!("{quicker} --name given tools id")), 1);
    assert_eq!(host.code("rrun create --name keeper tools id"), 1);
}
