//! What `rrun` tells of containers: ps, logs, inspect, port, info, doctor and bundle.

use kit_test::Host;

#[test]
fn ps_in_the_shape_that_is_asked_for() {
    let host = Host::new();
    host.ok("rrun run -d --name web -p 8080:80 -l tier=front tools sleep 1000");
    assert_eq!(
        host.code("rrun run --name done -l tier=back tools sh -c 'exit 3'"),
        3
    );
    host.ok("rrun create --name new tools sh");
    let names = |flags: &str| host.ok(&format!("rrun ps {flags} --format '{{{{.Names}}}}'"));
    assert_eq!(names(""), "web\n");
    assert_eq!(names("-a"), "new\ndone\nweb\n");
    assert_eq!(names("-n 2"), "new\ndone\n");
    assert_eq!(names("-f status=exited -f status=created"), "new\ndone\n");
    assert_eq!(names("-a -f label=tier -f label=tier=back"), "done\n");
    assert_eq!(names("-f exited=3"), "done\n");
    assert_eq!(names("-a -f name=we -f status=exited"), "");
    // Regular expressions, of the name with its slash and without.
    for pattern in ["^web$", "^/web$", "/web", "w.b", "^we"] {
        assert_eq!(
            names(&format!("-a -f 'name={pattern}'")),
            "web\n",
            "{pattern}"
        );
    }
    assert_eq!(names("-a -f name=^eb"), "");
    assert_eq!(
        names("-a -f network=bridge -f ancestor=tools -f status=created"),
        "new\n"
    );
    let table = host.ok(r"rrun ps -a --format 'table {{.Names}}\t{{.State}}\t{{.Ports}}'");
    let expected = "NAMES     STATE     PORTS\nnew       created\ndone      exited\n\
                    web       running   0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n";
    assert_eq!(table, expected);
    let json = host.ok("rrun ps --format json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["Networks"], "bridge");
    let (code, _, said) = host.outcome("rrun ps --format '{{.Names'");
    let why = "rrun: template parsing error: unclosed action: \".Names\"\n";
    assert_eq!((code, said.as_str()), (2, why));
    for (filter, hint) in [
        (
            "status=bogus",
            "the states are created, running, paused, exited",
        ),
        ("exited=x", "an exit code is a number: exited=0"),
        ("name=(", "a name is matched as a regular expression: "),
        ("colour=red", "status=…, name=REGEX"),
    ] {
        let (code, out, said) = host.outcome(&format!("rrun ps -f '{filter}'"));
        let begin = format!("rrun: invalid filter '{filter}'\nhint: {hint}");
        assert!(
            code == 2 && out.is_empty() && said.starts_with(&begin),
            "{code} {said}"
        );
    }
}

#[test]
fn inspect_answers_what_a_template_asks() {
    let host = Host::new();
    host.ok("rrun run -d --name web -p 8080:80 -l a=b tools sleep 1000");
    let ask = |template: &str| host.ok(&format!("rrun inspect -f '{template}' web"));
    let ports =
        "{{range $p, $at := .NetworkSettings.Ports}}{{$p}}={{(index $at 0).HostPort}}{{end}}";
    assert_eq!(ask(ports), "80/tcp=8080\n");
    assert_eq!(ask("{{index .Config.Labels \"a\"}}"), "b\n");
    let pid = ask("{{.State.Pid}}");
    let ip = format!("nsenter -t {} -n ip -j link show eth0", pid.trim());
    let links: serde_json::Value = serde_json::from_str(&host.ok(&ip)).unwrap();
    let mac = links[0]["address"].as_str().unwrap();
    assert_eq!(ask("{{.NetworkSettings.MacAddress}}").trim(), mac);
    let (code, out, said) = host.outcome("rrun inspect -f '{{.Name}}' web nosuch");
    assert_eq!((code, out.as_str()), (1, "/web\n"));
    assert!(said.starts_with("rrun: No such object: nosuch\n"));
    assert_eq!(host.code("rrun inspect -f '{{frob}}' web"), 2);
    assert_eq!(host.ok("rrun port web 80"), "0.0.0.0:8080\n[::]:8080\n");
    assert_eq!(host.code("rrun port web 81"), 1);
    assert!(host.ok("rrun info").contains("\n Running: 1\n"));
}

/// Docker's lines and fields.
#[test]
fn info_and_version_as_a_person_and_a_script_ask() {
    let host = Host::new();
    host.ok("rrun create --name box tools true");
    let info = host.ok("rrun info");
    for line in [
        "Containers: 1",
        " Stopped: 1",
        "Images: 1",
        "Cgroup Driver: cgroupfs",
        "OSType: linux",
    ] {
        assert!(info.lines().any(|it| it == line), "{line}: {info}");
    }
    assert!(
        info.lines()
            .any(|it| it.starts_with("Total Memory: ") && it.ends_with("iB")),
        "{info}"
    );
    let root = host.root().display().to_string();
    assert_eq!(
        host.ok("rrun info -f '{{.DockerRootDir}} {{.ContainersStopped}}'"),
        format!("{root} 1\n")
    );
    assert_eq!(
        host.ok("rrun info --json | jq .Images; rrun info --format json | jq .NCPU"),
        format!("1\n{}", host.ok("nproc"))
    );
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        host.ok(
            "rrun version -f '{{.Server.Version}}'; rrun version --json | jq -r .Client.Version"
        ),
        format!("{version}\n{version}\n")
    );
    assert_eq!(host.code("rrun version -f '{{.Nope}}'"), 1);
    // docker's order.
    let keys = host.ok("rrun inspect box | jq -r '.[0] | keys_unsorted | .[0:5] | join(\" \")'");
    assert_eq!(keys, "Id Created Path Args State\n");
    let keys =
        host.ok("rrun image inspect tools | jq -r '.[0] | keys_unsorted | .[0:2] | join(\" \")'");
    assert_eq!(keys, "Id RepoTags\n");
}

