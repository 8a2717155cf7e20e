//! Packs real programs of this machine, unpacks the layer with tar(1) and runs them by chroot(1): nothing of the code under test is
//! trusted with the proof. ldd(1), which we never call ourselves, is asked whether the libraries are the right ones.

#![allow(clippy::unwrap_used)] // a test that cannot go on says where

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use runpack::pack::{
    Add, Entry, Host, Linker, PackError, PackImage, Packed, Request, Settings, collect,
    split_words, write_layer,
};
use runpack::{Reference, Store};
use tempfile::TempDir;

fn request(programs: &[&OsStr]) -> Request {
    Request::here(programs.iter().map(OsString::from).collect())
}

fn layer(packed: &Packed) -> Vec<u8> {
    write_layer(&Host::new("/"), &packed.tree, 0, Vec::new()).unwrap()
}

/// The layer, extracted by tar.
fn extract(layer: &[u8]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let tar = root.path().with_extension("tar");
    fs::write(&tar, layer).unwrap();
    let out = Command::new("tar")
        .arg("-xpf")
        .arg(&tar)
        .arg("-C")
        .arg(root.path())
        .output()
        .unwrap();
    fs::remove_file(&tar).unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    root
}

fn packed(programs: &[&OsStr]) -> (Packed, TempDir) {
    let packed = collect(&Host::new("/"), &request(programs)).unwrap();
    let root = extract(&layer(&packed));
    (packed, root)
}

/// With /proc, as in any container: ld.so reads there what `$ORIGIN` is.
fn chroot(root: &Path, path: &OsStr, argv: &[&OsStr]) -> Output {
    let script = r#"mount --rbind /proc "$0/proc" && export PATH="$1" && shift && exec /usr/sbin/chroot "$0" "$@""#;
    let mut command = Command::new("/usr/bin/unshare");
    command
        .args(["--mount", "/bin/sh", "-c", script])
        .arg(root)
        .arg(path)
        .args(argv);
    command.env_clear().stdin(Stdio::null()).output().unwrap()
}

fn said(out: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

fn run(root: &Path, argv: &[&str]) -> String {
    let argv: Vec<_> = argv.iter().map(OsStr::new).collect();
    let out = chroot(root, OsStr::new("/usr/sbin:/usr/bin:/sbin:/bin"), &argv);
    assert!(out.status.success(), "{argv:?}: {}", said(&out));
    said(&out)
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn cc(dir: &Path, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let c = dir.join(format!("{name}.c"));
    fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
    fs::create_dir_all(c.parent().unwrap()).unwrap();
    fs::write(&c, source).unwrap();
    let out = Command::new("cc")
        .current_dir(dir)
        .arg("-o")
        .arg(name)
        .arg(&c)
        .args(flags)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    fs::remove_file(&c).unwrap();
    dir.join(name)
}

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

#[test]
fn the_same_programs_make_the_same_bytes_whenever_they_were_touched() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app");
    program(&app, "#!/bin/sh\necho hi\n");
    let host = Host::new("/");
    let once = layer(&collect(&host, &request(&[app.as_os_str(), "ls".as_ref()])).unwrap());
    let file = fs::File::open(&app).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))
        .unwrap();
    let again = layer(&collect(&host, &request(&[app.as_os_str(), "ls".as_ref()])).unwrap());
    assert!(once == again);
    let dated = collect(&host, &request(&[app.as_os_str()])).unwrap();
    let root = extract(&write_layer(&host, &dated.tree, 1_700_000_000, Vec::new()).unwrap());
    assert_eq!(
        fs::metadata(root.path().join("etc/passwd"))
            .unwrap()
            .mtime(),
        1_700_000_000
    );
}

