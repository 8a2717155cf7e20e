//! Paths, arguments and variables that are not UTF-8 go through as they are.

use kit_test::Host;

/// Latin-1, and a private character that stands for a byte where an escape is needed.
const ODD: &str =
    "odd=$(printf 'caf\\351'); private=$(printf 'p\\364\\217\\242\\251'); export odd private";

#[test]
fn a_text_of_any_bytes_reaches_the_program() {
    let host = Host::new();
    let hex = |script: &str| {
        host.ok(&format!(
            "{ODD}; {{ {script}; }} | od -An -tx1 | tr -d ' \\n'"
        ))
    };
    let want = hex("printf '%s\\n' \"$odd\" \"$private\"");
    assert_eq!(want, "636166e90a70f48fa2a90a");
    let print = "sh -c 'printf \"%s\\n\" \"$1\" \"$2\"' sh \"$odd\" \"$private\"";
    host.ok("rrun run -d --name box --net none tools sleep 1000");
    for way in ["run --rm --net none tools", "exec box"] {
        assert_eq!(hex(&format!("rrun {way} {print}")), want, "{way}");
    }
    // As a file's text, a variable's value, one of the caller's and a line of a file.
    let vars = "sh -c 'printf \"%s\\n\" \"$A\" \"$private\"'";
    host.ok(&format!("{ODD}; printf 'A=%s\\nprivate\\n' \"$odd\" >vars"));
    for flags in ["-e A=\"$odd\" -e private", "--env-file vars"] {
        for way in ["run --rm --net none", "exec"] {
            let what = if way == "exec" { "box" } else { "tools" };
            assert_eq!(
                hex(&format!("rrun {way} {flags} {what} {vars}")),
                want,
                "{way} {flags}"
            );
        }
    }
    // Of a container that is made now and started later.
    host.ok(&format!(
        "{ODD}; rrun create --name later --net none -e A=\"$odd\" tools {print}"
    ));
    assert_eq!(hex("rrun start -a later"), want);
    let shown = host.ok("rrun ps -a --no-trunc -f name=later --format '{{.Command}}'");
    assert!(shown.contains("caf\u{fffd}"), "{shown}");
    let shown = host
        .ok("rrun inspect -f '{{index .Args 3}}' later; rrun inspect later | jq -r '.[0].Args[3]'");
    assert_eq!(shown, "caf\u{fffd}\ncaf\u{fffd}\n");
}

#[test]
fn a_path_of_any_bytes_is_mounted_entered_and_loaded() {
    let host = Host::new();
    host.ok(&format!("{ODD}; mkdir \"$odd\"; echo here >\"$odd/$odd\""));
    for flags in [
        "-v \"$PWD/$odd:/$odd\"",
        "-v \"./$odd:/$odd\"",
        "--mount \"type=bind,source=$PWD/$odd,target=/$odd\"",
        "-v \"$PWD/$odd:/$odd\" -w \"/$odd\"",
        "--tmpfs \"/$odd:size=1m\" -v \"$PWD/$odd/$odd:/$odd/$odd\"",
    ] {
        let got = host.ok(&format!(
            "{ODD}; rrun run --rm --net none {flags} tools cat \"/$odd/$odd\""
        ));
        assert_eq!(got, "here\n", "{flags}");
    }
    host.ok(&format!("{ODD}; rrun run -d --name box --net none -v \"$PWD/$odd:/$odd\" -v \"/anon$odd\" tools sleep 1000"));
    let got = host.ok(&format!(
        "{ODD}; rrun exec -w \"/$odd\" box ls | od -An -tx1"
    ));
    assert_eq!(got.trim(), "63 61 66 e9 0a");
}

#[test]
fn a_root_at_a_path_of_any_bytes_is_run() {
    let host = Host::new();
    host.ok(&format!(
        "{ODD}; runpack unpack tools root1; mv root1 \"$odd\""
    ));
    let run = "rrun run --net none --name bare --rootfs \"$odd\" -- sh -c 'echo in'";
    assert_eq!(host.ok(&format!("{ODD}; {run}")), "in\n");
    assert_eq!(host.ok("rrun start -a bare"), "in\n");
    assert!(
        host.ok("rrun ps -a --format '{{.Image}}'")
            .ends_with("/caf\u{fffd}\n")
    );
}

#[test]
fn an_archive_at_a_path_of_any_bytes_is_loaded() {
    let host = Host::new();
    host.ok(&format!("{ODD}; rrun save -o \"$odd.tar\" tools; rrun rmi tools; rrun load -i \"$odd.tar\"; rrun run --rm --net none tools id"));
}

