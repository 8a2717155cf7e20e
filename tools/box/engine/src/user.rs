//! The users of a container, from its own /etc/passwd and /etc/group, which are hostile: an image's or a running
//! container's. One reader for a run, an exec and a bundle.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kit_plan::os_text::{escape, unescape};
use oci_spec::runtime::{Process, Spec};
use rmount::inroot;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::resolve::{ResolvedUser, UserError, resolve_user};

/// What is read of either file: docker's limit (moby/sys/user 0.4.1, after GHSA-mjcv-p78q-w5fw).
const LARGEST: u64 = 10 << 20;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The contents of a container's /etc/passwd and /etc/group: regular files of at most 10 MiB, or the reason why one was not
/// read.
pub struct Files {
    passwd: Text,
    group: Text,
}

/// A file's bytes, or why it was not read. A missing file is an empty one.
type Text = Result<Vec<u8>, &'static str>;

impl Files {
    /// Reads the files beneath `root`; no link in it leads out of it.
    pub fn beneath(root: BorrowedFd<'_>) -> Self {
        let (passwd, group) = (read(root, PASSWD), read(root, GROUP));
        Self { passwd, group }
    }

    /// Reads the files of this process's own root.
    pub fn here() -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open("/", flags, Mode::empty()) {
            Ok(root) => Self::beneath(root.as_fd()),
            Err(_) => Self {
                passwd: Ok(Vec::new()),
                group: Ok(Vec::new()),
            },
        }
    }

    /// Resolves `USER[:GROUP]`, names or numbers, by docker's rules and without NSS. What is not UTF-8 in it is escaped,
    /// as in config.json ([`kit_plan::os_text::escape`]).
    ///
    /// # Errors
    /// A user or a group that the files do not have, or that may be in a file which was not read.
    pub fn resolve(&self, text: &str) -> Result<ResolvedUser, UserError> {
        let bytes = |text: &Text| text.as_deref().unwrap_or_default().to_vec();
        let refused = |what, name: &str, path, text: &Text| {
            let why = text.as_ref().err().copied()?;
            let name = name.to_owned();
            Some(UserError::Refused {
                what,
                name,
                path,
                why,
            })
        };
        let text = unescape(text);
        let (passwd, group) = (bytes(&self.passwd), bytes(&self.group));
        resolve_user(text.as_bytes(), &passwd, &group).map_err(|error| {
            let told = match &error {
                UserError::NoUser(name) => refused("user", name, PASSWD, &self.passwd),
                UserError::NoGroup(name) => refused("group", name, GROUP, &self.group),
                _ => None,
            };
            told.unwrap_or(error)
        })
    }
}

/// Only a regular file is opened: opening a device may do something, opening a FIFO wait for ever. Somebody inside may
/// swap it meanwhile, so neither waits and what was opened is looked at again.
fn read(root: BorrowedFd<'_>, path: &str) -> Text {
    let path = Path::new(path);
    let is_file = |fd: &_| inroot::kind(fd) == Ok(FileType::RegularFile);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = inroot::find(root, path).and_then(|found| {
        let opened = inroot::open(
            root,
            path,
            if is_file(&found) { flags } else { OFlags::PATH },
        );
        opened.map(|opened| (is_file(&found), opened))
    });
    let file = match opened {
        Ok((true, file)) if is_file(&file) => std::fs::File::from(file),
        Ok(_) => return Err("is not a regular file"),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        Err(Errno::LOOP) => return Err("is a link to itself"),
        Err(_) => return Err("cannot be opened"),
    };
    let mut text = Vec::new();
    match file.take(LARGEST + 1).read_to_end(&mut text) {
        Ok(read) if read as u64 > LARGEST => Err("is larger than 10 MiB"),
        Ok(_) => Ok(text),
        Err(_) => Err("cannot be read"),
    }
}

/// The annotation of config.json that names the user of the program as `USER[:GROUP]`, to be looked up in the container's
/// own /etc/passwd at the start, escaped as all of config.json is; empty for root. Without it the numbers of
/// `process.user` hold.
pub const ANNOTATION: &str = "org.boxkit.user";