#[test]
fn added_files_keep_what_they_are_but_belong_to_root() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("site");
    let long = "n".repeat(200);
    let deep = site.join(&long).join(&long);
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("page"), "deep").unwrap();
    symlink("n/../../gone", site.join("dangling")).unwrap();
    program(&site.join("helper"), "x");
    fs::hard_link(site.join("helper"), site.join("same")).unwrap();
    std::os::unix::fs::chown(site.join("helper"), Some(1234), Some(1234)).unwrap();
    fs::set_permissions(site.join("helper"), fs::Permissions::from_mode(0o6755)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.join("socket")).unwrap();
    let mut asked = request(&["sh".as_ref()]);
    for spec in [
        format!("{}:/bin/site", site.display()),
        format!("{}:/etc/", site.join("helper").display()),
    ] {
        asked.adds.push(Add::parse(OsStr::new(&spec)).unwrap());
    }
    asked.dirs = vec!["/data/deep".into()];
    let packed = collect(&Host::new("/"), &asked).unwrap();
    assert_eq!(packed.left_out, [site.join("socket")]);
    let root = extract(&layer(&packed));
    let usr_bin = root.path().join("usr/bin/site");
    assert!(
        usr_bin.is_dir(),
        "/bin is a link: what goes there is in /usr/bin"
    );
    assert_eq!(
        fs::read_to_string(usr_bin.join(&long).join(&long).join("page")).unwrap(),
        "deep"
    );
    assert_eq!(
        fs::read_link(usr_bin.join("dangling")).unwrap(),
        Path::new("n/../../gone")
    );
    let helper = fs::metadata(usr_bin.join("helper")).unwrap();
    assert_eq!((helper.uid(), helper.gid()), (0, 0));
    assert_eq!(
        helper.mode() & 0o7777,
        0o755,
        "a set-uid bit would now be root's"
    );
    assert_eq!(
        helper.ino(),
        fs::metadata(usr_bin.join("same")).unwrap().ino()
    );
    assert!(root.path().join("etc/helper").is_file());
    assert!(root.path().join("data/deep").is_dir());
}

#[test]
fn a_file_capability_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let tool = dir.path().join("tool");
    program(&tool, "#!/bin/sh\n");
    // VFS_CAP_REVISION_2, effective; CAP_NET_RAW permitted: what `setcap cap_net_raw+ep` writes.
    let value = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let set = rustix::fs::setxattr(
        &tool,
        "security.capability",
        &value,
        rustix::fs::XattrFlags::empty(),
    );
    if let Err(errno) = set {
        assert_eq!(
            errno,
            rustix::io::Errno::PERM,
            "only a host without CAP_SETFCAP may refuse"
        );
        eprintln!("skip: this host cannot set file capabilities");
        return;
    }
    let packed = collect(&Host::new("/"), &request(&[tool.as_os_str()])).unwrap();
    let bytes = layer(&packed);
    let record = b"SCHILY.xattr.security.capability=";
    let at = bytes
        .windows(record.len())
        .position(|w| w == record)
        .expect("no PAX record");
    assert_eq!(bytes[at + record.len()..][..20], value);
    extract(&bytes);
}

fn refusal(programs: &[&OsStr]) -> (String, String) {
    let error: PackError = collect(&Host::new("/"), &request(programs)).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

fn refused(path: &Path) -> (String, String) {
    let (text, hint) = refusal(&[path.as_os_str()]);
    let name = |text: String| text.replace(path.to_str().unwrap(), "P");
    (name(text), name(hint))
}

#[test]
fn what_is_no_program_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = dir.path().join(name);
        program(&path, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let pair = |text: &str, hint: &str| (text.to_owned(), hint.to_owned());
    assert_eq!(
        refused(&file("notes", "hello\n", 0o755)),
        pair(
            "program \"P\": neither an ELF program nor a script that begins with #!",
            "a script needs a first line such as #!/bin/sh; to take it as data: --add"
        )
    );
    assert_eq!(
        refused(&file("mode", "#!/bin/sh\n", 0o644)),
        pair(
            "program \"P\": not executable",
            "chmod +x P; to take it as data: --add"
        )
    );
    assert_eq!(
        refused(&file("crlf", "#!/bin/sh\r\necho\r\n", 0o755)),
        pair(
            "script \"P\": its first line ends in CR LF, so the kernel looks for an interpreter whose name ends in \\r",
            "sed -i 's/\\r$//' P"
        )
    );
    assert_eq!(
        refused(&file("py", "#!/opt/python9/bin/python9\n", 0o755)),
        pair(
            "script \"P\": its interpreter \"/opt/python9/bin/python9\" is not on this machine",
            "install /opt/python9/bin/python9, or change the script's first line"
        )
    );
    assert_eq!(
        refused(&file("env", "#!/usr/bin/env sh -e\n", 0o755)),
        pair(
            "script \"P\": env looks for one program named \"sh -e\"",
            "the kernel passes all that follows env as one word; #!/usr/bin/env -S sh -e splits it"
        )
    );
    assert_eq!(
        refused(dir.path()),
        pair(
            "program \"P\": is a directory",
            "--add P:P takes a directory with all in it"
        )
    );
    assert_eq!(
        refused(&dir.path().join("gone")).0,
        "open \"P\": No such file or directory"
    );
    assert_eq!(
        refused(&file("cut", "\x7fELF\x02\x01\x01", 0o755))
            .0
            .split(": ")
            .nth(1),
        Some("a damaged ELF file")
    );
    let this = file("loop", "", 0o755);
    program(&this, &format!("#!{}\n", this.display()));
    assert_eq!(
        refused(&this).0,
        "script \"P\": more than 5 interpreters that are scripts themselves"
    );
}

#[test]
fn a_name_that_nothing_answers_gets_those_it_may_have_been_meant_for() {
    let dir = tempfile::tempdir().unwrap();
    program(&dir.path().join("weblog"), "#!/bin/sh\n");
    program(&dir.path().join("weblag"), "#!/bin/sh\n");
    fs::write(dir.path().join("webl0g"), "not a program").unwrap();
    let mut asked = request(&["wbelog".as_ref()]);
    asked.search = vec![dir.path().to_owned()];
    let error = collect(&Host::new("/"), &asked).unwrap_err();
    assert_eq!(
        error.to_string(),
        "program \"wbelog\": not found through PATH"
    );
    assert_eq!(error.hint().unwrap(), "did you mean weblog, weblag?");
    asked.programs = vec!["chroot".into()];
    let hint = collect(&Host::new("/"), &asked)
        .unwrap_err()
        .hint()
        .unwrap();
    assert_eq!(
        hint,
        "it is /usr/sbin/chroot, in a directory that PATH does not name: give the path"
    );
}

#[test]
fn a_program_for_another_machine_is_named_so() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("app");
    let mut bytes = fs::read("/bin/ls").unwrap();
    // e_machine, little-endian: s390 runs nowhere else.
    bytes[18..20].copy_from_slice(&[22, 0]);
    fs::write(&app, &bytes).unwrap();
    fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
    let ours = runpack::pack::host_architecture();
    assert_eq!(
        refused(&app).0,
        format!("program \"P\": built for s390x, and this machine is {ours}")
    );
}

