//! What cannot be packed is refused, with the way out.

use std::os::unix::fs::PermissionsExt;

use kit_plan::Fault;
use runpack::pack::Entry;
use runpack::pack::PackError;

use super::*;

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