/// The value of [`ANNOTATION`].
pub fn asked(spec: &Spec) -> Option<&str> {
    let annotations = spec.annotations().as_ref();
    annotations
        .and_then(|all| all.get(ANNOTATION))
        .map(String::as_str)
}

/// What [`Files::resolve`] looks up: the user that was asked for, or else the numbers of `process.user`.
pub(crate) fn wanted(asked: Option<&str>, process: &Process) -> String {
    let numbers = process.user();
    asked.map_or_else(
        || format!("{}:{}", numbers.uid(), numbers.gid()),
        str::to_owned,
    )
}

/// Writes `user` into a configuration as the numbers of `process.user`, adds HOME to its environment and removes
/// [`ANNOTATION`]: for a bundle of another runtime, which reads no /etc/passwd. The names are looked up beneath `root`.
///
/// # Errors
/// A user or a group that the files do not have, or that may be in a file which was not read.
pub fn write_out(spec: &mut Spec, user: &str, root: BorrowedFd<'_>) -> Result<(), UserError> {
    let Some(process) = spec.process_mut().as_mut() else {
        return Ok(());
    };
    let found = Files::beneath(root).resolve(user)?;
    let numbers = process.user_mut();
    numbers.set_uid(found.uid);
    numbers.set_gid(found.gid);
    numbers.set_additional_gids(Some(found.groups));
    let env = process.env_mut().get_or_insert_default();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        env.push(format!("HOME={}", escape(found.home)));
    }
    if let Some(annotations) = spec.annotations_mut() {
        annotations.remove(ANNOTATION);
    }
    Ok(())
}

/// `HOME=…` for an environment that has none.
pub(crate) fn home_of(user: &ResolvedUser) -> OsString {
    let mut pair = OsString::from("HOME=");
    pair.push(&user.home);
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(dir: &Path, text: &str) -> Result<u32, String> {
        let root = rustix::fs::open(dir, OFlags::PATH, Mode::empty()).unwrap();
        let files = Files::beneath(root.as_fd());
        let found = files.resolve(text).map_err(|e| e.to_string())?;
        Ok(found.uid)
    }

    #[test]
    fn a_file_of_users_that_is_none_is_not_read_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let passwd = etc.join("passwd");
        let said = |why| {
            Err(format!(
                "unable to find user web: /etc/passwd of the container {why}"
            ))
        };
        let is_not = said("is not a regular file");

        rustix::fs::mkfifoat(rustix::fs::CWD, &passwd, Mode::from_raw_mode(0o644)).unwrap();
        assert_eq!(resolve(dir.path(), "web"), is_not);
        assert_eq!(resolve(dir.path(), "7"), Ok(7), "a number needs no file");
        std::fs::remove_file(&passwd).unwrap();

        std::os::unix::net::UnixListener::bind(&passwd).unwrap();
        assert_eq!(resolve(dir.path(), "web"), is_not);
        std::fs::remove_file(&passwd).unwrap();

        std::os::unix::fs::symlink("passwd", &passwd).unwrap();
        assert_eq!(resolve(dir.path(), "web"), said("is a link to itself"));
        std::fs::remove_file(&passwd).unwrap();

        let file = std::fs::File::create(&passwd).unwrap();
        file.set_len(8 << 30).unwrap();
        assert_eq!(resolve(dir.path(), "web"), said("is larger than 10 MiB"));

        std::fs::write(&passwd, b"Jos\xe9:x:1:1::/:\nweb:x:33:33::/:").unwrap();
        assert_eq!(resolve(dir.path(), "web"), Ok(33));
        std::fs::remove_file(&passwd).unwrap();
        let missing = "unable to find user web: no matching entries in passwd file";
        assert_eq!(resolve(dir.path(), "web"), Err(missing.to_owned()));
    }

    #[test]
    fn a_device_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let (mode, zero) = (Mode::from_raw_mode(0o644), rustix::fs::makedev(1, 5));
        let path = dir.path().join("etc/passwd");
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            FileType::CharacterDevice,
            mode,
            zero,
        );
        if made.is_err() {
            println!("skip: a_device_is_not_opened: no device nodes can be made here");
            return;
        }
        assert!(
            resolve(dir.path(), "web")
                .unwrap_err()
                .ends_with("is not a regular file")
        );
    }
}
