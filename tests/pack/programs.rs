//! Programs come with what they need, and run.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::symlink;

use kit_plan::Fault;
use runpack::pack::Linker;

use super::*;

#[test]
fn a_shell_and_ls_run_and_find_their_users() {
    let (packed, root) = packed(&["sh".as_ref(), "ls".as_ref(), "id".as_ref()]);
    assert!(packed.left_out.is_empty());
    assert_eq!(
        run(root.path(), &["/bin/sh", "-c", "id -un; ls -d /tmp"]),
        "root\n/tmp\n"
    );
    assert_eq!(
        run(root.path(), &["ls", "-l", "/etc/passwd"])
            .split(' ')
            .nth(2),
        Some("root")
    );
    let tmp = fs::metadata(root.path().join("tmp")).unwrap();
    assert_eq!(tmp.mode() & 0o7777, 0o1777);
    assert_eq!(
        fs::metadata(root.path().join("root")).unwrap().mode() & 0o7777,
        0o700
    );
    for dir in ["proc", "sys", "dev"] {
        assert!(root.path().join(dir).is_dir(), "{dir}");
    }
    let merged = |root: &Path| fs::read_link(root.join("bin")).ok();
    assert_eq!(merged(root.path()), merged(Path::new("/")));
}

#[test]
fn hosts_are_found_by_the_resolver_that_only_dlopen_names() {
    let (_, root) = packed(&["getent".as_ref()]);
    fs::write(root.path().join("etc/hosts"), "192.0.2.7 seven\n").unwrap();
    assert!(run(root.path(), &["getent", "hosts", "seven"]).starts_with("192.0.2.7"));
    assert!(run(root.path(), &["getent", "passwd", "nobody"]).starts_with("nobody:x:65534"));
}

#[test]
fn a_static_program_comes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let hello = cc(
        dir.path(),
        "hello",
        "#include <stdio.h>\nint main(){puts(\"hello\");}",
        &["-static"],
    );
    let (packed, root) = packed(&[hello.as_os_str()]);
    let libraries = packed
        .tree
        .entries()
        .filter(|(path, _)| path.to_string_lossy().contains(".so"));
    assert_eq!(libraries.count(), 0);
    assert_eq!(run(root.path(), &[hello.to_str().unwrap()]), "hello\n");

    let mut asked = request(&["./hello".as_ref()]);
    asked.cwd = dir.path().to_owned();
    let packed = collect(&Host::new("/"), &asked).unwrap();
    assert_eq!(packed.programs, std::slice::from_ref(&hello));
    assert!(
        packed
            .path
            .to_str()
            .unwrap()
            .ends_with(dir.path().to_str().unwrap())
    );
}

#[test]
fn busybox_runs_under_the_name_of_a_link_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let busybox = ["/usr/bin/busybox", "/bin/busybox"]
        .map(Path::new)
        .into_iter()
        .find(|p| p.exists());
    let busybox = busybox.expect("busybox is one of the packages tests need");
    symlink(busybox, dir.path().join("second")).unwrap();
    symlink("second", dir.path().join("echo")).unwrap();
    let (_, root) = packed(&[dir.path().join("echo").as_os_str()]);
    let inside = root.path().join(dir.path().strip_prefix("/").unwrap());
    assert_eq!(
        fs::read_link(inside.join("echo")).unwrap(),
        Path::new("second")
    );
    assert_eq!(
        run(
            root.path(),
            &[dir.path().join("echo").to_str().unwrap(), "hi"]
        ),
        "hi\n"
    );
}

#[test]
fn a_script_brings_its_interpreters_by_env_and_through_other_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    program(
        &bin.join("snake"),
        "#!/bin/sh\nexec sed -n '2s/^print //p' \"$1\"\n",
    );
    let app = dir.path().join("app");
    program(&app, "#!/usr/bin/env snake\nprint hiss\n");
    let mut asked = request(&[app.as_os_str(), "sed".as_ref()]);
    asked.search.insert(0, bin.clone());
    let packed = collect(&Host::new("/"), &asked).unwrap();
    assert_eq!(packed.programs[0], app);
    let root = extract(&layer(&packed));
    let out = chroot(root.path(), &packed.path, &[app.as_os_str()]);
    assert_eq!(said(&out), "hiss\n");
    let path = packed.path.to_str().unwrap();
    assert!(
        path.starts_with(bin.to_str().unwrap()),
        "{path}: env must find snake"
    );
}

