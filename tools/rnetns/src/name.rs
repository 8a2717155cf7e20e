//! How a namespace is named: a name of `/run/netns`, `pid:N`, or a path; and `LINK@NETNS`.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::NetnsError;

/// Where ip-netns(8) keeps its names.
pub const RUN_NETNS: &str = "/run/netns";

/// A namespace as a user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Netns {
    /// A file of [`RUN_NETNS`].
    Name(String),
    /// The one that this process is in.
    Pid(i32),
    /// A file that stands for one.
    Path(PathBuf),
}

impl Netns {
    /// A path has a slash, `pid:N` a number, everything else is a name.
    pub fn parse(text: &str) -> Result<Self, NetnsError> {
        if text.contains('/') && Path::new(text).is_absolute() {
            return Ok(Self::Path(text.into()));
        }
        if let Some(number) = text.strip_prefix("pid:") {
            let bad = || NetnsError::BadName {
                name: text.to_owned(),
                reason: "after \"pid:\" comes a number",
            };
            let pid = number.parse().ok().filter(|pid| *pid > 0).ok_or_else(bad)?;
            return Ok(Self::Pid(pid));
        }
        check_name(text)?;
        Ok(Self::Name(text.to_owned()))
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Name(name) => Path::new(RUN_NETNS).join(name),
            Self::Pid(pid) => format!("/proc/{pid}/ns/net").into(),
            Self::Path(path) => path.clone(),
        }
    }

    /// The name that `/etc/netns` knows it by, however it was given.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Pid(_) => None,
            Self::Path(path) => {
                let of_run = [RUN_NETNS, "/var/run/netns"].map(Path::new);
                let here = of_run.contains(&path.parent()?);
                path.file_name()?.to_str().filter(|_| here)
            }
        }
    }

    /// Opens it, and makes sure that it is a namespace and not the file that one was mounted on.
    pub fn open(&self) -> Result<File, NetnsError> {
        let path = self.path();
        let opened = kit_sys::ns::open(&path).map_err(std::io::Error::from);
        let opened = opened.map_err(|source| match (self, source.kind()) {
            (Self::Name(name), ErrorKind::NotFound) => NetnsError::Unknown { name: name.clone() },
            (Self::Pid(pid), ErrorKind::NotFound) => NetnsError::NoProcess { pid: *pid },
            _ => NetnsError::Io {
                doing: "opening network namespace",
                path: path.clone(),
                source,
            },
        })?;
        let Some(file) = opened else {
            return Err(NetnsError::NotNetns { path });
        };
        match kit_sys::ns::kind(file.as_fd()) {
            Ok("network") => Ok(file),
            Ok(kind) => Err(NetnsError::OtherKind { path, kind }),
            Err(_) => Err(NetnsError::NotNetns { path }),
        }
    }
}

impl Netns {
    /// Puts the calling thread into it: the sockets that this opens from now on are there. What it has open stays where it
    /// was, and so does the mount namespace; [`crate::enter::like_ip`] is for a program that looks at /sys.
    ///
    /// # Errors
    /// As [`Netns::open`], and what setns(2) refuses: it takes CAP_SYS_ADMIN.
    pub fn enter(&self) -> Result<(), NetnsError> {
        let file = self.open()?;
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(file.as_fd(), kind).map_err(|errno| NetnsError::Io {
            doing: "entering network namespace",
            path: self.path(),
            source: errno.into(),
        })
    }
}

/// A name becomes a file of `/run/netns`, so it may not leave that directory.
pub fn check_name(name: &str) -> Result<(), NetnsError> {
    let wrong = |reason| {
        Err(NetnsError::BadName {
            name: name.to_owned(),
            reason,
        })
    };
    match name {
        "" => wrong("it is empty"),
        "." | ".." => wrong("it is a directory"),
        _ if name.contains('/') => wrong("it has a slash"),
        _ if name.contains('\0') || name.chars().any(char::is_control) => {
            wrong("it has a control character")
        }
        _ if name.len() > 255 => wrong("it is longer than 255 bytes"),
        _ if name.starts_with('-') => wrong("it begins with a dash"),
        _ if name.starts_with("pid:") => {
            wrong("it stands for a process's namespace, which has no name")
        }
        _ => Ok(()),
    }
}

/// `LINK@NETNS` in two; without `@` the link is in our own namespace.
pub fn split_link(text: &str) -> Result<(&str, Option<Netns>), NetnsError> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((link, netns)) => Ok((link, Some(Netns::parse(netns)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms() {
        assert_eq!(Netns::parse("blue").unwrap(), Netns::Name("blue".into()));
        assert_eq!(Netns::parse("pid:7").unwrap(), Netns::Pid(7));
        assert_eq!(
            Netns::parse("/proc/7/ns/net").unwrap(),
            Netns::Path("/proc/7/ns/net".into())
        );
        for bad in [
            "", "..", "../x", "a/b", "pid:", "pid:x", "pid:-1", "a\nb", "-x",
        ] {
            assert!(Netns::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_link_may_name_its_namespace() {
        assert_eq!(split_link("eth0").unwrap(), ("eth0", None));
        assert_eq!(
            split_link("eth0@blue").unwrap(),
            ("eth0", Some(Netns::Name("blue".into())))
        );
    }

    #[test]
    fn a_plain_file_is_no_namespace() {
        let refused = Netns::Path("/etc/passwd".into()).open().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "opening network namespace \"/etc/passwd\": it is not one"
        );
        let refused = Netns::Path("/proc/self/ns/mnt".into()).open().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "opening network namespace \"/proc/self/ns/mnt\": it is a mount namespace"
        );
    }
}
