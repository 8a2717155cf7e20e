//! The image, and the command.

use kit_plan::Fault;
use kit_plan::{Context, Header, Journal, Mark, Roots, Silent};
use kit_test::binaries;
use runpack::pack::{Add, PackImage, Settings, split_words};
use runpack::{Progress, Reference, Store};

use super::*;

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
        progress: Progress::default(),
    };
    let mark = Mark::new(Roots::from_env().unwrap().instance);
    let mut journal = Journal::in_memory(Header::new(&mark, "pack").unwrap());
    let applied = image.plan().apply(
        &mut Context::new(mark),
        &mut journal,
        &kit_undo::Kernel::new(),
        &mut Silent,
    );
    applied.unwrap();
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

    let lowers = store.layers_unpacked(&found).unwrap().into_lowest_first();
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
    let mut command = Command::new(binaries().join("runpack"));
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
    let out = Command::new("sh")
        .arg("-c")
        .arg(OsString::from(String::from_utf8(script.stdout).unwrap()))
        .env("PATH", kit_test::path())
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