#[test]
fn libraries_are_those_that_ldd_names() {
    let host = Host::new("/");
    let mut linker = Linker::new(&host, Vec::new());
    let mut compared = 0;
    // Real paths: given a link, ldd takes the link's directory for $ORIGIN, and the kernel does not.
    let mut names: Vec<_> = fs::read_dir("/usr/bin")
        .unwrap()
        .filter_map(|e| e.unwrap().path().canonicalize().ok())
        .collect();
    names.sort();
    names.dedup();
    for path in names.iter().step_by(5) {
        let Ok(Some(object)) = linker.object(path) else {
            continue;
        };
        if object.interpreter.is_none() {
            continue;
        }
        let out = Command::new("ldd")
            .arg(path)
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap();
        let text = said(&out);
        let Ok(needs) = linker.needs(path, &object) else {
            assert!(
                text.contains("not found"),
                "{path:?}: only we miss a library\n{text}"
            );
            continue;
        };
        let ours: Vec<_> = needs
            .iter()
            .map(|n| (n.name.to_str().unwrap(), n.path.to_str().unwrap()))
            .collect();
        let theirs = text.lines().filter_map(|line| {
            let (name, rest) = line.trim().split_once(" => ")?;
            Some((name, rest.split(" (0x").next()?))
        });
        let theirs: Vec<_> = theirs.collect();
        for pair in &theirs {
            assert!(ours.contains(pair), "{path:?}: {pair:?} is not in {ours:?}");
        }
        let opened = |name: &str| {
            ["libnss_", "libresolv", "libgcc_s"]
                .iter()
                .any(|p| name.starts_with(p))
        };
        for pair in ours.iter().filter(|(name, _)| !opened(name)) {
            assert!(theirs.contains(pair), "{path:?}: ldd has no {pair:?}");
        }
        compared += 1;
    }
    assert!(compared > 20, "only {compared} programs compared");
}

/// One library found by RUNPATH needs another found by the program's RPATH, and so on: as ld.so resolves it, not as it looks.
#[test]
fn runpath_and_rpath_are_followed_with_origin() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    cc(
        at,
        "lib/libinner.so",
        "int inner(){return 40;}",
        &["-shared", "-fPIC"],
    );
    let outer = "int inner();int outer(){return inner()+2;}";
    cc(
        at,
        "lib/libouter.so",
        outer,
        &[
            "-shared",
            "-fPIC",
            "-Llib",
            "-linner",
            "-Wl,--disable-new-dtags,-rpath,$ORIGIN",
        ],
    );
    let main = "int outer();int main(){return outer()-42;}";
    let flags = [
        "-Llib",
        "-louter",
        "-Wl,-rpath-link,lib,--enable-new-dtags,-rpath,${ORIGIN}/../lib",
    ];
    let app = cc(at, "bin/app", main, &flags);
    let (packed, root) = packed(&[app.as_os_str()]);
    assert!(packed.tree.get(&at.join("lib/libinner.so")).is_some());
    run(root.path(), &[app.to_str().unwrap()]);

    fs::remove_file(at.join("lib/libinner.so")).unwrap();
    let error = collect(&Host::new("/"), &request(&[app.as_os_str()])).unwrap_err();
    let outer = at.join("bin/../lib/libouter.so");
    assert_eq!(
        error.to_string(),
        format!("library \"libinner.so\": not found, and {outer:?} needs it")
    );
    assert_eq!(
        error.hint().unwrap(),
        "install the package that has libinner.so: the program does not start here either"
    );
}

/// A root of its own, with a library in a directory that only its ld.so.cache knows.
#[test]
fn a_library_that_only_the_cache_knows_is_found_in_the_image_too() {
    let (_, machine) = packed(&["sh".as_ref()]);
    let at = machine.path();
    cc(
        at,
        "opt/odd/libodd.so.1",
        "int odd(){return 7;}",
        &["-shared", "-fPIC", "-Wl,-soname,libodd.so.1"],
    );
    cc(
        at,
        "opt/app",
        "int odd();int main(){return odd()-7;}",
        &["opt/odd/libodd.so.1"],
    );
    fs::write(at.join("etc/ld.so.conf"), "/opt/odd\n").unwrap();
    let host = Host::new(at);
    let asked = Request {
        programs: vec!["/opt/app".into()],
        cwd: "/".into(),
        ..Request::default()
    };

    let error = collect(&host, &asked).unwrap_err();
    let hint = "it is /opt/odd/libodd.so.1, which /etc/ld.so.cache does not have yet: run ldconfig";
    assert_eq!(error.hint().unwrap(), hint);

    let out = Command::new("/usr/sbin/ldconfig")
        .arg("-r")
        .arg(at)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let packed = collect(&host, &asked).unwrap();
    let root = extract(&write_layer(&host, &packed.tree, 0, Vec::new()).unwrap());
    run(root.path(), &["/opt/app"]);
    fs::remove_file(root.path().join("etc/ld.so.cache")).unwrap();
    let out = chroot(root.path(), OsStr::new("/bin"), &[OsStr::new("/opt/app")]);
    assert!(
        said(&out).contains("libodd.so.1: cannot open shared object file"),
        "the cache was not what made it run"
    );
}