#[test]
fn a_refused_rmi_names_the_container() {
    let host = Host::new();
    host.ok("rrun create --name box tools true");
    let (code, _, said) = host.outcome("rrun rmi tools");
    assert_eq!(code, 1);
    assert!(
        said.contains("container \"box\"")
            && !said.contains(host.ok("rrun ps -aq --no-trunc").trim()),
        "{said}"
    );
}

/// Each reload of firewalld does this.
#[test]
fn published_ports_whose_rules_were_flushed_are_told_of_and_come_back() {
    let host = Host::new();
    host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000; rrun run -d --name quiet --net none tools sleep 1000");
    let rules = || host.ok("nft -s list ruleset | grep -v '^\t*counter' | sed 's/ # handle.*//'");
    let before = rules();
    let hint =
        "hint: another program has flushed the rules of published ports: rrun gc puts them back\n";
    let told = |script: &str| host.outcome(script).2;
    for script in ["rrun ps", "rrun port web", "rrun port web 80"] {
        assert_eq!(told(script), "", "{script}");
    }
    // Its monitor would put them back at once.
    let monitor = host.ok("ps -o ppid= -p $(rrun inspect -f '{{.State.Pid}}' web)");
    let monitor = monitor.trim();
    host.ok(&format!("kill -STOP {monitor}; nft flush ruleset"));
    for script in ["rrun ps", "rrun port web", "rrun port web 80"] {
        assert_eq!(told(script), hint, "{script}");
    }
    for script in ["rrun ps -q", "rrun ps -f name=quiet", "rrun port quiet"] {
        assert_eq!(told(script), "", "{script}");
    }
    let row =
        "rrun doctor --jsonl | jq -r 'select(.name | startswith(\"rules of the networks\")) | .ok'";
    assert_eq!(host.ok(row), "false\n");
    let script = host.ok("rrun gc --dry-run");
    assert!(
        script.contains("rbridge repair") || script.contains("nft -f"),
        "{script}"
    );
    assert_eq!(told("rrun ps"), hint);
    let mended = host.ok("rrun gc");
    assert!(mended.contains("mended: published port"), "{mended}");
    assert_eq!((rules(), host.ok(row).as_str()), (before, "true\n"));
    assert_eq!(
        (told("rrun ps"), host.ok("rrun gc")),
        (String::new(), String::new())
    );
    host.ok(&format!("kill -CONT {monitor}"));
}

/// Nobody has to type anything, whoever the monitor is, and however often it happens.
#[test]
fn rules_that_were_flushed_come_back_by_themselves() {
    let host = Host::new();
    host.ok("rrun run -d --name web -p 8080:80 tools sleep 1000; rrun run -d --name other tools sleep 1000");
    let rules = || host.ok("nft -s list ruleset | grep -v '^\t*counter' | sed 's/ # handle.*//'");
    let before = rules();
    let flush = |how: &str| {
        host.ok(how);
        kit_test::settles(rules, &before, how);
    };
    flush("nft flush ruleset; nft list ruleset");
    flush("nft delete table ip $(rrun info -f '{{.Instance}}'); nft flush ruleset");
    // A monitor that has taken over listens too.
    host.ok(
        "rrun rm -f other; slay $(ps -o ppid= -p $(rrun inspect -f '{{.State.Pid}}' web)); rrun gc",
    );
    let before = rules();
    host.ok("nft flush ruleset");
    kit_test::settles(rules, &before, "after a takeover");
    // Whoever ends takes what is its own along, and nobody puts it back.
    host.ok("rrun rm -f web; rrun gc");
    kit_test::settles(
        || host.ok("nft list tables | grep $(rrun info -f '{{.Instance}}') || :"),
        "",
        "at the end",
    );
}

