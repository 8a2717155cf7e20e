//! The `config.json` of a bundle: what the image says a container starts with, in the terms of the OCI runtime specification.
//! The plainest one that runc and crun run; `rrun bundle` makes those of real containers.

use std::os::fd::AsFd;
use std::path::Path;

use oci_spec::image::ImageConfiguration;
use oci_spec::runtime::{Process, Root, Spec, User};
use rustix::fs::{Mode, OFlags};

use crate::regular;
use crate::source::SourceError;
use crate::{ImageId, StoreError};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Writes `config.json` beside `rootfs`, in whose files a user's name is looked up.
pub(crate) fn write_config(
    id: &ImageId,
    image: &ImageConfiguration,
    bundle: &Path,
) -> Result<(), SourceError> {
    let config = image.config().clone().unwrap_or_default();
    let mut args = config.entrypoint().clone().unwrap_or_default();
    args.extend(config.cmd().clone().unwrap_or_default());
    if args.is_empty() {
        args.push("sh".to_owned());
    }
    let mut env = config.env().clone().unwrap_or_default();
    if !env.iter().any(|line| line.starts_with("PATH=")) {
        env.push(PATH.to_owned());
    }
    let wanted = config.user().clone().unwrap_or_default();
    let (uid, gid) =
        user(&bundle.join("rootfs"), &wanted).ok_or_else(|| StoreError::Malformed {
            what: "configuration",
            digest: id.to_string(),
            reason: format!("its user {wanted:?} is not in its /etc/passwd or /etc/group"),
        })?;
    let mut owner = User::default();
    owner.set_uid(uid).set_gid(gid);
    let cwd = config.working_dir().clone().filter(|dir| !dir.is_empty());
    let mut process = Process::default();
    process
        .set_args(Some(args))
        .set_env(Some(env))
        .set_cwd(cwd.unwrap_or_else(|| "/".to_owned()).into())
        .set_user(owner)
        .set_terminal(Some(false));
    let mut root = Root::default();
    root.set_path("rootfs".into()).set_readonly(Some(false));
    let mut spec = Spec::default();
    spec.set_process(Some(process))
        .set_root(Some(root))
        .set_hostname(Some("bundle".to_owned()));
    let path = bundle.join("config.json");
    let json = serde_json::to_vec_pretty(&spec).map_err(|error| StoreError::Malformed {
        what: "bundle of",
        digest: id.to_string(),
        reason: error.to_string(),
    })?;
    std::fs::write(&path, json).map_err(SourceError::io("write", &path))
}

/// `USER[:GROUP]`, by number or by name, as the image's own files have it.
fn user(rootfs: &Path, wanted: &str) -> Option<(u32, u32)> {
    if wanted.is_empty() {
        return Some((0, 0));
    }
    let (user, group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (wanted, None),
    };
    let passwd = lines(rootfs, "passwd");
    let account = |column: usize| {
        passwd
            .iter()
            .find(|line| line.get(column).is_some_and(|f| f == user.as_bytes()))
    };
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u32>().ok();
    let field = |line: &Vec<Vec<u8>>, at: usize| number(line.get(at)?);
    let (uid, own_gid) = if let Ok(uid) = user.parse::<u32>() {
        (uid, account(2).and_then(|line| field(line, 3)).unwrap_or(0))
    } else {
        let line = account(0)?;
        (field(line, 2)?, field(line, 3)?)
    };
    let groups = lines(rootfs, "group");
    let named = |group: &str| {
        let line = groups
            .iter()
            .find(|line| line.first().is_some_and(|f| f == group.as_bytes()))?;
        field(line, 2)
    };
    let gid = match group {
        None => own_gid,
        Some(group) => group.parse().ok().or_else(|| named(group))?,
    };
    Some((uid, gid))
}

/// The lines of a file of the image's `/etc`, in bytes: names are in whatever encoding the image has. What is no regular file, or too large
/// for what it is, has no accounts.
fn lines(rootfs: &Path, name: &str) -> Vec<Vec<Vec<u8>>> {
    const MOST: u64 = 1 << 20;
    let directory = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let read = rustix::fs::open(rootfs, directory, Mode::empty())
        .map_err(Into::into)
        .and_then(|root| regular::open_beneath(root.as_fd(), &Path::new("etc").join(name)))
        .and_then(|file| kit_home::read_at_most(file, MOST));
    let text = read.unwrap_or_default();
    let fields = |line: &[u8]| line.split(|b| *b == b':').map(<[u8]>::to_vec).collect();
    text.split(|b| *b == b'\n').map(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_number_and_by_the_images_own_names() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::write(
            etc.join("passwd"),
            b"root:x:0:0::/:/bin/sh\nJos\xe9:x:5:6::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(etc.join("group"), "root:x:0:\nadm:x:4:\n").unwrap();
        let user = |wanted| user(root.path(), wanted);
        assert_eq!(user(""), Some((0, 0)));
        assert_eq!(user("web"), Some((33, 34)));
        assert_eq!(user("33"), Some((33, 34)));
        assert_eq!(user("1000"), Some((1000, 0)));
        assert_eq!(user("web:adm"), Some((33, 4)));
        assert_eq!(user("7:8"), Some((7, 8)));
        assert_eq!(user("nobody"), None);
        assert_eq!(user("web:none"), None);
    }

    /// An image's own /etc/passwd may be anything.
    #[test]
    fn only_a_regular_file_of_some_size_has_accounts() {
        let root = tempfile::tempdir().unwrap();
        let passwd = root.path().join("etc/passwd");
        std::fs::create_dir(root.path().join("etc")).unwrap();
        nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(user(root.path(), "web"), None);
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("/proc/self/status", &passwd).unwrap();
        assert_eq!(user(root.path(), "web"), None);
        std::fs::remove_file(&passwd).unwrap();
        std::fs::write(&passwd, "web:x:33:34::/:/bin/sh\n").unwrap();
        std::fs::File::options()
            .write(true)
            .open(&passwd)
            .unwrap()
            .set_len(8 << 30)
            .unwrap();
        assert_eq!(user(root.path(), "web"), None);
    }
}