#[test]
fn an_elf_interpreter_that_is_not_here_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let app = cc(
        dir.path(),
        "app",
        "int main(){}",
        &["-Wl,--dynamic-linker,/lib/ld-nowhere.so.1"],
    );
    let (text, hint) = refused(&app);
    assert_eq!(
        text,
        "program \"P\": its ELF interpreter \"/lib/ld-nowhere.so.1\" is not on this machine"
    );
    assert!(hint.starts_with("it was linked for another C library"));
}

#[test]
fn nothing_of_the_tree_lies_outside_the_root() {
    let packed = collect(&Host::new("/"), &request(&["sh".as_ref()])).unwrap();
    for (path, entry) in packed.tree.entries() {
        assert!(
            path.is_absolute() && !path.components().any(|c| c.as_os_str() == ".."),
            "{path:?}"
        );
        if let Entry::File(source) = entry {
            assert!(source.len > 0 && source.path.is_absolute(), "{path:?}");
        }
    }
}

fn settings() -> Settings {
    Settings {
        entrypoint: Some(split_words("--entrypoint", "/bin/sh -c").unwrap()),
        cmd: Some(vec!["id -u".into()]),
        env: vec!["COLOUR=blue".into()],
        expose: vec!["8080/tcp".into()],
        workdir: Some("/srv".into()),
        user: Some("nobody:nogroup".into()),
        labels: vec![("maker".into(), "me".into())],
        volumes: vec!["/data".into()],
    }
}

/// Makes the image `name` in a store under `root`.
fn image(root: &Path, name: &str) {
    let host = Host::new("/");
    let mut asked = request(&["sh".as_ref(), "id".as_ref()]);
    asked.dirs = vec!["/srv".into(), "/data".into()];
    let packed = collect(&host, &asked).unwrap();
    settings().check(&host, &packed.tree).unwrap();
    let image = PackImage {
        host,
        packed,
        settings: settings(),
        names: vec![Reference::parse(name).unwrap()],
        root: root.to_owned(),
        time: 0,
        words: ["runpack", "pack", "-t", name].map(OsString::from).to_vec(),
    };
    kit_cli::Act::default().run(&image.plan()).unwrap();
}

#[test]
fn other_tools_read_the_image_and_it_runs_from_the_store() {
    let root = tempfile::tempdir().unwrap();
    image(root.path(), "blue:1");
    let store = Store::open(root.path());
    let found = store.resolve("blue:1").unwrap();

    let place = format!("oci:{}:{}", store.dir().display(), found.names[0]);
    let skopeo = |args: &[&str]| {
        let out = Command::new("skopeo")
            .args(args)
            .arg(&place)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", said(&out));
        out.stdout
    };
    let read: serde_json::Value =
        serde_json::from_slice(&skopeo(&["inspect", "--config"])).unwrap();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let expected = serde_json::json!({
        "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["id -u"], "Env": [path, "COLOUR=blue"], "ExposedPorts": {"8080/tcp": {}},
        "WorkingDir": "/srv", "User": "nobody:nogroup", "Labels": {"maker": "me"}, "Volumes": {"/data": {}},
    });
    assert_eq!(read["config"], expected);
    assert_eq!(read["created"], "1970-01-01T00:00:00Z");
    assert_eq!(read["history"][0]["created_by"], "runpack pack -t blue:1");
    // A copy has every digest checked by somebody else.
    let copy = root.path().join("copy");
    let out = Command::new("skopeo")
        .args(["copy", "-q", &place])
        .arg(format!("dir:{}", copy.display()))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));

    let lowers = store.layers_unpacked(&found).unwrap();
    assert_eq!(run(&lowers[0], &["/bin/sh", "-c", "id -u; pwd"]), "0\n/\n");
    assert!(lowers[0].join("srv").is_dir() && lowers[0].join("data").is_dir());
}