/// Where nothing may be done, it helps most.
#[test]
fn doctor_runs_without_root() {
    let host = Host::new();
    let copy = "cp \"$(command -v rrun)\" /tmp/rrun-doctor-$$; chmod 755 /tmp/rrun-doctor-$$; trap 'rm /tmp/rrun-doctor-$$' EXIT";
    let (code, out, said) = host.outcome(&format!("{copy}; cd /; setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/rrun-doctor-$$ doctor"));
    assert_eq!((code, said.as_str()), (1, ""), "{out}");
    let root = out
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some("root"));
    assert!(
        root.is_some_and(|row| row.starts_with("missing") && row.contains("sudo rrun doctor")),
        "{out}"
    );
}

#[test]
fn logs_of_a_time_and_to_the_end() {
    let host = Host::new();
    host.ok("rrun run -d --name talker tools sh -c 'echo one; until [ -e /go ]; do sleep 0.1; done; echo two'");
    host.until("rrun logs talker | grep one");
    assert_eq!(host.ok("rrun logs --until 10m talker"), "");
    assert_eq!(host.ok("rrun logs --since 10m talker"), "one\n");
    host.ok("rrun exec talker touch /go");
    assert_eq!(host.ok("rrun logs -f talker"), "one\ntwo\n");
    let time = host.ok("rrun logs -t talker | tail -n 1 | cut -d' ' -f1");
    let since = format!("rrun logs --since {} talker", time.trim());
    assert_eq!(host.ok(&since), "two\n");
    assert_eq!(host.ok("rrun logs --tail 1 talker"), "two\n");
    assert_eq!(host.ok("rrun logs talker | head -n 1"), "one\n");
    assert_eq!(host.code("rrun logs --since soon talker"), 2);
}

#[test]
fn doctor_tries_and_leaves_nothing() {
    let host = Host::new();
    // Of the mounts and cgroups, which all tests share, only our own.
    let state = "ip -br link; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward; ls -A root run; \
                 grep -F $PWD /proc/self/mountinfo; \
                 find /sys/fs/cgroup -name \"$(rrun info | sed -n 's/^Instance: //p')-doctor*\" 2>/dev/null || :";
    host.ok("rrun ps");
    let before = host.ok(state);
    let found = host.ok("rrun doctor --json");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let found = found.as_array().unwrap();
    let missing = found
        .iter()
        .filter(|one| one["essential"] == true && one["ok"] == false);
    assert_eq!(missing.count(), 0);
    assert_eq!(host.ok(state), before);

    // Somebody else's chain that drops is named, with what lets us pass.
    host.ok("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
    let row = host.ok("rrun doctor | grep FORWARD");
    assert!(
        row.starts_with("missing") && row.contains("FORWARD"),
        "{row}"
    );
    // Where no directory can be made in the root, an overlay cannot be either, and that is exit 1.
    let (code, out, _) = host.outcome(
        "unshare -m sh -c 'mount --bind root root; mount -o remount,bind,ro root; rrun doctor'",
    );
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("missing  overlay on BOXKIT_ROOT"), "{out}");
}

#[test]
fn a_bundle_runs_under_another_runtime() {
    let host = Host::new();
    host.ok("rrun create --name box --network none tools sh -c 'echo from the bundle; touch /new'");
    host.ok("rrun bundle box here");
    let config = host.ok("cat here/config.json");
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["root"]["path"], "rootfs");
    assert!(host.path().join("here/rootfs/bin/sh").exists());
    let id = format!("bundle-{}", std::process::id());
    let run = format!("--root $PWD/state run -b here {id} </dev/null");
    // crun refuses a hybrid host, so it is not shown the v2 part of one.
    let hide = "! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified";
    for peer in [
        format!("runc {run}"),
        format!("unshare -m sh -c '{hide}; crun --cgroup-manager=disabled {run}'"),
    ] {
        assert_eq!(host.ok(&peer), "from the bundle\n", "{peer}");
    }
    host.ok("test -f here/rootfs/new; rrun bundle --umount box here");
    assert!(!host.path().join("here/rootfs/bin/sh").exists());
    let (code, _, said) = host.outcome("rrun bundle --umount box here");
    let why = "rrun: unmounting \"here/rootfs\": nothing is mounted there\n";
    assert_eq!((code, said.as_str()), (1, why));
    // What it wrote there is the container's.
    assert!(host.files("root/containers/*/upper").contains("new"));
    host.ok("rrun run -d --name busy tools sleep 1000");
    let (code, _, said) = host.outcome("rrun bundle busy there");
    let why = "rrun: bundling container \"busy\": it is running\nhint: rrun stop busy ends it\n";
    assert_eq!((code, said.as_str()), (1, why));
}

