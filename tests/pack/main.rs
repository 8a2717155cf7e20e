//! Packs real programs of this machine, unpacks the layer with tar(1) and runs them by chroot(1): nothing of the code under test is
//! trusted with the proof. ldd(1), which we never call ourselves, is asked whether the libraries are the right ones.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod files;
mod image;
mod programs;
mod refusals;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use runpack::pack::{Host, Packed, Request, collect, write_layer};
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