#[test]
fn a_tmpfs_at_a_path_of_any_bytes_is_one() {
    let host = Host::new();
    let run = "rrun run --rm --net none --tmpfs \"/$odd:size=1m\" tools stat -f -c %T \"/$odd\"";
    assert_eq!(host.ok(&format!("{ODD}; {run}")), "tmpfs\n");
    let script = run.replace("run --rm", "run --dry-run --rm");
    host.ok(&format!("{ODD}; {script} >s"));
    assert_eq!(host.ok("BOXKIT_PARTIAL=1 sh s"), "tmpfs\n");
}

/// An image "users" that has a user, a group and a home directory of such names.
fn import_users(host: &Host) {
    host.ok(&format!(
        "{ODD}; runpack unpack tools fs; printf '%s:x:7:8::/h%s:\n' \"$odd\" \"$odd\" >fs/etc/passwd
         printf '%s:x:9:\nmore:x:10:%s\n' \"$odd\" \"$odd\" >fs/etc/group; tar -C fs -c . | rrun import - users"
    ));
}

#[test]
fn a_user_of_any_bytes_is_the_images() {
    let host = Host::new();
    import_users(&host);
    let program = "sh -c 'id -u; id -G; echo \"$HOME\"' | LC_ALL=C sed -n l";
    let home = "/hcaf\\351$\n";
    for (user, ids) in [("\"$odd\"", "8 10"), ("\"$odd:$odd\"", "9")] {
        let want = format!("7$\n{ids}$\n{home}");
        let run = format!("rrun run --rm --net none -u {user} users {program}");
        assert_eq!(host.ok(&format!("{ODD}; {run}")), want, "{user}");
        let script = run.replace("run --rm", "run --dry-run --rm");
        let script = script.replace(" | LC_ALL=C sed -n l", " >s");
        host.ok(&format!("{ODD}; {script}"));
        let out = host.ok("BOXKIT_PARTIAL=1 sh s | LC_ALL=C sed -n l");
        assert_eq!(out, want, "{user}");
        // Of a container that is made now, and of what is executed in it later.
        host.ok(&format!(
            "{ODD}; rrun create --name box --net none -u {user} users sleep 1000; rrun start box"
        ));
        assert_eq!(host.ok(&format!("rrun exec box {program}")), want, "{user}");
        let shown = host.ok("rrun inspect -f '{{.Config.User}}' box; rrun rm -f box");
        assert!(shown.starts_with("caf\u{fffd}"), "{shown}");
    }
    let (code, _, said) = host.outcome(&format!(
        "{ODD}; rrun run --rm --net none -u \"no$odd\" users id"
    ));
    let why = "rrun: unable to find user nocaf\u{fffd}: no matching entries in passwd file\n";
    assert!(code == 125 && said.starts_with(why), "{code}: {said}");
}

/// As all bytes in config.json: by private characters, which the engine takes back.
#[test]
fn a_bundle_has_the_bytes_of_a_home_directory() {
    let host = Host::new();
    import_users(&host);
    host.ok(&format!(
        "{ODD}; rrun create --name box -u \"$odd\" users id; rrun bundle box b"
    ));
    let read =
        "jq -r '.process.user.uid, (.process.env[] | select(startswith(\"HOME=\")))' b/config.json";
    assert_eq!(host.ok(read), "7\nHOME=/hcaf\u{10f8e9}\n");
    host.ok("rrun bundle --umount box b");
}

/// Names, labels and host names are text, which is shown in tables, kept in JSON and sent over networks.
#[test]
fn what_is_text_by_its_format_is_refused_in_other_bytes() {
    let host = Host::bare();
    for flag in ["--name \"$odd\"", "-l \"a=$odd\"", "-h \"$odd\""] {
        let refused = host.outcome(&format!("{ODD}; rrun create {flag} tools id"));
        let said = "rrun: invalid UTF-8 was detected in one or more arguments\nhint: see rrun create --help\n";
        assert_eq!(refused, (2, String::new(), said.to_owned()), "{flag}");
    }
}

/// What a dry run prints does the same.
#[test]
fn a_script_has_the_bytes() {
    let host = Host::new();
    host.ok(&format!("{ODD}; mkdir \"$odd\"; echo here >\"$odd/$odd\"; rrun run --rm --net none --dry-run -v \"$PWD/$odd:/$odd\" tools cat \"/$odd/$odd\" >s"));
    assert_eq!(host.ok("BOXKIT_PARTIAL=1 sh s"), "here\n");
}