/// docker's filters by time and by port, and what `-s` measures.
#[test]
fn ps_filters_by_time_and_port_and_measures() {
    let host = Host::new();
    host.ok("rrun run --name one --net none tools sh -c 'head -c 1500 /dev/zero >/file; ln /file /again'
        rrun run -d --name two -p 8096:80 --expose 90 -v vol:/v -v $PWD:/here tools sleep 1000
        rrun create --name three -p 8095:81/udp tools id");
    let names = |flags: &str| host.ok(&format!("rrun ps -a {flags} --format '{{{{.Names}}}}'"));
    for (flags, wanted) in [
        ("-f since=one", "three\ntwo\n"),
        ("-f before=three", "two\none\n"),
        ("-f since=one -f before=three", "two\n"),
        ("-f publish=8096", "two\n"),
        ("-f publish=8090-8099", "two\n"),
        ("-f publish=8095/udp", "three\n"),
        ("-f publish=80", ""),
        ("-f expose=90", "two\n"),
        ("-f expose=80-81", "two\n"),
        ("-f health=none -f name=two", "two\n"),
        ("-f health=healthy", ""),
        ("-f id=$(rrun inspect -f '{{.Id}}' two)", "two\n"),
        ("-f id=zz", ""),
        ("-f volume=vol", "two\n"),
        ("-f volume=$PWD", "two\n"),
        ("-f volume=other", ""),
        ("-f network=none", "one\n"),
        ("-f network=bridge", "three\ntwo\n"),
    ] {
        assert_eq!(names(flags), wanted, "{flags}");
    }
    let (code, _, said) = host.outcome("rrun ps -f since=nosuch");
    assert_eq!(
        (code, said.lines().next()),
        (1, Some("rrun: No such container: nosuch"))
    );
    // docker's method of a label is no field.
    assert_eq!(
        host.ok("rrun ps --format '{{json .}}' | jq -r '.LocalVolumes, has(\"Label\")'"),
        "1\nfalse\n"
    );
    let at = host.ok("rrun ps -l --format '{{.CreatedAt}}'");
    let inspected = "date -u -d $(rrun inspect -f '{{.Created}}' three) '+%F %T +0000 UTC'";
    assert_eq!(host.ok(inspected), at);
    assert_eq!(
        host.outcome("rrun ps -q -f name=two --format '{{.Names}}'"),
        (
            0,
            host.ok("rrun ps -q"),
            "WARNING: Ignoring custom format, because both --format and --quiet are set.\n"
                .to_owned()
        )
    );
    // An inode counts once.
    let size = host.ok("rrun ps -a -f name=one --format '{{.Size}}'");
    assert!(size.starts_with("1.5kB (virtual "), "{size}");
    let table = host.ok("rrun ps -as -f name=one");
    assert!(
        table.starts_with("CONTAINER ID") && table.lines().next().unwrap().ends_with("SIZE"),
        "{table}"
    );
    assert!(table.contains("1.5kB (virtual "), "{table}");
    assert_eq!(host.ok("rrun inspect -s -f '{{.SizeRw}}' one"), "1500\n");
    assert_eq!(
        host.ok("rrun inspect -s one | jq '.[0].SizeRootFs - .[0].SizeRw'"),
        host.ok("rrun inspect tools | jq '.[0].Size'")
    );
}

/// As docker's: a name that is another image's by now says nothing of the container.
#[test]
fn ps_shows_the_id_of_an_image_that_lost_its_name() {
    let host = Host::new();
    host.ok("rrun tag tools old; rrun create --name box old id; rrun ps -a --format '{{.Image}}' | grep -x old");
    let id = host.ok("rrun images -q tools");
    host.ok("echo x >x; tar -c x | rrun import - old");
    assert_eq!(host.ok("rrun ps -a --format '{{.Image}}'"), id);
    assert!(
        host.ok("rrun ps -a --no-trunc --format '{{.Image}}'")
            .starts_with("sha256:")
    );
}