#[test]
fn two_stores_have_the_same_image() {
    let roots = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let ids = roots.each_ref().map(|root| {
        image(root.path(), "same");
        Store::open(root.path())
            .resolve("same")
            .unwrap()
            .descriptor
            .digest()
            .clone()
    });
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_user_that_the_image_does_not_know_is_refused() {
    let host = Host::new("/");
    let dir = tempfile::tempdir().unwrap();
    let check = |asked: &Request, user: &str| {
        let settings = Settings {
            user: Some(user.into()),
            ..Settings::default()
        };
        settings.check(&host, &collect(&host, asked).unwrap().tree)
    };
    let mut asked = request(&["sh".as_ref()]);
    for good in ["root", "1000", "1000:1000", "nobody:0"] {
        check(&asked, good).unwrap();
    }
    let error = check(&asked, "web").unwrap_err();
    assert_eq!(
        error.to_string(),
        "--user \"web\": not in the image's /etc/passwd"
    );
    assert!(error.hint().unwrap().ends_with("--add FILE:/etc/passwd"));
    assert_eq!(
        check(&asked, "0:web").unwrap_err().to_string(),
        "--user \"web\": not in the image's /etc/group"
    );
    let passwd = dir.path().join("passwd");
    fs::write(&passwd, "web:x:7:7::/:/bin/sh\n").unwrap();
    asked
        .adds
        .push(Add::parse(OsStr::new(&format!("{}:/etc/passwd", passwd.display()))).unwrap());
    check(&asked, "web").unwrap();
}

/// The command itself, in a store of its own.
fn runpack(root: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runpack"));
    command
        .env("BOXKIT_ROOT", root.join("root"))
        .env("BOXKIT_RUN", root.join("run"));
    command.arg("pack").args(args).output().unwrap()
}

#[test]
fn the_command_prints_the_name_and_its_script_makes_the_same_image() {
    let root = tempfile::tempdir().unwrap();
    let args = ["-t", "tiny", "--bin", "sh", "--cmd", "sh -c 'echo hi'"];
    let script = runpack(root.path(), &[&args[..], &["--dry-run"]].concat());
    assert!(script.status.success(), "{}", said(&script));
    assert!(
        !root.path().join("root").exists(),
        "a dry run made something"
    );

    let out = runpack(root.path(), &args);
    assert_eq!(said(&out), "tiny:latest\n");
    let digest = |root: &Path| {
        let store = Store::open(&root.join("root"));
        store.resolve("tiny").unwrap().descriptor.digest().clone()
    };
    let first = digest(root.path());

    let again = tempfile::tempdir().unwrap();
    let tools = Path::new(env!("CARGO_BIN_EXE_runpack")).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let out = Command::new("sh")
        .arg("-c")
        .arg(OsString::from(String::from_utf8(script.stdout).unwrap()))
        .env("PATH", path)
        .env("BOXKIT_ROOT", again.path().join("root"))
        .env("BOXKIT_RUN", again.path().join("run"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(digest(again.path()), first);
}

#[test]
fn a_refusal_is_one_line_and_a_hint_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let told = |args: &[&str]| {
        let out = runpack(root.path(), &[&["-t", "x"], args].concat());
        (out.status.code().unwrap(), said(&out))
    };
    let (code, text) = told(&["--bin", "sh", "--user", "web"]);
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "runpack: --user \"web\": not in the image's /etc/passwd\n\
         hint: give a number, or --add a file with that name in it: --add FILE:/etc/passwd\n"
    );
    assert_eq!(told(&["--bin", "sh", "--env", "A"]).0, 2);
    assert_eq!(told(&["--bin", "sh", "--add", "x:y"]).0, 2);
    let (code, text) = told(&["--bin", "/nowhere/at/all"]);
    assert_eq!(
        (code, text.as_str()),
        (
            1,
            "runpack: open \"/nowhere/at/all\": No such file or directory\n"
        )
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}
