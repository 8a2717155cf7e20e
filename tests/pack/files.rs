//! The same bytes whenever, and files that are added.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use runpack::pack::Add;

use super::*;

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
        return kit_test::skip(
            "a_file_capability_is_kept",
            "this host cannot set file capabilities",
        );
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
